"""Image file directories (TIFF 6.0, Exif, MPF) read without following their values, before a decoder trusts them.

Nothing here raises on damaged data: what cannot be read is left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal

MAX_ENTRIES = 4096
"""Entries read of one directory; real ones have fewer than 300."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory.

    Attributes
    ----------
    kind, count, size
        Type of its values, their number, and their size in bytes.
    short
        The first value where it stands in the entry itself, else 0.
    end
        Where its values end in the file when they stand outside of the entry, else 0.
    """

    kind: int
    count: int
    size: int
    short: int
    end: int = 0


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory: its entries by tag, and the offset of the next directory (0 for none)."""

    entries: dict[int, Entry] = field(default_factory=dict)
    next: int = 0


def first(data: bytes) -> Directory:
    """Read the first directory of `data`, which begins with a TIFF header."""
    form = _form(data)
    return Directory() if form is None else _read(data, form[2], form[0], big=form[1])


def chain(data: bytes, most: int) -> list[Directory]:
    """Read the directories of a TIFF in order, at most `most` of them; a cycle ends the chain."""
    form = _form(data)
    if form is None:
        return []
    order, big, offset = form
    seen: set[int] = set()
    found: list[Directory] = []
    while offset and offset not in seen and len(found) < most:
        seen.add(offset)
        found.append(_read(data, offset, order, big=big))
        offset = found[-1].next
    return found


def last_offset(data: bytes) -> int:
    """Where the data of the first directory end: its own end, and that of every value that stands outside of it."""
    form = _form(data)
    if form is None:
        return 16
    directory = _read(data, form[2], form[0], big=form[1])
    return max([form[2] + 2, *(entry.end for entry in directory.entries.values())])


def orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, of a block of Exif with or without its prefix; 1 when it says nothing."""
    entry = first(exif.removeprefix(b"Exif\0\0")).entries.get(_ORIENTATION)
    return entry.short if entry is not None and 1 <= entry.short <= 8 else 1


def _form(data: bytes) -> tuple[Literal["<", ">"], bool, int] | None:
    """Byte order, whether it is a BigTIFF, and the offset of the first directory."""
    if len(data) < 16 or data[:2] not in {b"II", b"MM"}:
        return None
    order: Literal["<", ">"] = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    return order, big, offset


def _read(data: bytes, offset: int, order: Literal["<", ">"], *, big: bool) -> Directory:
    head, step, inline = ("Q", 20, 8) if big else ("H", 12, 4)
    start = offset + struct.calcsize(order + head)
    if start > len(data):
        return Directory()
    count = struct.unpack_from(order + head, data, offset)[0]
    entries: dict[int, Entry] = {}
    end = start + count * step
    for at in range(start, min(end, start + MAX_ENTRIES * step, len(data) - step + 1), step):
        tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, at)
        size = _SIZES.get(kind, 1) * values
        value_at = at + step - inline
        width: Literal["H", "I"] = "I" if _SIZES.get(kind) == 4 else "H"
        short = struct.unpack_from(order + width, data, value_at)[0] if 0 < size <= inline else 0
        offset_of_value = struct.unpack_from(order + ("Q" if big else "I"), data, value_at)[0]
        entries[tag] = Entry(kind, values, size, short, offset_of_value + size if size > inline else 0)
    width_next = "Q" if big else "I"
    has_next = end + struct.calcsize(order + width_next) <= len(data)
    return Directory(entries, struct.unpack_from(order + width_next, data, end)[0] if has_next else 0)
