"""What image file directories (TIFF 6.0, Exif, MPF) claim, before a decoder trusts them.

Nothing here raises on damaged data: what cannot be read is left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal

from aiforensics.image.containers import ifd

MAX_ENTRIES = 4096
"""Entries read of one directory; real ones have fewer than 300, and a directory with more is never to be loaded."""
_ENDLESS = 1 << 63
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class FirstDirectory:
    """The first directory of a block.

    Attributes
    ----------
    entries
        Its entries by tag; of a tag that repeats, the last, as decoders take it.
    shorts
        By tag, the first value where it stands in the entry itself, else 0.
    load
        Bytes that a reader of all its values would load, whether tags repeat and values overlap or not; more than any
        limit where it has more than `MAX_ENTRIES` entries.
    """

    entries: dict[int, ifd.Entry] = field(default_factory=dict)
    shorts: dict[int, int] = field(default_factory=dict)
    load: int = 0


def first(data: bytes) -> FirstDirectory:
    """Read the first directory of `data`, which begins with a TIFF header."""
    form = ifd.form(data)
    found = form and ifd.directory(data, form, form.first, MAX_ENTRIES)
    if not form or not found:
        return FirstDirectory()
    load = sum(entry.size for entry in found.entries) + (_ENDLESS if found.count > MAX_ENTRIES else 0)
    return FirstDirectory(
        {entry.tag: entry for entry in found.entries},
        {entry.tag: _short(data, form, entry) for entry in found.entries},
        load,
    )


def pages(data: bytes, most: int) -> int:
    """Count the directories of a TIFF up to `most`, without reading their entries; a cycle ends the count."""
    form = ifd.form(data)
    offset = form.first if form else 0
    seen: set[int] = set()
    while form and offset and offset not in seen and len(seen) < most:
        seen.add(offset)
        found = ifd.directory(data, form, offset, 0)
        offset = found.following if found else 0
    return len(seen)


def last_offset(data: bytes) -> int:
    """Where the data of the first directory end: its own start, and the end of every value that stands outside."""
    form = ifd.form(data)
    if form is None:
        return 16
    outside = (one for one in first(data).entries.values() if one.size > form.inline)
    return max([form.first + 2, *(one.at + one.size for one in outside)])


def orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, of a block of Exif with or without its prefix; 1 when it says nothing."""
    turn = first(exif.removeprefix(b"Exif\0\0")).shorts.get(_ORIENTATION, 0)
    return turn if 1 <= turn <= 8 else 1


def _short(data: bytes, form: ifd.Form, entry: ifd.Entry) -> int:
    if not 0 < entry.size <= form.inline:
        return 0
    width: Literal["H", "I", "Q"] = "Q" if entry.kind == 16 else "I" if ifd.SIZES.get(entry.kind) == 4 else "H"
    value: int = struct.unpack_from(form.order + width, data, entry.at)[0]
    return value
