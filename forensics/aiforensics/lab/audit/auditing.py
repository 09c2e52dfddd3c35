"""The audit of a data set before anyone trains on it: shortcuts, duplicates, balance, and what to do about each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from aiforensics.image import Picture
from aiforensics.lab.audit.filefacts import FileFacts, cue_tables, file_facts, separabilities
from aiforensics.lab.audit.lastjpeg import last_quality
from aiforensics.lab.audit.remarks import balance_remarks, blank_remarks, broken_remarks, cue_remarks, duplicate_remarks
from aiforensics.lab.audit.report import AuditReport, Duplicates, Remark, SourceRow
from aiforensics.lab.data.dataset import DatasetError, Sample
from aiforensics.lab.data.duplicates import Fingerprint, families, fingerprint, near_pairs
from aiforensics.lab.data.progress import Progress
from aiforensics.lab.data.reading import read_each
from aiforensics.lab.data.splits import SPLITS
from aiforensics.lab.data.views import Pixels, seeded
from aiforensics.lab.judge.metrics import Floats

__all__ = ["AuditReport", "Remark", "audit", "audit_prepared"]

EXAMPLES = 10
"""Duplicate families that a report names."""

AnyView = Callable[[Picture, np.random.Generator], Pixels]


def audit(samples: Sequence[Sample], *, seed: int = 0, progress: Progress | None = None) -> AuditReport:
    """Audit the files of a data set as they are.

    Parameters
    ----------
    samples
        The data set.
    seed
        Of the folds and the bootstrap.
    progress
        Told how far the reading is.

    Raises
    ------
    DatasetError
        A class has no readable picture.
    """
    found, broken = read_each([sample.path for sample in samples], _examined, progress)
    kept = [sample for sample, one in zip(samples, found, strict=True) if one is not None]
    facts = [one[0] for one in found if one is not None]
    prints = [one[1] for one in found if one is not None]
    labels = _labels(kept)
    groups = [sample.group for sample in kept]
    tables = cue_tables(facts, [sample.path for sample in kept])
    cues = separabilities(tables, labels, groups, seed=seed)
    duplicates = _duplicates(kept, prints)
    sources = _source_rows(samples)
    split_groups = _split_groups(samples)
    remarks = [
        *cue_remarks(cues, prepared=False),
        *duplicate_remarks(duplicates),
        *_split_group_remarks(split_groups),
        *balance_remarks(sources),
        *broken_remarks(len(broken)),
        *blank_remarks(kept, prints),
    ]
    return AuditReport(
        pictures=dict(Counter(sample.label for sample in samples)),
        cues=cues,
        sources=sources,
        duplicates=duplicates,
        split_groups=len(split_groups),
        formats=_by_class(kept, lambda i: facts[i].format),
        sizes=_sizes(kept, facts),
        broken=tuple((str(path), why) for path, why in broken),
        remarks=tuple(sorted(remarks, key=lambda remark: ("leak", "warning", "note").index(remark.level))),
    )


def audit_prepared(
    samples: Sequence[Sample], view: AnyView, *, seed: int = 0, progress: Progress | None = None
) -> AuditReport:
    """Audit what a network is trained on: the pixels after a view, where only size and last compression are left.

    Format, file name, bytes and metadata do not exist any more then; the quality is estimated from the pixels.

    Parameters
    ----------
    samples
        The data set.
    view
        What is made of a decoded file, with a generator that depends on the picture's key and the seed.
    seed
        Of the views, the folds and the bootstrap.
    progress
        Told how far the reading is.
    """

    def measure(place: int, picture: Picture) -> tuple[float, float, float]:
        seen = view(picture, seeded(samples[place].key, seed))
        return float(seen.shape[1]), float(seen.shape[0]), last_quality(seen)

    found, _ = read_each([sample.path for sample in samples], measure, progress)  # `audit` names what is broken
    kept = [sample for sample, row in zip(samples, found, strict=True) if row is not None]
    labels, groups = _labels(kept), [sample.group for sample in kept]
    table = np.array([row for row in found if row is not None])
    tables = {"size": table[:, :2], "quality": table[:, 2:], "all": table}
    cues = separabilities(tables, labels, groups, seed=seed)
    return AuditReport(
        pictures=dict(Counter(sample.label for sample in kept)),
        cues=cues,
        remarks=tuple(cue_remarks(cues, prepared=True)),
    )


def _examined(_place: int, picture: Picture) -> tuple[FileFacts, Fingerprint]:
    return file_facts(picture), fingerprint(picture.image, picture.sha256)


def _labels(samples: Sequence[Sample]) -> NDArray[np.int64]:
    labels = np.array([sample.label == "ai" for sample in samples], np.int64)
    if len(labels) == 0 or np.ptp(labels) == 0:
        raise DatasetError("both classes need readable pictures")
    return labels


def _duplicates(samples: Sequence[Sample], prints: Sequence[Fingerprint]) -> Duplicates:
    by_sha: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(prints):
        if not one.flat:
            by_sha[one.sha256].append(index)
    exact = [members for members in by_sha.values() if len(members) > 1]
    crossed = {prints[members[0]].sha256 for members in exact if len({samples[i].label for i in members}) > 1}
    by_family: dict[int, list[int]] = defaultdict(list)
    for index, first in enumerate(families(len(prints), near_pairs(prints))):
        if not prints[index].flat:
            by_family[first].append(index)
    near = [members for members in by_family.values() if len(members) > 1]
    splits = [members for members in near if len({samples[i].split for i in members}) > 1]
    classes = [members for members in near if len({samples[i].label for i in members}) > 1]
    worst = sorted({tuple(members) for members in [*splits, *classes]})[:EXAMPLES]
    return Duplicates(
        exact=len(exact),
        near=len(near),
        across_splits=len(splits),
        across_classes=len(classes),
        exact_across_classes=len(crossed),
        alike_across_classes=sum(crossed.isdisjoint(prints[i].sha256 for i in members) for members in classes),
        examples=tuple(tuple(dict.fromkeys(str(samples[i].path) for i in members)) for members in worst),
    )


def _split_groups(samples: Sequence[Sample]) -> list[str]:
    """Names of the groups that stand in several splits, which only given splits can do."""
    splits: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        splits[sample.group].add(sample.split)
    return sorted(group for group, found in splits.items() if len(found) > 1)


def _split_group_remarks(groups: Sequence[str]) -> Iterable[Remark]:
    if groups:
        count = f"{len(groups)} group{'s stand' if len(groups) > 1 else ' stands'} in several splits"
        named = ", ".join(groups[:3]) + (" …" if len(groups) > 3 else "")
        yield Remark("leak", f"{count}: {named}", "give all pictures of a group the same split, or leave it empty")


def _source_rows(samples: Sequence[Sample]) -> tuple[SourceRow, ...]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for sample in samples:
        counts[sample.source, sample.label][sample.split] += 1
    return tuple(
        SourceRow(source, label, count.total(), *(count[split] for split in SPLITS))
        for (source, label), count in sorted(counts.items(), key=lambda item: (item[0][1], -item[1].total()))
    )


def _by_class(samples: Sequence[Sample], value: Callable[[int], str]) -> dict[str, dict[str, int]]:
    result: dict[str, Counter[str]] = {"ai": Counter(), "real": Counter()}
    for index, sample in enumerate(samples):
        result[sample.label][value(index)] += 1
    return {label: dict(count.most_common()) for label, count in result.items()}


def _sizes(samples: Sequence[Sample], facts: Sequence[FileFacts]) -> dict[str, tuple[float, float, float]]:
    longer: Floats = np.array([max(f.width, f.height) for f in facts], np.float64)
    result = {}
    for label in ("ai", "real"):
        mine = longer[[sample.label == label for sample in samples]]
        low, middle, high = np.quantile(mine, (0.05, 0.5, 0.95))
        result[label] = (float(low), float(middle), float(high))
    return result
