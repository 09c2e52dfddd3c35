"""What a file should hold and does not: the end of a download that broke off, a JPEG that was cut and closed again.

Decoders fill such parts with whatever comes out of zeros. Zeros alone prove nothing, because even areas are coded in
them as well: each format is asked in its own way whether data that must be there are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from aiforensics.image.containers import isobmff, webp

LEAST, LEAST_SHARE = 64, 1 / 64
"""Bytes, and share of a picture's data, that have to be zeros: encoders and writers pad with fewer."""
LEAST_BLACK = 1 / 16
"""Share of a file without compression, or of a RAW file, that has to be zeros before they are spoken of."""
BLACK = "the file ends in zeros: black, padding, or a part that never arrived"
_GREYS = (127, 128)
"""What JPEG decoders make of a block without data, before and after CMYK is turned around."""
_BLOCK = 8
_MARGIN, _FEW = 32, 8
"""Bytes of which a decoder reads fewer ahead, and zeros of which data that are whole end in fewer."""
_FILL = b"\x55" * 8
"""What a decoder may look ahead at where a JPEG's data end; no marker, no zeros."""

Decodes = Callable[[bytes], bool]
"""Whether a decoder takes these bytes for a whole picture."""


class Gap(NamedTuple):
    """What is missing: its share of the picture's data, more than 0, and one plain line."""

    share: float
    note: str


def zeros(data: bytes) -> int:
    """Count the zeros that the data end in."""
    return len(data) - len(data.rstrip(b"\0"))


def of_items(data: bytes) -> Gap | None:
    """Find what is missing of an AVIF or HEIC: its coded picture never ends in a run of zeros.

    Notes
    -----
    No unit of HEVC holds three zeros in a row (ITU-T H.265, 7.4.2). One of AV1 may, but ends in a bit that is set and
    fewer zeros than `LEAST_SHARE`, as encoders write it.
    """
    stretches, end = isobmff.picture(data), len(data) - zeros(data)
    lost = sum(max(0, offset + length - max(offset, end)) for offset, length in stretches)
    return _unfinished(lost, sum(length for _, length in stretches))


def of_webp(data: bytes, decodes: Decodes) -> Gap | None:
    """Find what is missing of a WebP: a decoder takes less of it than all its zeros, and yet needs some of them."""
    chunk = next((chunk for chunk in webp.chunks(data) if chunk.kind in {b"VP8 ", b"VP8L"}), None)
    if chunk is None or chunk.end > len(data):
        return None
    content = data[chunk.body : chunk.end]
    gap = _unfinished(zeros(content), len(content))
    if gap is None:
        return None

    def shorter(by: int) -> bytes:
        kept = content[: len(content) - by]
        kept = chunk.kind + len(kept).to_bytes(4, "little") + kept + b"\0" * (len(kept) & 1)
        return b"RIFF" + (4 + len(kept)).to_bytes(4, "little") + b"WEBP" + kept

    return gap if decodes(shorter(_MARGIN)) and not decodes(shorter(zeros(content) - _FEW)) else None


def of_jpeg(data: bytes, image: Image.Image, start: int, end: int | None, decodes: Decodes) -> Gap | None:
    """Find what is missing of a JPEG in one scan: without what closes or fills it, it is cut short.

    Parameters
    ----------
    data
        The whole file.
    image
        What a decoder made of it.
    start, end
        Offsets of the scan, and of the marker of the picture's end where it has one.
    decodes
        Asked only where the picture ends in the grey of blocks without data, or the file in zeros.
    """
    if end is None:
        gap = _unfinished(zeros(data), len(data) - start)
        return gap if gap and not decodes(data.rstrip(b"\0") + _FILL) else None
    rows = _grey_rows(image)
    if not rows or decodes(data[:end].rstrip(b"\xff") + _FILL):
        return None
    share = rows / image.height
    return Gap(
        share, f"the JPEG ends before its picture does: about the last {max(share, 0.01):.0%} are missing, and grey"
    )


def of_scans(scans: Iterable[bytes], components: int, *, progressive: bool) -> Gap | None:
    """Find what is missing of a JPEG in several scans: coefficients whose last bit is in none of them.

    Parameters
    ----------
    scans
        The header of each scan (ITU-T T.81, B.2.3).
    components
        Of the picture.
    progressive
        Whether a scan holds some bits of some coefficients, and not the whole of its components.
    """
    known: dict[int, set[int]] = {}
    for head in scans:
        count = head[0] if head else 0
        if len(head) < 4 + 2 * count or (progressive and head[3 + 2 * count] & 15):  # bits are still to come
            continue
        first, last = head[1 + 2 * count : 3 + 2 * count] if progressive else (0, 63)
        for component in head[1 : 1 + 2 * count : 2]:
            known.setdefault(component, set()).update(range(first, min(last, 63) + 1))
    lacking = 64 * components - sum(map(len, known.values()))
    share = lacking / (64 * components)
    return Gap(share, "the JPEG lacks its last scans: the picture is coarser than it was") if lacking > 0 else None


def is_black(data: bytes, start: int, rows: int) -> bool:
    """Whether pixels without compression end in zeros that begin within a row, as bars do not.

    Parameters
    ----------
    data
        The whole file, which ends with the pixels.
    start
        Their offset.
    rows
        Rows of pixels; 1 where they are not known.
    """
    size = len(data) - start
    lost, step = zeros(data), size // rows
    return step > 0 and LEAST_BLACK * size <= lost < size and 2 * _BLOCK < (lost % step) < step - 2 * _BLOCK


def _unfinished(lost: int, size: int) -> Gap | None:
    if lost < LEAST or lost < LEAST_SHARE * size:
        return None
    share = lost / size
    return Gap(share, f"the last {share:.0%} of the picture's data are zeros, as in a download that broke off")


def _grey_rows(image: Image.Image) -> int:
    """Rows at the lower end that are the grey of blocks without data; a block's where only the last one is."""
    if not _is_grey(image, (max(0, image.width - _BLOCK), max(0, image.height - _BLOCK), *image.size)):
        return 0
    above = image.height
    while above and _is_grey(image, (0, max(0, above - _BLOCK), image.width, above)):
        above = max(0, above - _BLOCK)
    return max(image.height - above, min(_BLOCK, image.height))


def _is_grey(image: Image.Image, box: tuple[int, int, int, int]) -> bool:
    return bool(np.isin(np.array(image.crop(box).getextrema()), _GREYS).all())
