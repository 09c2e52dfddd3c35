"""The thumbnail that a camera embeds, compared with the picture.

A program that changes the pixels and keeps the old thumbnail leaves the picture as it was before.
Source: Kee and Farid, "Digital image authentication from thumbnails", SPIE Media Forensics and Security II (2010).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiforensics.evidence import InputError
from aiforensics.image import Limits, decode
from aiforensics.provenance.dossier import Dossier

_LIMITS = Limits(max_bytes=1 << 20, max_pixels=1 << 20, max_side=1024, max_metadata=1 << 20, max_scans=20)
_MIN_SIDE = 16
_GRID = 24
_SAMPLES = 8
_FLAT = 8.0


def similarity(dossier: Dossier) -> float | None:
    """Correlation in [−1, 1] of the thumbnail with the picture, the best of the four turns; None where there is none.

    Both are averaged over a 24 × 24 grid, so that coding and size do not matter. Bars at the borders of the thumbnail,
    which cameras add to fit a fixed shape, are cut off. A flat picture has no correlation, and none is given.
    """
    thumbnail = _thumbnail(dossier)
    if thumbnail is None:
        return None
    stored = _grid(dossier.picture.stored)
    small = _grid(_without_bars(thumbnail, dossier.picture.stored.size))
    if min(stored.std(), small.std()) < _FLAT:
        return None
    turns = (np.corrcoef(stored.ravel(), np.rot90(small, k).ravel())[0, 1] for k in range(4))
    return float(max(turns))


def _thumbnail(dossier: Dossier) -> Image.Image | None:
    """Return the JPEG thumbnail of IFD1, through the same gate as any picture, with smaller limits."""
    tags = dossier.exif.second
    place, length = tags.get(0x0201), tags.get(0x0202)
    if not (isinstance(place, tuple) and isinstance(length, tuple) and place and length):
        return None
    start, size = int(place[0]), int(length[0])
    block = dossier.contents.exif[start : start + min(size, _LIMITS.max_bytes)]
    if block[:2] != b"\xff\xd8":
        return None
    try:
        image = decode(block, limits=_LIMITS).stored
    except InputError:
        return None
    return image.convert("L") if min(image.size) >= _MIN_SIDE else None


def _without_bars(thumbnail: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the part of the thumbnail that has the shape of the picture, where dark bars surround it."""
    width, height = thumbnail.size
    shape = max(size) / min(size)
    if width >= height:
        inner = round(width / shape)
        bar = (height - inner) // 2
        box = (0, bar, width, height - bar)
    else:
        inner = round(height / shape)
        bar = (width - inner) // 2
        box = (bar, 0, width - bar, height)
    if bar < 2:
        return thumbnail
    pixels = np.asarray(thumbnail, np.float32)
    edge = pixels[: bar - 1] if width >= height else pixels[:, : bar - 1]
    return thumbnail.crop(box) if edge.mean() < 24 else thumbnail


def _grid(image: Image.Image) -> NDArray[np.float32]:
    """Return (24, 24) mean luma in [0, 255] from a bounded number of samples, whatever the megapixels."""
    side = _GRID * _SAMPLES
    sampled = image.resize((side, side), Image.Resampling.NEAREST).convert("L")
    return np.asarray(sampled.reduce(_SAMPLES), np.float32)
