"""A labelled data set: a folder `real/` + `ai/` (subfolders are sources), or a manifest CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Label = Literal["ai", "real"]
Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture.

    Attributes
    ----------
    path
        The file.
    label
        `ai` or `real`.
    source
        Where it was collected; whole sources are left out to test generalisation.
    generator
        The model that made it, or empty for real pictures.
    group
        Pictures of one group (the same prompt, the same scene) never stand on both sides of a split.
    split
        `train`, `val` or `test`.
    """

    path: Path
    label: Label
    source: str
    generator: str
    group: str
    split: Split


class DatasetError(Exception):
    """A data set that cannot be used, with the one line that tells its owner what to do."""
