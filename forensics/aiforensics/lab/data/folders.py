"""Reading of a folder `real/` + `ai/`, and what of it is left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiforensics.image import SUFFIXES
from aiforensics.lab.data.manifest import DatasetError, Label, Row


@dataclass(frozen=True, slots=True)
class Folder:
    """What stands in a data set's folder.

    Attributes
    ----------
    rows
        Its pictures.
    beside
        Names of folders that stand beside `real/` and `ai/`, and are left out.
    others
        Files within these two that are left out, by ending in small letters; links to folders below the first level
        count as such.
    """

    rows: list[Row]
    beside: tuple[str, ...] = ()
    others: Counter[str] | None = None

    @property
    def line(self) -> str:
        """What is left out, in one line; empty where that is nothing."""
        parts = []
        if self.others:
            kinds = ", ".join(f"{count:,} {kind or 'without ending'}" for kind, count in self.others.most_common(5))
            files = self.others.total()
            parts.append(f"{files:,} other file{'s' * (files > 1)} left out ({kinds})")
        if self.beside:
            many = len(self.beside) > 1
            parts.append(f"the folder{'s' * many} {', '.join(self.beside[:5])} beside real/ and ai/ left out")
        return "; ".join(parts)


def read_folder(root: Path) -> Folder:
    """Read a folder `real/` + `ai/`, whose first-level subfolders are the sources; hidden names are left out.

    Links to folders are followed where they stand for a source, each folder once.

    Raises
    ------
    DatasetError
        It is no such folder.
    """
    if not root.exists():
        raise DatasetError(f"{root}: no such file or folder")
    if not root.is_dir():
        raise DatasetError(f"{root}: not a folder or a manifest CSV")
    folders: dict[str, list[Path]] = defaultdict(list)  # AI/ and ai/ are one class
    for child in sorted(root.iterdir()):
        if child.is_dir():
            folders[child.name.lower()].append(child)
    if not folders.keys() & {"real", "ai"}:
        found = ", ".join(sorted(folders)[:5]) or "none"
        raise DatasetError(f"{root}: expected subfolders real/ and ai/, or a manifest.csv (subfolders found: {found})")
    labels: tuple[Label, ...] = ("real", "ai")
    classes: list[tuple[Path, Label]] = [(folder, label) for label in labels for folder in folders.get(label, ())]
    rows: list[Row] = []
    others: Counter[str] = Counter()
    for folder, label in classes:
        for path in _shown(folder):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                rows.append(_row(path, folder, label))
            elif not path.is_dir() or path.is_symlink():
                others["links to folders" if path.is_dir() else path.suffix.lower()] += 1
    beside = (one.name for name, some in folders.items() if name not in labels for one in some)
    return Folder(rows, tuple(name for name in beside if not name.startswith(".")), others)


def _shown(folder: Path) -> list[Path]:
    """What a folder holds, sorted; hidden names are left out as in a batch: thumbnails, halves of a copy."""
    parts_of = {path: path.relative_to(folder).parts for path in _inside(folder)}
    return sorted(path for path, parts in parts_of.items() if not any(part.startswith(".") for part in parts))


def _inside(folder: Path) -> Iterator[Path]:
    """Everything in a folder, and in the folders that links right in it lead to."""
    seen, links = [folder.resolve()], []
    for path in folder.rglob("*"):
        if path.parent == folder and path.is_symlink() and path.is_dir() and not path.name.startswith("."):
            links.append((path.resolve(), path))
        else:
            yield path
    for place, link in sorted(links):  # what holds another comes before it
        if not any(place.is_relative_to(one) for one in seen) and not seen[0].is_relative_to(place):
            seen.append(place)
            yield from link.rglob("*")


def _row(path: Path, folder: Path, label: Label) -> Row:
    parts = path.relative_to(folder).parts
    drawn_up = len(parts) == 1
    source = f"{folder.parent.resolve().name}-{label}" if drawn_up else parts[0]
    return Row(path, label, source, generator=source if label == "ai" else "", drawn_up=drawn_up)
