"""Scanners for the tests of the batch, importable by a worker process. What they do stands in the file's name."""

import hashlib
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from aiforensics.evidence import Claim, Finding, InputError, ModelRef, Provenance, Quality, Reason, ToolRef
from aiforensics.image import Picture, decode, read
from aiforensics.provenance import redact


def finding(path, data=b"", model="fake"):
    return Finding(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        format="PNG",
        width=7,
        height=5,
        verdict="real",
        p_ai=0.125,
        interval=(0.1, 0.2),
        quality=Quality("good"),
        provenance=Provenance(),
        analyzers=(),
        reasons=(Reason("ela.mean", 1.0, "grey levels", -0.5, "=cmd|' /C calc'!A0"),),
        model=ModelRef(model, "1.0", "ab" * 32),
        tool=ToolRef("aiforensics", "0"),
        seconds=0.0,
    )


class Scanner:
    """Dies of `segfault`, hangs on `hang`, raises on `bug`, `memory` and `bad`, is slow on `slow`."""

    def __init__(self, model="fake"):
        self.model = model

    def scan(self, source):
        return self.scan_bytes(Path(source).read_bytes(), source)

    def scan_bytes(self, data, path):
        name = Path(path).name
        if "segfault" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in name:
            time.sleep(3600)
        if "slow" in name:
            time.sleep(0.3)
        if "bug" in name:
            raise ZeroDivisionError("a defect")
        if "memory" in name:
            raise MemoryError
        if "bad" in name:
            raise InputError("truncated", "the file ends early")
        if "threads" in name:
            raise InputError("unsupported", os.environ["OMP_NUM_THREADS"])
        if "noisy" in name:
            os.write(1, b"a library speaks out of turn\n")
        return finding(path, data, self.model)


def refuse_to_start():
    raise InputError("not-found", "there is no such model")


def die_at_start():
    os._exit(3)


@dataclass
class Map:
    analyzer: str
    title: str
    pixels: np.ndarray
    x: int
    y: int


@dataclass
class Examination:
    finding: Finding
    picture: Picture

    @property
    def maps(self):
        return (Map("ela", "ELA", np.zeros((4, 6, 3), np.uint8), 0, 16),)

    activation = ()
    thresholds = (0.2, 0.8)


@dataclass
class Bundle:
    """What the findings of `GateScanner` name as their model."""

    name: str
    version: str = "1.0"
    sha256: str = "ab" * 32
    load: ClassVar = classmethod(lambda cls, name: cls(name))


class GateScanner(Scanner):
    """Reads pictures through the gate; a name with `ai`, `unsure`, `told` or `forged` in it decides the finding."""

    def __init__(self, model="default", *, device="auto", redact=False, online=False, trust=None):
        if model == "missing":
            raise InputError("not-found", "there is no bundle named missing")
        if model == "defect":
            raise RuntimeError("a defect")
        super().__init__(model)
        self.redact = redact

    def examine(self, source):
        if "bug" in str(source):
            raise ZeroDivisionError("a defect")
        picture = decode(source) if isinstance(source, bytes) else read(source)
        return Examination(self._judge(picture), picture)

    def scan(self, source):
        if "bug" in str(source):
            raise ZeroDivisionError("a defect")
        return self._judge(read(source))

    def scan_bytes(self, data, path="-"):
        return self._judge(decode(data, path))

    def _judge(self, picture):
        name = Path(picture.path).stem
        found = finding(picture.path, picture.data, self.model)
        provenance = {
            "told": Provenance("claimed", "ai", (Claim("generator", "\x1b[31mred", "PNG text", "ai"),)),
            "forged": Provenance("invalid", "unknown"),
            "private": Provenance(claims=(Claim("person", "Jane Doe", "PNG tEXt Photo of Jane", private=True),)),
        }.get(name, Provenance())
        return replace(
            found,
            format=picture.format,
            width=picture.width,
            height=picture.height,
            verdict="ai" if "ai" in name else "inconclusive" if "unsure" in name else "real",
            provenance=redact(provenance) if self.redact else provenance,
            reasons=(Reason("ela.mean", 1.0, "grey levels", -0.5, "the error level is even"),),
        )


class SlowScanner(GateScanner):
    """Takes its time."""

    def scan(self, source):
        time.sleep(0.1)
        return super().scan(source)
