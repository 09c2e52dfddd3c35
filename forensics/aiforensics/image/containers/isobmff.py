"""Boxes of an ISO base media file (ISO/IEC 14496-12, section 4.2): AVIF and HEIF."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Box(NamedTuple):
    """One box.

    Attributes
    ----------
    kind
        Its four letters.
    body, end
        Offsets of its content and of what follows it, which can lie beyond the data. A box of an impossible length
        ends before its body; it is the last one of a walk.
    """

    kind: bytes
    body: int
    end: int

    @property
    def impossible(self) -> bool:
        """Whether its length is less than its own header takes."""
        return self.end < self.body


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Walk the boxes between two offsets."""
    while start + 8 <= end:
        length, body = int.from_bytes(data[start : start + 4], "big"), start + 8
        if length == 1:
            length, body = int.from_bytes(data[start + 8 : min(start + 16, end)], "big"), start + 16
        elif length == 0:
            length = end - start
        box = Box(data[start + 4 : start + 8], body, start + length)
        yield box
        if box.impossible:
            return
        start = box.end
