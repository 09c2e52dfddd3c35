"""Marker segments of a JPEG (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

SCAN, COMMENT = 0xDA, 0xFE
_END = 0xD9
# The next marker with a length; fill bytes, stuffed bytes and markers without one are passed over, as decoders do.
_MARKER = re.compile(rb"\xff[^\xff\x00\x01\xd0-\xd8]")
_NOTHING = re.compile(rb"(?:\xff++[\x01\xd0-\xd8]?)*+")


class Segment(NamedTuple):
    """One segment.

    Attributes
    ----------
    marker
        Second byte of its marker.
    after
        Where the one before ended: from there to `start` stands what belongs to none.
    start, body, end
        Offsets of its marker, of what follows its length, and of what follows it, which can lie beyond the data.
    """

    marker: int
    after: int
    start: int
    body: int
    end: int


def segments(data: bytes, at: int = 2) -> Iterator[Segment]:
    """Walk the segments from an offset on, those among the scans included, up to the marker of the picture's end."""
    while (found := _MARKER.search(data, at)) is not None and found.end() + 2 <= len(data):
        start, marker = found.start(), data[found.start() + 1]
        if marker == _END:
            return
        end = start + 2 + max(int.from_bytes(data[start + 2 : start + 4], "big"), 2)
        yield Segment(marker, at, start, start + 4, end)
        at = end


def picture_end(data: bytes, at: int) -> int | None:
    """Offset of the marker of the picture's end, where it is the next from an offset on."""
    found = _MARKER.search(data, at)
    return found.start() if found is not None and data[found.start() + 1] == _END else None


def is_stray(gap: bytes) -> bool:
    """Whether bytes between two segments are more than fill bytes and markers without a length."""
    return _NOTHING.fullmatch(gap) is None
