"""Reading of a manifest CSV: one picture a line, with its label and what else is known of it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Label = Literal["ai", "real"]
Split = Literal["train", "val", "test"]

COLUMNS = ("file", "label", "source", "generator", "group", "split")
"""Columns that are read."""
_LABELS: dict[str, Label] = {"ai": "ai", "real": "real"}
_SPLITS: dict[str, Split] = {"train": "train", "val": "val", "test": "test"}


class DatasetError(Exception):
    """A data set that cannot be used, with the one line that tells its owner what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A picture as its owner lists it; an empty `group` and a `split` of None are still to be found.

    A source is `drawn_up` where its owner named none: it has the name of the data set's folder then.
    """

    path: Path
    label: Label
    source: str
    generator: str = ""
    group: str = ""
    split: Split | None = None
    drawn_up: bool = False


def is_manifest(path: Path) -> bool:
    """Whether a path is a CSV file."""
    return path.suffix.lower() == ".csv" and path.is_file()


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest CSV with a header line; files are named relative to its folder.

    Parameters
    ----------
    path
        The CSV, UTF-8. Columns `file` and `label` are needed; `source`, `generator`, `group` and `split` are read where
        they stand; others are ignored.

    Raises
    ------
    DatasetError
        A missing column or one named twice, or a label, a split or a line that cannot be used, named with its line.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            names = reader.fieldnames or ()
            missing = [name for name in ("file", "label") if name not in names]
            if missing:
                raise DatasetError(
                    f"{path}: the header has no column {' and no column '.join(missing)}, but {list(names)} "
                    "(columns are separated by commas, and named in small letters without spaces)"
                )
            twice = [name for name in COLUMNS if names.count(name) > 1]
            if twice:
                raise DatasetError(f"{path}: the header names the column {twice[0]} twice")
            return [_row(path, reader.line_num, line) for line in reader]
        except (csv.Error, UnicodeDecodeError) as error:
            raise DatasetError(f"{path}: not a readable CSV near line {reader.line_num} ({error})") from error


def _row(manifest: Path, number: int, line: dict[str, str | None]) -> Row:
    def cell(name: str) -> str:
        return (line.get(name) or "").strip()

    where = f"{manifest}, line {number}"
    if not cell("file"):
        raise DatasetError(f"{where}: no file named")
    label = _LABELS.get(cell("label").lower())
    if label is None:
        raise DatasetError(f"{where}: label {cell('label')!r} is unknown, use ai or real")
    split = _SPLITS.get(cell("split").lower())
    if split is None and cell("split"):
        raise DatasetError(f"{where}: split {cell('split')!r} is unknown, use train, val or test")
    generator = cell("generator")
    return Row(
        path=manifest.parent / cell("file"),
        label=label,
        source=cell("source") or generator or f"{manifest.parent.resolve().name}-{label}",
        generator=generator,
        group=cell("group"),
        split=split,
        drawn_up=not (cell("source") or generator),
    )
