"""What lies inside a plain border: a page around a picture, the bars of a film still."""

from __future__ import annotations

from typing import Literal, get_args

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
FRAMES = 8
"""Frames that are looked for inside a border: a line around the picture, the page between the two."""


def inside_border(image: Image.Image) -> Box:
    """Find what is left of a picture without the border of one colour on each of its sides.

    Parameters
    ----------
    image
        8-bit RGB.

    Returns
    -------
    A box that starts on multiples of 16 pixels, for which up to 15 rows and columns are given up; the whole picture
    where it has no border, or where nothing is left inside. Inside the border, frames of one colour on all four sides
    are left out as well.
    """
    whole = (0, 0, *image.size)
    box = _within(image, whole)
    if box is None:
        return whole
    for _ in range(FRAMES):
        if not _is_framed(image, box) or not (inner := _within(image, box)):
            break
        box = inner
    left, top, right, bottom = box
    left, top = _on_grid(left), _on_grid(top)
    return (left, top, right, bottom) if left < right and top < bottom else whole


def _within(image: Image.Image, part: Box) -> Box | None:
    """What a part holds inside the border on each of its sides; nothing where it is all border."""
    left, top, right, bottom = part
    top, bottom = top + _depth(image, part, "top"), bottom - _depth(image, part, "bottom")
    if _on_grid(top) >= bottom:
        return None
    band = (left, _on_grid(top), right, bottom)
    left, right = left + _depth(image, band, "left"), right - _depth(image, band, "right")
    return (left, top, right, bottom) if left < right else None


def _on_grid(edge: int) -> int:
    return -(-edge // GRID) * GRID


def _is_framed(image: Image.Image, part: Box) -> bool:
    """Whether one colour surrounds a part: a plain sky or backdrop does not reach all four sides."""
    edges = [_lines(image, _strip(part, side, 0, 1)).reshape(-1, 3) for side in get_args(Side)]
    return bool((np.ptp(np.concatenate(edges).astype(np.int16), axis=0) <= 2 * LEVELS).all())


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
