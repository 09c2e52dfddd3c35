"""The model bundle: a folder of plain files whose sha256 sums stand in its `bundle.json`.

`Bundle.load` reads the manifest and checks every file against its sum; nothing is unpickled. The networks and heads are
opened on first use, so that listing bundles costs nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from aiforensics_models.calibration import Calibration
from aiforensics_models.heads import Head, load_head
from aiforensics_models.runtime import Network, load_network

SCHEMA = "aiforensics.bundle/1"
MANIFEST = "bundle.json"
MAX_BYTES = 16 * 2**20
"""A shipped bundle is at most this large."""
Device = Literal["auto", "cpu", "cuda"]

_SHIPPED = Path(__file__).parent / "bundles"
_KEYS = ("schema", "name", "version", "classes", "window", "network", "head", "features", "calibration", "files")


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
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder / MANIFEST} cannot be read as JSON: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
            raise BundleError(f"{folder / MANIFEST} is not a bundle of schema {SCHEMA}")
        missing = [key for key in _KEYS if key not in manifest]
        if missing:
            raise BundleError(f"{folder / MANIFEST} lacks {', '.join(missing)}")
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
            If a file is missing, lies outside the folder, or has another sum.
        """
        for name, expected in self.manifest["files"].items():
            path = self.folder / name
            if Path(name).name != name:
                raise BundleError(f"the bundle {self.folder} names a file outside its folder: {name}")
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
            If `cuda` is asked for and there is no usable GPU.
        """
        try:
            return load_network(self.folder, self.manifest["network"], device)
        except RuntimeError as error:
            raise BundleError(str(error)) from error

    @cached_property
    def head(self) -> Head:
        """The head that turns a row of features into log-odds."""
        return load_head(self.folder, self.manifest["head"], self.features)

    @cached_property
    def reference(self) -> Reference | None:
        """Where the embeddings of the training pictures lie; None for a bundle that does not say."""
        entry = self.manifest.get("reference")
        if entry is None:
            return None
        tensors = load_file(self.folder / entry["file"])
        return Reference(tensors["centre"], tensors["scale"], float(entry["usual"]))

    @cached_property
    def calibration(self) -> Calibration:
        """From log-odds to probabilities and verdicts."""
        return Calibration.from_dict(self.manifest["calibration"])


def available() -> list[str]:
    """Names of the shipped bundles, in alphabetical order."""
    return sorted(path.parent.name for path in _SHIPPED.glob(f"*/{MANIFEST}"))


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write `bundle.json` into a folder, with the sha256 of every other file that lies there.

    Parameters
    ----------
    folder
        The bundle's folder; only its plain files belong to the bundle.
    manifest
        Everything but `schema` and `files`.
    """
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST
    }
    text = json.dumps({"schema": SCHEMA, **manifest, "files": files}, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8", newline="\n")


def _find(name: str | Path) -> Path:
    if isinstance(name, str) and name in available():
        return _SHIPPED / name  # a folder of the same name is reached as ./NAME
    folder = Path(name)
    if (folder / MANIFEST).is_file():
        return folder
    if folder.is_dir():
        raise BundleError(f"{folder} holds no {MANIFEST}: it is not a model bundle")
    shipped = ", ".join(available()) or "none"
    raise BundleError(f"there is no model {str(name)!r}: name a bundle's folder or a shipped bundle ({shipped})")
