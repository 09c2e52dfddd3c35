"""Facts of a JPEG's coding, and the walk over its header that checks what it claims before a decoder runs.

Markers follow ITU-T T.81, annex B. The quality is that of the Independent JPEG Group's scale (libjpeg, `jcparam.c`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiforensics.image import ifdfacts
from aiforensics.image.containers import jpeg
from aiforensics.image.limits import Limits, check_metadata, check_parts, check_stray
from aiforensics.image.picture import JpegFacts

STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
"""Table K.1 of ITU-T T.81, for luminance, in natural (row-major) order: what libjpeg writes at quality 50."""
STANDARD_CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
)  # fmt: skip
"""Table K.2 of ITU-T T.81, for chrominance, in natural order."""

_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
SEQUENTIAL = {0xC0, 0xC1}
"""Markers of a frame whose blocks stand whole, one after the other, in codes of Huffman."""
ARITHMETIC = {0xC9, 0xCA}
"""Markers of a frame in arithmetic codes."""
TRANSFORMED = {*SEQUENTIAL, *ARITHMETIC, 0xC2}
"""Markers of a frame whose scans hold coefficients."""
_MPF_COUNT = 0xB001


@dataclass(slots=True)
class Header:
    """What stands before the first scan.

    Attributes
    ----------
    end
        Where the walk ended: the first scan, or the end of what could be read.
    frame
        Second byte of the frame's marker; 0 without one.
    sampling
        (horizontal, vertical) sampling factors of each component.
    quantizers
        Number of the quantisation table of each component.
    size
        (width, height) in pixels that the frame claims.
    metadata
        Bytes in application segments and comments.
    exif_load
        Bytes that a reader of the Exif would load; more than the Exif has when entries overlap.
    pictures
        Pictures that the MPF index announces; 0 without one.
    """

    end: int = 0
    frame: int = 0
    progressive: bool = False
    sampling: tuple[tuple[int, int], ...] = ()
    quantizers: tuple[int, ...] = ()
    size: tuple[int, int] | None = None
    metadata: int = 0
    exif_load: int = 0
    pictures: int = 0
    gain_map: bool = False
    exif: bytes = field(default=b"", repr=False)


class Scans(NamedTuple):
    """The scans of a JPEG.

    Attributes
    ----------
    heads
        Content of the segment that opens each.
    end
        Where the marker of the picture's end stands; None without one.
    """

    heads: tuple[bytes, ...]
    end: int | None


def read_header(data: bytes, limits: Limits = Limits()) -> Header:  # noqa: B008 - frozen
    """Walk the markers of a JPEG up to its first scan.

    Raises
    ------
    InputError
        `too-large` or `unreadable`, as soon as the walk has met more than the limits allow.
    """
    header = Header(end=2)
    exif: list[bytes] = []
    stray = 0
    for count, segment in enumerate(jpeg.segments(data), 1):
        stray += segment.start - segment.after
        check_stray(stray, limits)
        if segment.marker == jpeg.SCAN:
            header.end = segment.start
            break
        check_parts(count, limits.max_segments)
        _take(header, exif, segment.marker, data[segment.body : segment.end])
        check_metadata(header.metadata, limits)
        header.end = segment.end
    else:
        check_stray(stray + max(0, len(data) - header.end), limits)
    header.exif = b"".join(exif)
    header.exif_load = ifdfacts.first(header.exif).load
    return header


def read_scans(data: bytes, header: Header, most: int, limits: Limits = Limits()) -> Scans:  # noqa: B008 - frozen
    """Walk the scans of a JPEG up to its end marker; the walk stops at one scan over `most`.

    Raises
    ------
    InputError
        `too-large` for more segments among the scans than the limits allow.
    """
    heads: list[bytes] = []
    at = header.end
    for count, segment in enumerate(jpeg.segments(data, header.end), 1):
        check_parts(count, limits.max_segments)
        at = segment.end
        if segment.marker == jpeg.SCAN:
            heads.append(data[segment.body : segment.end])
        if len(heads) > most:
            break
    return Scans(tuple(heads), jpeg.picture_end(data, at))


def facts(header: Header, tables: dict[int, list[int]]) -> JpegFacts:
    """Facts of the coding from the header and from Pillow's `quantization`, which is in natural order."""
    numbers = dict.fromkeys((*(number for number in header.quantizers if number in tables), *sorted(tables)))
    ordered = tuple(tuple(int(v) for v in tables[number]) for number in numbers)
    quality = ijg_quality(ordered[0]) if ordered else 1
    return JpegFacts(ordered, quality, subsampling(header.sampling), header.progressive)


