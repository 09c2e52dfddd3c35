"""What the gate hands out: a decoded picture, the windows of it that are examined, and facts of its JPEG coding."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiforensics.image.borders import GRID, Box, inside_border
from aiforensics.image.orientation import upright

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = 256
"""Side of an examined window in pixels."""
MAX_WINDOWS = 4
"""Examined windows at most, so that cost does not grow with megapixels: a picture of up to four is examined whole."""
LARGE_WINDOWS = 3
"""Windows of a larger picture, the most detailed ones: what a scan of 12 megapixels has time for."""
MIN_SIDE = 64
"""A window with a shorter side is extended by reflection, so that every measurement is defined."""
FLAT = 3.0
"""Standard deviation of the luma, in grey levels, below which a window shows no texture to examine."""
_SPECK = 8
"""Longer side in pixels below which what lies inside a border is a speck on an empty picture, and no picture."""


@dataclass(frozen=True)
class Window:
    """A part of a picture, at grid-aligned offset (x, y) of the picture as stored.

    Attributes
    ----------
    pixels
        (h, w, 3) uint8, RGB in sRGB, read-only, 64 ≤ h, w ≤ 256; at native resolution, unless the picture is examined
        as enlarged.
    x, y
        Offset of the upper left corner in the stored picture, multiples of 16.
    size
        Pixels of the stored picture that it shows, across and down; None for as many as it has.
    """

    pixels: NDArray[np.uint8]
    x: int = 0
    y: int = 0
    size: tuple[int, int] | None = None

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Offset and size in the stored picture: x, y, pixels across, pixels down."""
        across, down = self.size or (self.pixels.shape[1], self.pixels.shape[0])
        return self.x, self.y, across, down

    @cached_property
    def luma(self) -> NDArray[np.float32]:
        """(h, w) float32 in [0, 255]: Y' of ITU-R BT.601, as JPEG uses it."""
        luma: NDArray[np.float32] = self.pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        luma.flags.writeable = False
        return luma


@dataclass(frozen=True, slots=True)
class JpegFacts:
    """Facts of a JPEG's coding; evidence quality and provenance use them, the score never does.

    Attributes
    ----------
    tables
        Quantisation tables, each 64 values in natural (row-major) order: first those that the components use, in the
        order of the components, then the others.
    quality
        Quality of the IJG scale (1 to 100) whose luminance table is nearest to the first component's.
    subsampling
        Chroma subsampling such as `4:2:0`, or `grey`.
    progressive
        Whether the scans are progressive.
    """

    tables: tuple[tuple[int, ...], ...]
    quality: int
    subsampling: str
    progressive: bool


