"""A labelled data set: a folder `real/` + `ai/` (subfolders are sources), or a manifest CSV."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aiforensics.lab.data.duplicates import same_bytes
from aiforensics.lab.data.folders import Folder, read_folder
from aiforensics.lab.data.manifest import DatasetError, Label, Row, Split, is_manifest, read_manifest
from aiforensics.lab.data.progress import Progress, Report
from aiforensics.lab.data.splits import SHARES, SPLITS, Shares, grouped, split_of
from aiforensics.lab.data.sums import sum_of

__all__ = [
    "DatasetError",
    "Label",
    "Sample",
    "Split",
    "check_classes",
    "digest",
    "joined",
    "learnable",
    "load_dataset",
    "sources_of",
    "thin",
]

LEAST = 10
"""Pictures that each class needs in each split that is used."""
_DRAWN_UP = re.compile(r"(ai|real)/.+#\d+", re.DOTALL)
"""The name of a group that stood in no manifest: it means something within the set that was read with it."""


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
    drawn_up
        Whether the source is the data set's folder, for want of a name.
    """

    path: Path
    label: Label
    source: str
    generator: str
    group: str
    split: Split
    drawn_up: bool = False

    @property
    def key(self) -> str:
        """A name that stays the same when the data set moves to another folder."""
        return f"{self.label}/{'' if self.drawn_up else self.source}/{self.path.name}"


def load_dataset(
    path: Path | Sequence[Path],
    *,
    seed: int = 0,
    shares: Shares = SHARES,
    need: Sequence[Split] = SPLITS,
    keep_broken: bool = False,
    keep_shared: bool = False,
    progress: Progress | None = None,
    report: Report = lambda _line: None,
) -> tuple[Sample, ...]:
    """Read a labelled data set, or several joined into one.

    A folder holds `real/` and `ai/`, whose first-level subfolders, or links to folders, are the sources; what is hidden
    in it is left out. A folder with a `manifest.csv`, or a CSV file, is read as a manifest: columns `file, label`, and
    where known `source, generator, group, split`; other columns are ignored. Pictures without a group are grouped by
    their stem (without endings such as `_q75`; in one folder, or in any where the stem is a sum) and by perceptual
    hash. Pictures without a split take the first one that is given to their group, or are split by group, each source
    and class alike.

    Parameters
    ----------
    path
        The folder or manifest, or several of them.
    seed
        Of the split.
    shares
        Of the splits that are drawn.
    need
        Splits that the caller will use; each class needs at least 10 pictures in each of them.
    keep_broken
        Whether files that cannot be read stay in the set, for a caller that tells of each one on its own.
    keep_shared
        Whether the same bytes may stand in both classes, for an audit, which counts them.
    progress
        Told how far the reading of pictures is, where reading is needed to group them.
    report
        Told in a line what a folder holds that is left out: files that are no pictures by their ending, folders beside
        `real/` and `ai/`.

    Returns
    -------
    The samples, in the order of the manifest or of sorted paths.

    Raises
    ------
    DatasetError
        No pictures, an empty or too small class, an unknown label or split, missing or unreadable files, or the same
        bytes in both classes.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    found = [(root, _read(root)) for root in paths]
    rows = [row for _, folder in found for row in folder.rows]
    named = ", ".join(str(root) for root in paths)
    if not rows:
        raise DatasetError(f"no pictures in {named}: expected real/ and ai/ with pictures, or a manifest.csv")
    for label in ("real", "ai"):
        if all(row.label != label for row in rows):
            beside = [str(root / name) for root, folder in found for name in folder.beside]
            hint = f"; {beside[0]} is neither real/ nor ai/: rename it, or use a manifest" if beside else ""
            raise DatasetError(f"no pictures labelled {label} in {named}: both classes are needed{hint}")
    for root, folder in found:
        if folder.line:
            report(f"{root}: {folder.line}")
    once: dict[Row, Row] = {}  # the same set given twice; a file listed in two splits stays, for the audit
    for row in rows:
        once.setdefault(replace(row, path=Path(os.path.realpath(row.path))), row)
    rows = list(once.values())
    _check_files(rows, keep_shared)
    rows, broken = grouped(rows, progress)
    if not keep_broken:
        _raise_broken(broken)
    samples = tuple(
        Sample(row.path, row.label, row.source, row.generator, row.group, split, row.drawn_up)
        for row, split in zip(rows, split_of(rows, seed, shares), strict=True)
    )
    _check_sizes(samples, need, shares, {row.label for row in rows if row.split is None})
    return samples


def states_splits(path: Path | Sequence[Path]) -> bool:
    """Whether a data set states the split of any of its pictures.

    Raises
    ------
    DatasetError
        It is no folder and no manifest that can be read.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    manifests = (root for root in paths if is_manifest(_manifest(root)))  # folders without one state none
    return any(row.split is not None for root in manifests for row in _read(root).rows)


