"""Blocks of a GIF (GIF89a specification, sections 12 and 20 to 27)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
_BLOCK = re.compile(rb"[\x21\x2c\x3b]")


class Block(NamedTuple):
    """One block.

    Attributes
    ----------
    kind
        `EXTENSION`, `IMAGE` or `TRAILER`.
    after
        Where the one before ended: from there to `start` stands what belongs to none.
    start, body, end
        Offsets of its first byte, of its first data block, and of what follows it.
    parts
        Data blocks passed so far in the whole file.
    """

    kind: int
    after: int
    start: int
    body: int
    end: int
    parts: int


def blocks(data: bytes, most_parts: int) -> Iterator[Block]:
    """Walk the blocks up to the trailer, or up to the one in which more than `most_parts` data blocks are passed."""
    at = 13 + _table(data[10]) if len(data) > 10 else len(data)
    parts = 0
    while parts <= most_parts and (found := _BLOCK.search(data, at)) is not None:
        start, kind = found.start(), data[found.start()]
        if kind == TRAILER:
            yield Block(kind, at, start, start + 1, start + 1, parts)
            return
        if start + (9 if kind == IMAGE else 1) >= len(data):
            return
        body = end = start + 11 + _table(data[start + 9]) if kind == IMAGE else start + 2
        while end < len(data) and data[end] and parts <= most_parts:
            end += 1 + data[end]
            parts += 1
        yield Block(kind, at, start, body, end + 1, parts)
        at = end + 1


def content(data: bytes, block: Block, limit: int) -> bytes:
    """Join the data blocks of a block until they are `limit` bytes or more."""
    found = bytearray()
    at = block.body
    while at < len(data) and data[at] and len(found) < limit:
        found += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return bytes(found)


def _table(flags: int) -> int:
    """Bytes of the colour table that the flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