def ijg_quality(luminance: tuple[int, ...]) -> int:
    """Return the quality, 1 to 100, whose IJG luminance table is nearest in the sum of absolute differences.

    Parameters
    ----------
    luminance
        64 values in natural order.

    Examples
    --------
    >>> ijg_quality(STANDARD_LUMINANCE)
    50
    """
    distances = np.abs(_scaled_tables() - np.asarray(luminance, np.int64)).sum(axis=1)
    return 1 + int(len(distances) - 1 - np.argmin(distances[::-1]))


def scaled(base: ArrayLike, quality: ArrayLike) -> NDArray[np.int64]:
    """Scale a quantisation table to a quality of the Independent JPEG Group.

    Parameters
    ----------
    base
        (n,) steps at quality 50, such as `STANDARD_LUMINANCE` (ITU-T T.81, annex K) or some of its values.
    quality
        1 to 100: one, or an array of them.

    Returns
    -------
    NDArray
        (n,) for one quality, (*quality.shape, n) for an array: steps of 1 to 255.

    Raises
    ------
    ValueError
        For a quality out of range.

    Notes
    -----
    `jpeg_quality_scaling` and `jpeg_add_quant_table` with `force_baseline` of libjpeg (`jcparam.c`).

    Examples
    --------
    >>> scaled(STANDARD_LUMINANCE[:4], 90).tolist()
    [3, 2, 2, 3]
    """
    quality = np.asarray(quality, np.int64)[..., None]
    if quality.min() < 1 or quality.max() > 100:
        raise ValueError("a quality is 1 to 100")
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((np.asarray(base, np.int64) * percent + 50) // 100, 1, 255)


def subsampling(sampling: tuple[tuple[int, int], ...]) -> str:
    """Chroma subsampling in the usual J:a:b notation, `grey` for one component.

    Examples
    --------
    >>> subsampling(((2, 2), (1, 1), (1, 1)))
    '4:2:0'
    """
    if len(sampling) < 3:
        return "grey"
    names = {(1, 1): "4:4:4", (2, 1): "4:2:2", (1, 2): "4:4:0", (2, 2): "4:2:0", (4, 1): "4:1:1", (4, 2): "4:1:0"}
    (h, v), (ch, cv) = sampling[0], sampling[1]
    if not ch or not cv or h % ch or v % cv:
        return f"{h}x{v}, {ch}x{cv}"
    return names.get((h // ch, v // cv), f"{h}x{v}, {ch}x{cv}")


@lru_cache(maxsize=1)
def _scaled_tables() -> NDArray[np.int64]:
    """(100, 64): the standard luminance table at every quality."""
    return scaled(STANDARD_LUMINANCE, np.arange(1, 101))


def _take(header: Header, exif: list[bytes], marker: int, body: bytes) -> None:
    if marker in _FRAMES and len(body) >= 6:
        height, width = struct.unpack_from(">HH", body, 1)
        header.size = (width, height)
        header.frame, header.progressive = marker, marker in _PROGRESSIVE
        header.sampling = tuple((f >> 4, f & 15) for f in body[7::3][: body[5]])
        header.quantizers = tuple(body[8::3][: body[5]])
    elif 0xE0 <= marker <= 0xEF or marker == jpeg.COMMENT:
        header.metadata += len(body)
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif.append(body[6:])
        elif marker == 0xE2 and body.startswith(b"MPF\0") and not header.pictures:
            header.pictures = max(1, ifdfacts.first(body[4:]).shorts.get(_MPF_COUNT, 1))
        header.gain_map = header.gain_map or b"hdrgm:Version" in body or b"urn:iso:std:iso:ts:21496" in body
