"""What a window becomes before a network sees it, and its mirror image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
EXTENDED = 64
"""Side in pixels that the gate extends smaller windows to, by reflection."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a window becomes before it enters the network.

    Attributes
    ----------
    input
        `window`: as it is, at native resolution; `resize`: squeezed to `side` × `side` pixels; `ela`: its error level
        picture, squeezed likewise.
    side
        Side in pixels for `resize` and `ela`.
    """

    input: str
    side: int

    def __post_init__(self) -> None:
        """Refuse an input that this version does not know."""
        if self.input not in ("window", "resize", "ela"):
            raise ValueError(f"the network's input is {self.input!r}, which this version does not know")

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """(h, w, 3) uint8 → (1, 3, h', w') float32 in [0, 255]."""
        return np.ascontiguousarray(self.picture(pixels).transpose(2, 0, 1)[None], np.float32)

    def picture(self, pixels: Pixels) -> Pixels:
        """(h, w, 3) uint8 → (h', w', 3) uint8: what the network sees."""
        if self.input == "window":
            return pixels
        import cv2  # noqa: PLC0415 - only for classifiers of fixed size

        pixels = cut_back(pixels)
        if self.input == "ela":
            pixels = error_level(pixels)
        if pixels.shape[:2] != (self.side, self.side):
            shrinks = min(pixels.shape[:2]) >= self.side
            kernel = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            pixels = np.asarray(cv2.resize(pixels, (self.side, self.side), interpolation=kernel), np.uint8)
        return pixels

    def over_window(self, pixels: Pixels, activation: NDArray[np.float32]) -> NDArray[np.float32]:
        """(h', w') activation → extended by reflection as far as the window was, so that it lies over all of it."""
        if self.input == "window" or EXTENDED not in pixels.shape[:2]:
            return activation
        seen = cut_back(pixels)
        sides = zip(activation.shape, pixels.shape, seen.shape, strict=False)
        room = [(0, round(mine * (whole / part - 1))) for mine, whole, part in sides]
        return np.pad(activation, room, mode="symmetric")


def cut_back(pixels: Pixels) -> Pixels:
    """Take back the reflection that extends a window to 64 px: a small picture is not seen with its mirror image.

    Examples
    --------
    >>> small = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    >>> cut_back(np.pad(small, ((0, 32), (0, 24), (0, 0)), mode="symmetric")).shape
    (32, 40, 3)
    """
    for axis in (0, 1):
        if pixels.shape[axis] == EXTENDED:
            pixels = _cut_axis(pixels, axis)
    return pixels


def mirrored(pixels: Pixels) -> Pixels:
    """Mirror image of a window; one that the gate extended is mirrored as the picture was, and extended again.

    Examples
    --------
    >>> mirrored(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))[0, 0]
    array([3, 4, 5], dtype=uint8)
    """
    seen = cut_back(pixels)
    room = [(0, whole - part) for whole, part in zip(pixels.shape, seen.shape, strict=True)]
    return np.ascontiguousarray(np.pad(seen[:, ::-1], room, mode="symmetric"))


def error_level(pixels: Pixels) -> Pixels:
    """Error level analysis as a picture: the difference from a JPEG copy of quality 90, stretched to a largest of 255.

    Krawetz, "A picture's worth: digital image analysis and forensics", Black Hat 2007.
    """
    import cv2  # noqa: PLC0415 - only for ELA networks

    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    copy = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)[..., ::-1]
    error = np.abs(pixels - copy)
    return np.asarray(np.rint(error * (255.0 / max(1.0, float(error.max())))), np.uint8)


def _cut_axis(pixels: Pixels, axis: int) -> Pixels:
    for length in range(1, EXTENDED):
        first = pixels[:length] if axis == 0 else pixels[:, :length]
        room = [(0, 0), (0, 0), (0, 0)]
        room[axis] = (0, EXTENDED - length)
        if np.array_equal(np.pad(first, room, mode="symmetric"), pixels):
            return np.ascontiguousarray(first)
    return pixels
