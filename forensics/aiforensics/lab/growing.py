"""The data set that a bundle goes on with: old pictures keep the splits that its own training drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import DatasetError, Sample, load_dataset, sources_of
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.splits import SHARES, SPLITS, parse_shares
from aiforensics_models.bundle import Bundle
from aiforensics_models.lineage import ever


def load_grown(
    paths: Sequence[Path], start: Bundle, *, seed: int, split: str, report: Report = lambda _line: None
) -> tuple[tuple[Sample, ...], int, str]:
    """Read what a bundle was trained on together with new sources.

    A draw deals each source by the turns of those before it, so that new sources would move the old ones: the data sets
    with sources that the bundle knows are drawn by themselves, as its training did. Where that does not give the
    splits of its training (the old data sets have changed), every picture that it learned from stays in `train`:
    nobody can tell any more which of them it was only judged on while it learned.

    Parameters
    ----------
    paths
        Folders and manifests.
    start
        The bundle.
    seed, split
        Of its splits, where it does not state them.
    report
        Takes a line of progress.

    Returns
    -------
    The samples, and seed and shares that they were drawn with.

    Raises
    ------
    DatasetError
        As of `load_dataset`; other shares than the bundle's are asked for; or no test picture of a class is left that
        the bundle has not learned from.
    """
    stated = start.manifest.get("training", {}).get("split")
    if stated:
        own = str(stated["shares"])
        if parse_shares(split) not in (SHARES, parse_shares(own)):
            raise DatasetError(f"{start.name} was trained on splits of {own}, which stay: leave --split out")
        seed, split = int(stated["seed"]), own
    shares = parse_shares(split)
    samples = load_dataset(paths, seed=seed, shares=shares, report=report)
    named = ever(start.manifest.get("training", {})).get("sources", {})
    known = {f"{label}/{name}" for label, names in named.items() for name in names}
    old = [path for path in paths if known.intersection(sources_of(path))]
    if old and len(old) < len(paths):
        before = {one.path: one.split for one in load_dataset(old, seed=seed, shares=shares, need=())}
        met = [(one.group, before[one.path]) for one in samples if one.path in before]
        kept = {group: split for last in reversed(SPLITS) for group, split in met if split == last}  # `train` wins
        samples = tuple(replace(one, split=kept.get(one.group, one.split)) for one in samples)
    return _never_tested(samples, start, report), seed, split


def _never_tested(samples: Sequence[Sample], start: Bundle, report: Report) -> tuple[Sample, ...]:
    """Keep what a bundle learned from, and the groups of that, in `train` where a draw would test it on any of it."""
    sums = overlap.seen(start) or frozenset()
    seen = {one.group for one in samples if overlap.short_sum(one.path) in sums}
    met = sum(one.split == "test" and one.group in seen for one in samples)
    if not met:
        return tuple(samples)
    report(f"{met} test pictures are known to {start.name}: whatever it learned from stays in train")
    samples = tuple(replace(one, split="train") if one.group in seen else one for one in samples)
    for label in ("real", "ai"):
        if all((one.label, one.split) != (label, "test") for one in samples):
            raise DatasetError(f"no {label} test picture is left that {start.name} has not learned from: add some")
    return samples
