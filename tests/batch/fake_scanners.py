"""Scanners for the tests of the batch, importable by a worker process. What they do stands in the file's name."""

import hashlib
import os
import signal
import time
from pathlib import Path

from aiforensics.evidence import Finding, InputError, ModelRef, Provenance, Quality, Reason, ToolRef


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
    """Dies of `segfault`, hangs on `hang`, raises on `bug` and `bad`, is slow on `slow`."""

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
