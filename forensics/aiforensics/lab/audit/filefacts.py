"""Facts of a file that are no evidence of its origin, and whether they alone tell the classes apart.

Size, container, quality, metadata and file name are never features of the score. Here they are tested as shortcuts: a
small model that sees nothing else is fitted and cross-validated by group. What it can separate, a detector trained on
the raw files would learn (Grommelt et al., "Fake or JPEG?", arXiv:2403.17608).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiforensics.image import Picture
from aiforensics.lab.judge.metrics import Figure, Floats, Scores, figure, of_both
from aiforensics.lab.judge.paired import at_once
from aiforensics.provenance.dossier import Dossier

FOLDS = 5
_ROUNDS = 40
_MASKS = 20
"""File name patterns that get a column of their own."""
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")
_CHROMA = ("4:4:4", "4:2:2", "4:2:0", "grey")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file is, apart from what it shows.

    Attributes
    ----------
    width, height
        Pixels as stored.
    bytes
        Of the whole file.
    format
        The container, by its bytes.
    quality
        IJG quality of a JPEG, estimated from its tables; NaN for other formats.
    chroma
        Chroma subsampling of a JPEG, or empty.
    progressive
        Whether a JPEG is progressive.
    metadata
        Bytes of EXIF, XMP, ICC, IPTC and text.
    blocks
        Whether there is EXIF, XMP, an ICC profile, text, a Content Credentials manifest.
    """

    width: int
    height: int
    bytes: int
    format: str
    quality: float
    chroma: str
    progressive: bool
    metadata: int
    blocks: tuple[bool, bool, bool, bool, bool]


def file_facts(picture: Picture) -> FileFacts:
    """Read the facts of a decoded picture's file."""
    held = Dossier(picture).contents
    text = sum(len(t.keyword) + len(t.text) for t in held.texts)
    xmp = sum(map(len, held.xmp))
    return FileFacts(
        width=picture.width,
        height=picture.height,
        bytes=len(picture.data),
        format=picture.format,
        quality=float(picture.jpeg.quality) if picture.jpeg else np.nan,
        chroma=picture.jpeg.subsampling if picture.jpeg else "",
        progressive=bool(picture.jpeg and picture.jpeg.progressive),
        metadata=len(held.exif) + xmp + len(held.icc) + len(held.photoshop) + text,
        blocks=(bool(held.exif), bool(xmp), bool(held.icc), bool(text), held.manifest),
    )


def cue_tables(facts: Sequence[FileFacts], paths: Sequence[Path]) -> dict[str, Floats]:
    """Lay out what each cue lets a model see.

    Returns
    -------
    (n, columns) by cue: `size`, `format`, `quality`, `bytes`, `metadata`, `name`, and `all` of them side by side.
    """
    area = np.array([f.width * f.height for f in facts], np.float64)
    sides = np.array([(f.width, f.height) for f in facts], np.float64)
    weight = np.array([f.bytes for f in facts], np.float64)
    tables = {
        "size": np.column_stack([sides, sides.min(1), area, sides[:, 0] / sides[:, 1], sides % 64 == 0]),
        "format": np.array([[f.format == name for name in _FORMATS] for f in facts], np.float64),
        "quality": np.array(
            [[f.quality, f.progressive, *(f.chroma == name for name in _CHROMA)] for f in facts], np.float64
        ),
        "bytes": np.column_stack([weight, 8 * weight / area]),
        "metadata": np.array([[f.metadata, *f.blocks] for f in facts], np.float64),
        "name": _name_table([path.stem for path in paths]),
    }
    return tables | {"all": np.column_stack(list(tables.values()))}