def sources_of(path: Path) -> tuple[str, ...]:
    """Name the sources of a folder or manifest as `label/source`, sorted.

    Raises
    ------
    DatasetError
        It is neither, or a manifest that cannot be read.
    """
    return tuple(sorted({f"{row.label}/{row.source}" for row in _read(path).rows}))


def digest(samples: Iterable[Sample]) -> str:
    """Hash what is said of samples and what stands in their files, in their order: what their checkpoint rests on.

    Returns
    -------
    64 hexadecimal digits.
    """
    whole = hashlib.sha256()
    for sample in samples:
        content = sum_of(sample.path)
        whole.update(f"{sample.key}\n{sample.generator}\n{sample.split}\n{sample.group}\n{content}\n".encode())
    return whole.hexdigest()


def joined(one: Sequence[Sample], other: Sequence[Sample]) -> list[Sample]:
    """Join data sets that were read apart; groups that were drawn up within one of them stay its own."""
    return [
        replace(sample, group=f"{place}:{sample.group}") if _DRAWN_UP.fullmatch(sample.group) else sample
        for place, samples in enumerate((one, other))
        for sample in samples
    ]


def thin(samples: Sequence[Sample], count: int, *, seed: int = 0) -> tuple[Sample, ...]:
    """Choose at most `count` pictures, as evenly as can be over the classes, and in each class over its sources.

    Parameters
    ----------
    samples
        The data set.
    count
        Pictures to keep.
    seed
        Of the choice within a source.

    Returns
    -------
    The chosen samples, in their old order.
    """
    rng = np.random.default_rng(seed)
    sources: dict[tuple[str, bool, str], list[int]] = defaultdict(list)
    for index in rng.permutation(len(samples)):
        sources[samples[index].label, samples[index].drawn_up, samples[index].source].append(int(index))
    queues: dict[str, list[tuple[int, bool, str, int]]] = defaultdict(list)
    for (label, drawn_up, source), indices in sources.items():
        queues[label] += [(turn, drawn_up, source, index) for turn, index in enumerate(indices)]
    order = sorted((place, label, row[-1]) for label, rows in queues.items() for place, row in enumerate(sorted(rows)))
    return tuple(samples[index] for index in sorted(index for *_, index in order[:count]))


def learnable(samples: Iterable[Sample]) -> list[Sample]:
    """Those of the splits `train` and `val`; nothing is ever learned from `test`."""
    return [sample for sample in samples if sample.split != "test"]


def check_classes(samples: Sequence[Sample]) -> None:
    """Check that `train` and `val` hold both classes, without which nothing can be fitted or calibrated.

    Raises
    ------
    DatasetError
        One of them does not.
    """
    there = {(sample.split, sample.label) for sample in samples}
    for split in ("train", "val"):
        for label in ("real", "ai"):
            if (split, label) not in there:
                raise DatasetError(
                    f"the split {split} of what is left to learn from has no {label} picture: add {label} sources or "
                    "pictures, or give the set another split"
                )


def _read(root: Path) -> Folder:
    manifest = _manifest(root)
    if is_manifest(manifest):
        return Folder(read_manifest(manifest))
    return read_folder(root)


def _manifest(root: Path) -> Path:
    return root / "manifest.csv" if root.is_dir() else root


def _check_files(rows: Sequence[Row], keep_shared: bool) -> None:
    missing = [row.path for row in rows if not row.path.is_file()]
    if missing:
        hint = " (write / for \\ between its folders)" if "\\" in missing[0].name else ""
        raise DatasetError(f"{len(missing)} of {len(rows)} files are missing, the first is {missing[0]}{hint}")
    for indices in () if keep_shared else same_bytes([row.path for row in rows]):
        by_label = {rows[i].label: rows[i].path for i in indices}
        if len(by_label) == 2:
            raise DatasetError(
                f"the same picture stands in both classes: {by_label['ai']} (ai) and {by_label['real']} (real); "
                "aiforensics audit counts all such pictures"
            )


def _check_sizes(samples: Sequence[Sample], need: Sequence[Split], shares: Shares, drawn: Collection[Label]) -> None:
    counts = Counter((sample.label, sample.split) for sample in samples)
    for label in ("real", "ai"):
        for split in need:
            wanted = round(LEAST / min(shares[name] for name in need))
            advice = (
                f"(about {wanted} per class in all, in that many different groups)"
                if label in drawn
                else f"(give more of its rows the split {split}, or leave the column split empty to have it drawn)"
            )
            if counts[label, split] < LEAST:
                raise DatasetError(
                    f"class {label} has {counts[label, split]} pictures in the {split} split and needs {LEAST} {advice}"
                )


def _raise_broken(broken: Sequence[tuple[Path, str]]) -> None:
    if broken:
        named = "; ".join(f"{path} ({why})" for path, why in broken[:5])
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise DatasetError(f"{len(broken)} picture{'s' * (len(broken) > 1)} cannot be read: {named}{more}")
