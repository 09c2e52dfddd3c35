"""What lies inside a plain border: a page around a picture, the bars of a film still."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]
"""Left, upper, right and lower edge in pixels; the last two lie outside."""
GRID = 16
"""The largest JPEG block (4:2:0): what starts on a multiple of it has a grid phase of zero."""
LEVELS = 6
"""Levels by which a border's channels may stray from its colour: what JPEG leaves of a plain area."""


def inside_border(image: Image.Image) -> Box:
    """Find what is left of a picture without the border of one colour on each of its sides.

    Parameters
    ----------
    image
        8-bit RGB.

    Returns
    -------
    A box that starts on multiples of 16 pixels, for which up to 15 rows and columns are given up; the whole picture
    where it has no border, or where nothing is left inside.
    """
    width, height = image.size
    top, bottom = _depth(_rows(image)), height - _depth(_rows(image, up=True))
    top = -(-top // GRID) * GRID
    if top >= bottom:
        return 0, 0, width, height
    left, right = _depth(_columns(image, top, bottom)), width - _depth(_columns(image, top, bottom, back=True))
    left = -(-left // GRID) * GRID
    return (left, top, right, bottom) if left < right else (0, 0, width, height)


def _rows(image: Image.Image, *, up: bool = False) -> Iterator[NDArray[np.int16]]:
    """(≤ 16, width, 3) strips from the upper edge inwards, or from the lower one."""
    for at in range(0, image.height, GRID):
        end = min(at + GRID, image.height)
        box = (0, image.height - end, image.width, image.height - at) if up else (0, at, image.width, end)
        strip = np.asarray(image.crop(box), np.int16)
        yield strip[::-1] if up else strip


def _columns(image: Image.Image, top: int, bottom: int, *, back: bool = False) -> Iterator[NDArray[np.int16]]:
    """(≤ 16, height, 3) strips from the left edge inwards, or from the right one."""
    for at in range(0, image.width, GRID):
        end = min(at + GRID, image.width)
        box = (image.width - end, top, image.width - at, bottom) if back else (at, top, end, bottom)
        strip = np.asarray(image.crop(box), np.int16).swapaxes(0, 1)
        yield strip[::-1] if back else strip


def _depth(strips: Iterable[NDArray[np.int16]]) -> int:
    """How many lines in a row have the colour of the first one."""
    deep = 0
    colour: NDArray[np.float64] | None = None
    for strip in strips:
        colour = np.median(strip[0], axis=0) if colour is None else colour
        other = np.flatnonzero((np.abs(strip - colour) > LEVELS).any(axis=(1, 2)))
        if other.size:
            return deep + int(other[0])
        deep += len(strip)
    return deep
