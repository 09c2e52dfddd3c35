"""Chunks of a PNG (PNG specification, third edition, section 5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

HEADER, END = b"IHDR", b"IEND"
TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt"))


class Chunk(NamedTuple):
    """One chunk.

    Attributes
    ----------
    kind
        Its four letters.
    start, body, end
        Offsets of its length, of its content, and of the checksum that follows, which can lie beyond the data.
    """

    kind: bytes
    start: int
    body: int
    end: int


def chunks(data: bytes, at: int = 8) -> Iterator[Chunk]:
    """Walk the chunks from an offset on up to the last, `IEND`."""
    kind = b""
    while at + 8 <= len(data) and kind != END:
        kind, end = data[at + 4 : at + 8], at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield Chunk(kind, at, at + 8, end)
        at = end + 4