def separability(table: Floats, labels: NDArray[np.int64], groups: Sequence[str], *, seed: int = 0) -> Figure:
    """ROC AUC of a small gradient-boosted model that sees a table alone, out of fold by group, with its interval.

    Parameters
    ----------
    table
        (n, columns); NaN where a fact does not exist.
    labels
        (n,) 1 for `ai`.
    groups
        (n,) pictures of one group stay in one fold.
    seed
        Of the folds.

    Returns
    -------
    The AUC; 0.5 when the facts say nothing. Without an interval where they are the same for all pictures, or where a
    class has fewer than five groups. NaN where nothing was tested: no picture has such a fact, or a fold leaves no
    picture of a class to learn from.

    Notes
    -----
    The classes weigh alike: with few pictures of one of them, no leaf would be heavy enough to tell them apart.
    """
    import xgboost  # noqa: PLC0415 - it takes a second, and only audits need it

    fold = _folds(labels, groups, seed)
    if not np.nan_to_num(table).any() or any(len(set(labels[fold != held])) < 2 for held in set(fold.tolist())):
        return Figure(np.nan, np.nan, np.nan)
    if not np.ptp(np.nan_to_num(table, nan=-1.0), axis=0).any():
        return Figure(0.5, np.nan, np.nan)
    p = np.full(len(labels), 0.5)
    settings = {
        "objective": "binary:logistic",
        "max_depth": 3,
        "eta": 0.2,
        "base_score": 0.5,
        "nthread": 1,
        "seed": seed,
    }
    for held in range(FOLDS):
        fit, out = fold != held, fold == held
        if out.any():
            even = 0.5 / np.where(labels[fit] == 1, labels[fit].mean(), 1 - labels[fit].mean())
            seen = xgboost.DMatrix(table[fit], labels[fit], weight=even, nthread=1)
            p[out] = xgboost.train(settings, seen, _ROUNDS).predict(xgboost.DMatrix(table[out], nthread=1))
    scores = Scores.of(labels, p, groups=groups)
    return of_both(figure(scores, "roc_auc", seed=seed), scores)


def separabilities(
    tables: Mapping[str, Floats], labels: NDArray[np.int64], groups: Sequence[str], *, seed: int = 0
) -> dict[str, Figure]:
    """`separability` of each table, with intervals that hold for all of them at once.

    Of several cues, each under its own 95 % interval, one would pass by chance far more often than in 5 % of the cases.
    """
    found = {name: separability(table, labels, groups, seed=seed) for name, table in tables.items()}
    wide = {name: at_once(one, len(tables)) for name, one in found.items()}
    return {name: Figure(one.value, *np.clip((one.low, one.high), 0.0, 1.0).tolist()) for name, one in wide.items()}


def name_mask(stem: str) -> str:
    """Reduce a file name to its pattern: runs of digits, hexadecimal and letters, each as one sign.

    Examples
    --------
    >>> name_mask("IMG_20240131"), name_mask("image-12"), name_mask("3f2a9c01bd77")
    ('A_9', 'a-9', 'x')
    """
    if re.fullmatch(r"[0-9a-f]{8,}", stem) and re.search(r"[a-f]", stem) and re.search(r"\d", stem):
        return "x"
    mask = re.sub(r"\d+", "9", stem)
    return re.sub(r"[^\W\d_a-z]+", "A", re.sub(r"[a-z]+", "a", mask))


def _name_table(stems: Sequence[str]) -> Floats:
    masks = [name_mask(stem) for stem in stems]
    common = [mask for mask, _ in Counter(masks).most_common(_MASKS)]
    rows = [
        [len(stem), sum(c.isdigit() for c in stem), sum(c.isupper() for c in stem), len(mask)]
        + [mask == name for name in common]
        for stem, mask in zip(stems, masks, strict=True)
    ]
    return np.array(rows, np.float64)


def _folds(labels: NDArray[np.int64], groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Deal whole groups to folds, those of either class evenly: uneven folds push the AUC of chance below 0.5."""
    names, first, place = np.unique(np.asarray(groups, np.str_), return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    dealt = shuffled[np.argsort(labels[first[shuffled]], kind="stable")]
    fold = np.empty(len(names), np.int64)
    fold[dealt] = np.arange(len(names)) % FOLDS
    return np.asarray(fold[place], np.int64)
