"""Image file directories (TIFF 6.0, Exif, MPF) read without following their values, before a decoder trusts them.

Nothing here raises on damaged data: what cannot be read is left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal

MAX_ENTRIES = 4096
"""Entries read of one directory; real ones have fewer than 300, and a directory with more is never to be loaded."""
_ENDLESS = 1 << 63

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
    """One directory.

    Attributes
    ----------
    entries
        Its entries by tag.
    load
        Bytes that a reader of all its values would load, whether tags repeat and values overlap or not; more than any
        limit where it has more than `MAX_ENTRIES` entries.
    """

    entries: dict[int, Entry] = field(default_factory=dict)
    load: int = 0


def first(data: bytes) -> Directory:
    """Read the first directory of `data`, which begins with a TIFF header."""
    form = _form(data)
    return Directory() if form is None else _read(data, form[2], form[0], big=form[1])


def pages(data: bytes, most: int) -> int:
    """Count the directories of a TIFF up to `most`, without reading their entries; a cycle ends the count."""
    form = _form(data)
    if form is None:
        return 0
    order, big, offset = form
    head, step, _ = _layout(big=big)
    link: Literal["Q", "I"] = "Q" if big else "I"
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < most:
        seen.add(offset)
        start = offset + struct.calcsize(order + head)
        if start > len(data):
            break
        end = start + struct.unpack_from(order + head, data, offset)[0] * step
        has_next = end + struct.calcsize(order + link) <= len(data)
        offset = struct.unpack_from(order + link, data, end)[0] if has_next else 0
    return len(seen)


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
    head, step, inline = _layout(big=big)
    start = offset + struct.calcsize(order + head)
    if start > len(data):
        return Directory()
    count = struct.unpack_from(order + head, data, offset)[0]
    entries: dict[int, Entry] = {}
    load = 0 if count <= MAX_ENTRIES else _ENDLESS
    for at in range(start, min(start + min(count, MAX_ENTRIES) * step, len(data) - step + 1), step):
        tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, at)
        size = _SIZES.get(kind, 1) * values
        load += size
        value_at = at + step - inline
        width: Literal["H", "I"] = "I" if _SIZES.get(kind) == 4 else "H"
        short = struct.unpack_from(order + width, data, value_at)[0] if 0 < size <= inline else 0
        offset_of_value = struct.unpack_from(order + ("Q" if big else "I"), data, value_at)[0]
        entries[tag] = Entry(kind, values, size, short, offset_of_value + size if size > inline else 0)
    return Directory(entries, load)


def _layout(*, big: bool) -> tuple[Literal["Q", "H"], int, int]:
    """Code of the number of entries, bytes of an entry, bytes of a value in the entry itself."""
    return ("Q", 20, 8) if big else ("H", 12, 4)
