"""The model bundle: a folder of plain files whose sha256 sums stand in its `bundle.json`.

`Bundle.load` reads the manifest and checks every file against its sum; nothing is unpickled. The networks and heads are
opened on first use, so that listing bundles costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from aiforensics_models.calibration import Calibration
from aiforensics_models.enlargement import Enlargement
from aiforensics_models.heads import EMBEDDING, Head, load_head
from aiforensics_models.runtime import Network, load_network
from aiforensics_models.small import Twice

SCHEMA = "aiforensics.bundle/1"
MANIFEST = "bundle.json"
CLASSES = ["real", "ai"]
"""What log-odds speak against and for."""
Device = Literal["auto", "cpu", "cuda"]

LARGEST = 4096
"""Pixels by side, members and filters at most: a manifest of a stranger must not ask for all the memory."""

_SHIPPED = Path(__file__).parent / "bundles"
_KEYS = ("schema", "name", "version", "classes", "window", "network", "head", "features", "calibration", "files")

_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("name", "version"), str),
    **dict.fromkeys(("classes", "features"), list),
    **dict.fromkeys(("network", "head", "calibration", "files"), dict),
    "window": int,
}


class BundleError(Exception):
    """A bundle that cannot be used, with the one line that tells its owner what to do."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the embeddings of the training pictures lie.

    Attributes
    ----------
    centre, scale
        (dimension,) mean and standard deviation.
    usual
        Root-mean-square standard score that 99 % of the training pictures stay within.
    """

    centre: NDArray[np.float32]
    scale: NDArray[np.float32]
    usual: float


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes
    ----------
    folder
        Where its files are.
    manifest
        The content of `bundle.json`.
    sha256
        Of `bundle.json` itself, in hexadecimal: it names every other file's sum, so it identifies the whole bundle.
    """

    folder: Path
    manifest: Mapping[str, Any]
    sha256: str

    @classmethod
    def load(cls, name: str | Path) -> Bundle:
        """Load a shipped bundle by name or any bundle by its folder, and check every file.

        Raises
        ------
        BundleError
            If there is no such bundle, its manifest is malformed, or a file does not match its sha256.
        """
        folder = _find(name)
        try:
            data = (folder / MANIFEST).read_bytes()
            manifest = json.loads(data)
        except (OSError, ValueError, RecursionError) as error:
            raise BundleError(f"{folder / MANIFEST} cannot be read as JSON: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
            raise BundleError(f"{folder / MANIFEST} is not a bundle of schema {SCHEMA}")
        missing = [key for key in _KEYS if key not in manifest]
        if missing:
            raise BundleError(f"{folder / MANIFEST} lacks {', '.join(missing)}")
        if problem := _problem(manifest):
            raise BundleError(f"{folder / MANIFEST} is malformed: {problem}")
        bundle = cls(folder, manifest, hashlib.sha256(data).hexdigest())
        bundle.verify()
        return bundle

    @property
    def name(self) -> str:
        """The bundle's name."""
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """The bundle's version."""
        return str(self.manifest["version"])

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the row that the head reads, in order."""
        return tuple(self.manifest["features"])

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum((self.folder / name).stat().st_size for name in self.manifest["files"])

    def verify(self) -> None:
        """Check every file of the manifest against its sha256.

        Raises
        ------
        BundleError
            If a file is missing or has another sum.
        """
        for name, expected in self.manifest["files"].items():
            path = self.folder / name
            if not path.is_file():
                raise BundleError(f"the bundle {self.folder} lacks its file {name}: install or train it again")
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if found != expected:
                raise BundleError(
                    f"{path} has sha256 {found[:12]}… but the bundle states {expected[:12]}…: do not use it"
                )

    def network(self, device: Device = "auto") -> Network:
        """Open the embedding network; `cuda` uses PyTorch, everything else ONNX Runtime on one thread.

        Raises
        ------
        BundleError
            If `cuda` is asked for and there is no usable GPU, or the network cannot be opened.
        """
        entry = self.manifest["network"]
        with self._opening("network"):
            network = load_network(self.folder, entry, device)
        return Twice(network, entry["small"]) if "small" in entry else network

    def try_out(self) -> None:
        """Open every part on the CPU and ask network and head once, so that a bundle that passes can be used.

        Raises
        ------
        BundleError
            If a part cannot be used.
        """
        network = self.network("cpu")
        _ = self.enlargement, self.calibration
        reference, head = self.reference, self.head
        with self._opening("network"):
            embedding = network(np.zeros((self.manifest["window"],) * 2 + (3,), np.uint8)).embedding
        with self._opening("reference"):
            if reference is not None and reference.centre.shape != embedding.shape:
                raise ValueError(f"it is of {reference.centre.shape}, and the network's embedding of {embedding.shape}")
        with self._opening("head"):
            answer = head(np.zeros(len(self.features)), embedding)
            if not (math.isfinite(answer.log_odds) and np.isfinite(answer.shares).all()):
                raise ValueError("it answers with what is no number")

    @contextmanager
    def _opening(self, part: str) -> Iterator[None]:
        """One line for whatever the readers of a part raise; a missing package has a line of its own."""
        try:
            yield
        except (ModuleNotFoundError, MemoryError):
            raise
        except Exception as error:
            line = " ".join(str(error).split())[:300] or type(error).__name__
            raise BundleError(f"the {part} of the bundle {self.folder} cannot be used: {line}") from error

    @cached_property
    def head(self) -> Head:
        """The head that turns a row of features into log-odds."""
        with self._opening("head"):
            return load_head(self.folder, self.manifest["head"], self.features)

    @cached_property
    def reference(self) -> Reference | None:
        """Where the embeddings of the training pictures lie; None for a bundle that does not say."""
        entry = self.manifest.get("reference")
        if entry is None:
            return None
        with self._opening("reference"):
            tensors = load_file(self.folder / entry["file"])
            centre, scale = tensors["centre"], tensors["scale"]
            if centre.shape != scale.shape or not (np.isfinite(centre).all() and np.isfinite(scale).all()):
                raise ValueError("its centre and scale are not as many finite numbers")
            if not (scale > 0).all():
                raise ValueError("its scale is not above 0")
            return Reference(centre, scale, float(entry["usual"]))

    @cached_property
    def enlargement(self) -> Enlargement | None:
        """What tells enlarged pictures; None for a bundle that examines every picture as it is."""
        entry = self.manifest.get("enlargement")
        if entry is None:
            return None
        with self._opening("enlargement"):
            return Enlargement.load(self.folder, entry, [name for name in self.features if name != EMBEDDING])

    @cached_property
    def calibration(self) -> Calibration:
        """From log-odds to probabilities and verdicts."""
        return Calibration.from_dict(self.manifest["calibration"])


def available() -> list[str]:
    """Names of the shipped bundles, in alphabetical order."""
    return sorted(path.parent.name for path in _SHIPPED.glob(f"*/{MANIFEST}"))


def shipped_as(sha256: str) -> str | None:
    """Name of the shipped bundle whose manifest has this sum; None for a bundle of somebody's own."""
    sums = {name: hashlib.sha256((_SHIPPED / name / MANIFEST).read_bytes()).hexdigest() for name in available()}
    return next((name for name, found in sums.items() if found == sha256), None)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write `bundle.json` into a folder, with the sha256 of every other file that lies there.

    Parameters
    ----------
    folder
        The bundle's folder; only its plain files belong to the bundle.
    manifest
        Its content; a `schema` and `files` in it are replaced by what is true now.
    """
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST
    }
    stated = {key: value for key, value in manifest.items() if key not in ("schema", "files")}
    text = json.dumps({"schema": SCHEMA, **stated, "files": files}, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8", newline="\n")


def _problem(manifest: Mapping[str, Any]) -> str | None:
    """What is wrong with a manifest whose keys are all there, in a few words; None for a sound one."""
    for key, kind in _TYPES.items():
        if not isinstance(manifest[key], kind) or isinstance(manifest[key], bool):
            return f"{key} is a {type(manifest[key]).__name__}"
    if type(manifest.get("edition", 0)) is not int:
        return f"edition is {manifest['edition']!r}: it is a whole number"
    if not all(isinstance(name, str) for key in ("classes", "features") for name in manifest[key]):
        return "classes or features are not words"
    if manifest["classes"] != CLASSES:
        return f"classes is {manifest['classes']}: log-odds here are of the second of {CLASSES}"
    if not all(isinstance(expected, str) for expected in manifest["files"].values()):
        return "files holds a sum that is no text"
    checks = (_bad_name, _bad_size, _bad_entry, _bad_file, _bad_calibration, _bad_training)
    return next((problem for check in checks if (problem := check(manifest))), None)


def _bad_name(manifest: Mapping[str, Any]) -> str | None:
    if not (manifest["name"].isprintable() and manifest["version"].isprintable()):
        return "name or version holds control signs"
    twice = next((name for name, times in Counter(manifest["features"]).items() if times > 1), None)
    return None if twice is None else f"features names {twice!r} twice"


def _bad_size(manifest: Mapping[str, Any]) -> str | None:
    network = manifest["network"]
    if network.get("input", "window") != "window" and "side" not in network:
        return "network.side is missing"
    stated = {f"network.{key}": network[key] for key in ("side", "members", "filters") if key in network}
    for key, value in {"window": manifest["window"], **stated}.items():
        if type(value) is not int or not 1 <= value <= LARGEST:
            return f"{key} is {value!r}: it is a whole number from 1 to {LARGEST}"
    return None


def _bad_training(manifest: Mapping[str, Any]) -> str | None:
    training = manifest.get("training", {})
    if not isinstance(training, dict):
        return "training is no table"
    for key in ("config", "sources", "split"):
        if not isinstance(training.get(key, {}), dict):
            return f"training.{key} is no table"
    split = training.get("split") or {"seed": 0, "shares": ""}
    seed = split.get("seed")
    sound = type(seed) is int and seed >= 0 and isinstance(split.get("shares"), str)
    return None if sound else "training.split lacks its seed, a whole number, or its shares, a text"


def _bad_entry(manifest: Mapping[str, Any]) -> str | None:
    named = {"network.onnx": manifest["network"].get("onnx"), "head.kind": manifest["head"].get("kind")}
    for key, value in named.items():
        if not isinstance(value, str):
            return f"{key} is missing"
    if type(manifest["network"].get("small", 0)) is not int:
        return f"network.small is {manifest['network']['small']!r}: it is a whole number"
    reference = manifest.get("reference")
    usual = reference.get("usual") if isinstance(reference, dict) else None
    if reference is not None and (isinstance(usual, bool) or not isinstance(usual, int | float)):
        return "reference lacks usual"
    if usual is not None and not 0 < usual < math.inf:
        return f"reference.usual is {usual}: it is a distance, above 0"
    enlargement = manifest.get("enlargement")
    least = enlargement.get("from") if isinstance(enlargement, dict) else None
    if enlargement is not None and (isinstance(least, bool) or not isinstance(least, int | float)):
        return "enlargement lacks from"
    return None if least is None or 1 <= least < math.inf else f"enlargement.from is {least}: it is a factor, 1 or more"


def _bad_file(manifest: Mapping[str, Any]) -> str | None:
    network, head, reference = manifest["network"], manifest["head"], manifest.get("reference")
    needed = [network["onnx"], *([network["weights"]] if "weights" in network else [])]
    needed += [] if head["kind"] == "none" else [head.get("file")]
    needed += [head["joint"].get("file")] if isinstance(head.get("joint"), dict) else []
    needed += [reference.get("file")] if reference else []
    needed += [manifest["enlargement"].get("file")] if manifest.get("enlargement") else []
    for name in (*manifest["files"], *needed):
        if not isinstance(name, str) or Path(name).name != name or name == "..":
            return f"it names a file outside its folder: {name}"
        if name not in manifest["files"]:
            return f"its file {name} has no sha256 in files"
    return None


def _bad_calibration(manifest: Mapping[str, Any]) -> str | None:
    try:
        calibration = Calibration.from_dict(manifest["calibration"])
        low, high = calibration.real_below, calibration.ai_from
        numbers = [n for line in calibration.conditions.values() for n in (line.slope, line.offset, line.spread)]
        if "good" in calibration.conditions and all(map(math.isfinite, numbers)):
            in_order = 0 <= low <= high <= 1
            return None if in_order else f"calibration needs 0 <= real_below {low} <= ai_from {high} <= 1"
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return f"calibration cannot be read ({type(error).__name__}: {error})"
    return "calibration lacks its condition good, or holds what is no number"


def _find(name: str | Path) -> Path:
    if isinstance(name, str) and name in available():
        return _SHIPPED / name  # a folder of the same name is reached as ./NAME
    folder = Path(name)
    if name and (folder / MANIFEST).is_file():  # as a path, an empty name is the current folder
        return folder
    if name and folder.is_dir():
        raise BundleError(f"{folder} holds no {MANIFEST}: it is not a model bundle")
    shipped = ", ".join(available()) or "none"
    raise BundleError(f"there is no model {str(name)!r}: name a bundle's folder or a shipped bundle ({shipped})")
