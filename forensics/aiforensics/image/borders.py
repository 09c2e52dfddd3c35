"""What lies inside a plain border: a page around a picture, the bars of a film still."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]
"""Left, upper, right and lower edge in pixels; the last two lie outside."""
Side = Literal["top", "bottom", "left", "right"]
GRID = 16
"""The largest JPEG block (4:2:0): what starts on a multiple of it has a grid phase of zero."""
STRIP = 16
"""Lines that are looked at together."""
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
    whole = (0, 0, width, height)
    top, bottom = _depth(image, whole, "top"), height - _depth(image, whole, "bottom")
    top = -(-top // GRID) * GRID
    if top >= bottom:
        return whole
    band = (0, top, width, bottom)
    left, right = _depth(image, band, "left"), width - _depth(image, band, "right")
    left = -(-left // GRID) * GRID
    return (left, top, right, bottom) if left < right else whole


def _depth(image: Image.Image, part: Box, side: Side) -> int:
    """How many lines of a part, from one side inwards, have the colour of the first one."""
    length = part[3] - part[1] if side in ("top", "bottom") else part[2] - part[0]
    colour = np.median(_lines(image, _strip(part, side, 0, 1)), axis=(0, 1))
    low, high = (np.clip(colour + sign * LEVELS, 0, 255).astype(np.uint8) for sign in (-1, 1))
    for at in range(0, length, STRIP):
        strip = _strip(part, side, at, min(at + STRIP, length))
        ends = np.array(image.crop(strip).getextrema())  # many times faster than an array of its pixels
        if (ends[:, 0] < low).any() or (ends[:, 1] > high).any():
            lines = _lines(image, strip)
            lines = lines if side in ("top", "bottom") else lines.swapaxes(0, 1)
            lines = lines if side in ("top", "left") else lines[::-1]
            return at + int(np.argmax(((lines < low) | (lines > high)).any(axis=(1, 2))))
    return length


def _strip(part: Box, side: Side, start: int, end: int) -> Box:
    """The lines `start` to `end` of a part, counted from one side inwards."""
    left, top, right, bottom = part
    return {
        "top": (left, top + start, right, top + end),
        "bottom": (left, bottom - end, right, bottom - start),
        "left": (left + start, top, left + end, bottom),
        "right": (right - end, top, right - start, bottom),
    }[side]


def _lines(image: Image.Image, box: Box) -> NDArray[np.uint8]:
    return np.asarray(image.crop(box), np.uint8)