@dataclass(frozen=True)
class Picture:
    """A decoded picture with the bytes that it came from.

    Attributes
    ----------
    path
        The input as the user named it.
    data
        The raw bytes; empty for a picture made from an array.
    sha256
        Of `data`, in hexadecimal; of a picture made from an array, that of its pixels.
    format
        `JPEG`, `PNG`, `WEBP`, `TIFF`, `BMP`, `GIF`, `AVIF`, `HEIF`, `RAW` or `ARRAY`.
    stored
        8-bit RGB in the file's own colour space, not rotated; downstream uses `image`, `windows` and `upright`.
    orientation
        The EXIF orientation, 1 to 8.
    frames
        Number of frames; the first is examined, of a HEIF the one that it names as its main one.
    jpeg
        Facts of the JPEG coding, or None.
    notes
        What decoding did to the picture (16 bits reduced, alpha composed …), one plain line each.
    transform
        From `stored` to sRGB, pixel by pixel; None where it is sRGB already.
    alpha
        The alpha channel as decoded (mode `L`), where it is not wholly opaque.
    enlarged
        How many times larger the picture is than the detail that it holds: windows show that much more of it, reduced
        by as much, because the traces of its making were spread with it, or lie hidden at its full size under blur or
        noise. 1 for a picture as good as its size.
    missing
        Share of the picture's data that the file lacks, as far as the file itself shows it.
    """

    path: str
    data: bytes = field(repr=False)
    sha256: str
    format: str
    stored: Image.Image = field(repr=False)
    orientation: int = 1
    frames: int = 1
    jpeg: JpegFacts | None = None
    notes: tuple[str, ...] = ()
    transform: Callable[[Image.Image], Image.Image] | None = field(default=None, repr=False)
    alpha: Image.Image | None = field(default=None, repr=False)
    enlarged: float = 1.0
    missing: float = 0.0

    @property
    def width(self) -> int:
        """Pixels across, as stored."""
        return self.stored.width

    @property
    def height(self) -> int:
        """Pixels down, as stored."""
        return self.stored.height

    @cached_property
    def image(self) -> Image.Image:
        """8-bit RGB in sRGB, as stored: EXIF orientation is not applied, because rotation moves the JPEG grid.

        Windows are cut before the colours are transformed, because that costs more than decoding on a large picture;
        the values are the same.
        """
        return self._in_srgb(self.stored)

    @cached_property
    def content(self) -> Box:
        """The part that is examined: what a plain border leaves of a picture larger than a window, unless a speck."""
        whole = (0, 0, self.width, self.height)
        if max(self.width, self.height) <= WINDOW:
            return whole
        left, top, right, bottom = inside_border(self.stored)
        return whole if max(right - left, bottom - top) < _SPECK else (left, top, right, bottom)

    @property
    def framed(self) -> bool:
        """Whether a plain border is left out."""
        return self.content != (0, 0, self.width, self.height)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """At most `MAX_WINDOWS` windows of the content, the most detailed first; deterministic.

        Those without any texture are left out where others have some: an empty page says nothing of a picture on it.
        """
        boxes = _candidate_boxes(self.content, round(WINDOW * self.enlarged))
        if len(boxes) > MAX_WINDOWS:
            boxes = sorted(boxes, key=self._detail, reverse=True)[:LARGE_WINDOWS]
        found = tuple(self._window(box) for box in boxes)
        return tuple(window for window in found if float(window.luma.std()) >= FLAT) or found

    def upright(self, max_side: int) -> Image.Image:
        """Return a copy for the eye: EXIF orientation applied, longest side at most `max_side` pixels."""
        scale = min(1.0, max_side / max(self.width, self.height))
        size = (max(1, round(self.width * scale)), max(1, round(self.height * scale)))
        # The gap reduces by whole factors first: many times faster, and no eye sees the difference.
        small = self._in_srgb(self.stored.resize(size, Image.Resampling.LANCZOS, reducing_gap=1.5))
        return upright(small, self.orientation)

    def _window(self, box: Box) -> Window:
        part, shown = self.stored.crop(box), (box[2] - box[0], box[3] - box[1])
        if self.enlarged > 1.0:
            part = part.resize(
                (max(1, round(shown[0] / self.enlarged)), max(1, round(shown[1] / self.enlarged))), Image.Resampling.BOX
            )
        return Window(_pixels(self._in_srgb(part)), x=box[0], y=box[1], size=shown)

    def _in_srgb(self, part: Image.Image) -> Image.Image:
        return part if self.transform is None else self.transform(part)

    def _detail(self, box: Box) -> float:
        """Return the mean difference of diagonal neighbours, less where pixels are clipped to black or white."""
        luma = np.asarray(self.stored.crop(box).convert("L"), np.int16)
        clipped = float(np.mean((luma < 4) | (luma > 251)))
        return float(np.abs(luma[1:, 1:] - luma[:-1, :-1]).mean()) * (1.0 - clipped)


def _candidate_boxes(content: Box, side: int = WINDOW) -> list[Box]:
    """Grid-aligned boxes of at most `side` pixels, at most 3 × 3, spread from edge to edge of a grid-aligned part.

    From one and a half windows on, an axis takes one more box than fits beside each other: the boxes overlap by at most
    half, and almost no pixel is left out of a small picture. In a large one they are far apart.
    """

    def starts(length: int) -> list[int]:
        if length <= side:
            return [0]
        count = min(3, (length + side // 2) // side)
        if count == 1:
            return [(length - side) // 2 // GRID * GRID]
        return [round(i * (length - side) / (count - 1)) // GRID * GRID for i in range(count)]

    left, top, right, bottom = content
    across, down = starts(right - left), starts(bottom - top)
    corners = ((left + x, top + y) for y in down for x in across)
    return [(x, y, min(x + side, right), min(y + side, bottom)) for x, y in corners]


def _pixels(part: Image.Image) -> NDArray[np.uint8]:
    pixels = np.asarray(part, np.uint8)
    short = [max(0, MIN_SIDE - side) for side in pixels.shape[:2]]
    if any(short):
        pixels = np.pad(pixels, ((0, short[0]), (0, short[1]), (0, 0)), mode="symmetric")
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False
    return pixels
