"""Which pictures belong together, and which split each group goes into."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from aiforensics.lab.data.duplicates import families, fingerprints, near_pairs
from aiforensics.lab.data.manifest import DatasetError, Row, Split
from aiforensics.lab.data.progress import Progress

SPLITS: tuple[Split, ...] = ("train", "val", "test")
Shares = Mapping[Split, float]
SHARES: Shares = {"train": 0.70, "val": 0.15, "test": 0.15}
"""Shares of the splits that are drawn here, by group."""
_VARIANT = re.compile(r"([ _-]+(copy|crop\d*|resized?|small|thumb|q\d{1,3}|\d{2,5}x\d{2,5})|@\dx)+$", re.IGNORECASE)
"""Endings that mark a variant of the same picture: `face_q75`, `face-copy`, `face_640x480`, `face@2x`."""
_CONTENT = re.compile(r"[0-9a-f]{12,}")
"""A name that is a sum of the content: it means the same picture in whatever folder."""


def parse_shares(text: str) -> Shares:
    """Read shares of train, val and test such as `70/15/15`; two numbers such as `80/20` cut off `test`, then `val`.

    Raises
    ------
    DatasetError
        If these are not two or three positive numbers that add up to 100.

    Examples
    --------
    >>> parse_shares("70/20/10")
    {'train': 0.7, 'val': 0.2, 'test': 0.1}
    >>> {split: round(share, 2) for split, share in parse_shares("80/20").items()}
    {'train': 0.64, 'val': 0.16, 'test': 0.2}
    """
    words = text.split("/")
    if not all(re.fullmatch(r"\d{1,2}", word) and int(word) for word in words) or sum(map(int, words)) != 100:
        raise DatasetError(f"shares {text!r}: give whole numbers that add up to 100, such as 70/15/15 or 80/20")
    parts = [int(word) / 100 for word in words]
    if len(parts) == 2:
        parts = [parts[0] * parts[0], parts[0] * parts[1], parts[1]]
    if len(parts) != 3:
        raise DatasetError(f"shares {text!r}: give two or three numbers, such as 80/20 or 70/15/15")
    return dict(zip(SPLITS, parts, strict=True))


def grouped(rows: Sequence[Row], progress: Progress | None) -> tuple[list[Row], list[tuple[Path, str]]]:
    """Give every row without a group one: its stem family, joined with whatever looks the same.

    What looks the same as a row with a group gets that one: the first, where it looks like several.

    Returns
    -------
    The rows in their order, and the files that cannot be read, each with its reason.
    """
    bare = [i for i, row in enumerate(rows) if not row.group]
    if not bare:
        return list(rows), []
    prints, broken = fingerprints([row.path for row in rows], progress)
    stems: dict[tuple[str, str, Path, str], list[int]] = defaultdict(list)
    for i in bare:
        row = rows[i]
        stem = _VARIANT.sub("", row.path.stem)
        folder = Path() if _CONTENT.fullmatch(stem) else row.path.parent
        stems[row.label, row.source, folder, stem].append(i)
    ties = [(members[0], other) for members in stems.values() for other in members[1:]]
    near = [(one, other) for one, other in near_pairs(prints) if not (rows[one].group and rows[other].group)]
    family_of = families(len(rows), [*ties, *near])
    groups: dict[int, str] = {}
    for row, family in zip(rows, family_of, strict=True):
        if row.group:
            groups.setdefault(family, row.group)
    for place, i in enumerate(bare):
        head = rows[i]
        drawn_up = f"{head.label}/{'' if head.drawn_up else head.source}/{_VARIANT.sub('', head.path.stem)}#{place}"
        groups.setdefault(family_of[i], drawn_up)
    found = [row if row.group else replace(row, group=groups[one]) for row, one in zip(rows, family_of, strict=True)]
    return found, broken


def split_of(rows: Sequence[Row], seed: int, shares: Shares) -> list[Split]:
    """Take the given split, else the group's first, else draw one so that source and class come out as asked for."""
    known: dict[str, Split] = {}
    for row in rows:
        if row.split is not None:
            known.setdefault(row.group, row.split)
    members: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.group not in known:
            members[row.group].append(row)
    strata: dict[tuple[str, bool, str], list[str]] = defaultdict(list)
    for group in sorted(members):
        first = members[group][0]
        strata[first.label, first.drawn_up, first.source].append(group)  # a folder's name moves no other source's turn
    rng = np.random.default_rng(seed)
    of_class: dict[str, Counter[Split]] = defaultdict(Counter)
    for (label, *_), groups in sorted(strata.items()):
        of_source: Counter[Split] = Counter()
        for place in rng.permutation(len(groups)):
            group = groups[place]
            missing = [_deficit(of_source, s, shares) + _deficit(of_class[label], s, shares) for s in SPLITS]
            split = SPLITS[int(np.argmax(missing))]
            known[group] = split
            of_source[split] += len(members[group])
            of_class[label][split] += len(members[group])
    return [row.split or known[row.group] for row in rows]


def _deficit(have: Counter[Split], split: Split, shares: Shares) -> float:
    return shares[split] * (have.total() + 1) - have[split]
