"""Chunks of a WebP (RFC 9649, section 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Chunk(NamedTuple):
    """One chunk: its four letters, and the offsets of its content and of what follows it."""

    kind: bytes
    body: int
    end: int


def claimed_end(data: bytes) -> int:
    """Offset at which the file ends by its own words."""
    return 8 + int.from_bytes(data[4:8], "little")


def chunks(data: bytes) -> Iterator[Chunk]:
    """Walk the chunks up to the end that the file claims."""
    last, at = min(len(data), claimed_end(data)), 12
    while at + 8 <= last:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield Chunk(data[at : at + 4], at + 8, at + 8 + length)
        at += 8 + length + (length & 1)
