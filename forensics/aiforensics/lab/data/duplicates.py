"""Duplicates: exact ones by sha256, near ones by two perceptual hashes.

Two pictures are near duplicates when their 64-bit difference hashes differ in at most 4 bits and their 64-bit DCT
hashes in at most 8. The second hash keeps plain pictures (sky, portraits on grey) from being taken for each other. Both
hashes survive resizing and re-encoding, but not cropping (Zauner, "Implementation and benchmarking of perceptual image
hash functions", 2010).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiforensics.lab.data.progress import Progress
from aiforensics.lab.data.reading import read_each
from aiforensics.lab.data.sums import sum_of

MAX_DHASH = 4
"""Bits in which the difference hashes of near duplicates may differ."""
MAX_PHASH = 8
"""Bits in which the DCT hashes of near duplicates may differ."""
_FLAT = 2.0
"""Grey levels of standard deviation below which a picture has no perceptual hash worth comparing."""
_BANDS = ((0, 13), (13, 13), (26, 13), (39, 13), (52, 12))
"""Five bands of bits: two hashes that differ in at most four bits agree in one band."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a picture is recognised by.

    Attributes
    ----------
    sha256
        Of the bytes, in hexadecimal.
    dhash, phash
        64-bit perceptual hashes.
    flat
        True for a picture without structure, whose perceptual hashes mean nothing.
    """

    sha256: str
    dhash: int
    phash: int
    flat: bool


def fingerprint(image: Image.Image, sha256: str) -> Fingerprint:
    """Take the fingerprint of a decoded picture."""
    grey = image.convert("L")
    small = np.asarray(grey.resize((32, 32), Image.Resampling.BOX), np.float32)
    steps = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), np.int16)
    low = np.asarray(cv2.dct(small))[:8, :8].ravel()
    return Fingerprint(
        sha256=sha256,
        dhash=_packed((steps[:, 1:] > steps[:, :-1]).ravel()),
        phash=_packed(low > np.median(low[1:])),
        flat=bool(small.std() < _FLAT),
    )


def fingerprints(
    paths: Sequence[Path], progress: Progress | None = None
) -> tuple[list[Fingerprint | None], list[tuple[Path, str]]]:
    """Fingerprints of files, as of `read_each`."""
    return read_each(paths, lambda _place, picture: fingerprint(picture.image, picture.sha256), progress)


def near_pairs(prints: Sequence[Fingerprint | None]) -> list[tuple[int, int]]:
    """Index pairs (i < j) of near or exact duplicates.

    Examples
    --------
    >>> one, two = Fingerprint("a", 0b1011, 0, False), Fingerprint("b", 0b1000, 0, False)
    >>> near_pairs([one, two, Fingerprint("c", 2**60 - 1, 0, False)])
    [(0, 1)]
    """
    usable = np.array([i for i, p in enumerate(prints) if p is not None and not p.flat], np.int64)
    dhash = np.array([p.dhash for p in prints if p is not None and not p.flat], np.uint64)
    phash = np.array([p.phash for p in prints if p is not None and not p.flat], np.uint64)
    pairs: set[tuple[int, int]] = set()
    for shift, bits in _BANDS:
        keys = (dhash >> np.uint64(shift)) & np.uint64((1 << bits) - 1)
        order = np.argsort(keys, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
            pairs.update(_close(bucket, dhash, phash, usable))
    by_bytes: dict[str, int] = {}
    for index, found in enumerate(prints):
        if found is not None and found.sha256:
            first = by_bytes.setdefault(found.sha256, index)
            if first != index:
                pairs.add((first, index))
    return sorted(pairs)


def families(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Find connected components: for each of `count` items, the smallest index of its component.

    Examples
    --------
    >>> families(5, [(0, 3), (3, 4)])
    [0, 1, 2, 0, 0]
    """
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(item) for item in range(count)]


def same_bytes(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """Index groups of files with equal bytes; only files of equal size are read."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for index, path in enumerate(paths):
        by_size[path.stat().st_size].append(index)
    by_sha: dict[str, list[int]] = defaultdict(list)
    for indices in by_size.values():
        if len(indices) > 1:
            for index in indices:
                by_sha[sum_of(paths[index])].append(index)
    return [tuple(indices) for indices in by_sha.values() if len(indices) > 1]


def _packed(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _close(
    bucket: NDArray[np.int64], dhash: NDArray[np.uint64], phash: NDArray[np.uint64], index: NDArray[np.int64]
) -> Iterable[tuple[int, int]]:
    for place in range(len(bucket) - 1):
        one, others = bucket[place], bucket[place + 1 :]
        near = np.bitwise_count(dhash[others] ^ dhash[one]) <= MAX_DHASH
        near &= np.bitwise_count(phash[others] ^ phash[one]) <= MAX_PHASH
        for other in others[near]:
            low, high = sorted((int(index[one]), int(index[other])))
            yield low, high
