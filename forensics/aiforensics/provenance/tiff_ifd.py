"""Directories of a TIFF or BigTIFF block (EXIF), read within bounds: cyclic, overlapping and endless ones end.

Source: TIFF 6.0, section 2; the BigTIFF layout as libtiff documents it; CIPA DC-008 (Exif 3.0), section 4.6.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

from aiforensics.image.containers import ifd
from aiforensics.provenance.contents import MAX_BLOCK

Value = str | bytes | tuple[int, ...] | tuple[float, ...]
Fields = dict[int, Value]

_MAX_TAGS = 512
_MAX_VALUE = 4 << 20
_MAX_NUMBERS = 256
_NUMBER = 32
"""Bytes that a number takes as an object in memory."""
_TEXTS = {2, 129}
_BYTES = 7
_FRACTIONS = {5: "I", 10: "i"}
_FLOATS = {11, 12}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_EXIF, _GPS = 0x8769, 0x8825
IPTC = 0x83BB
"""The tag of IPTC records, whose values are bytes in whichever type they were written: often as numbers of 32 bits."""


@dataclass
class Directories:
    """The directories that cameras write.

    Attributes
    ----------
    first
        IFD0: make, model, software, date.
    exif
        The EXIF directory: lens, exposure, original date, user comment.
    gps
        The GPS directory.
    second
        IFD1: the thumbnail.
    problems
        What could not be read, one plain phrase each.
    """

    first: Fields = field(default_factory=dict)
    exif: Fields = field(default_factory=dict)
    gps: Fields = field(default_factory=dict)
    second: Fields = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read(block: bytes) -> Directories:
    """Read IFD0, the EXIF and GPS directories and IFD1 of a TIFF block. Never raises.

    All values together are read up to `MAX_BLOCK` bytes, the smallest first: a camera's name never gives way to a bomb.
    """
    found = Directories()
    form = ifd.form(block)
    if form is None:
        if block:
            found.problems.append("EXIF does not start with a byte order mark")
        return found
    visited: set[int] = set()
    first, after = _entries(block, form, form.first, visited, found.problems)
    directories = {"first": first}
    for tag, name in ((_EXIF, "exif"), (_GPS, "gps")):
        pointer = _value(block, form, first[tag]) if tag in first else None
        if isinstance(pointer, tuple) and pointer and isinstance(pointer[0], int):
            directories[name], _ = _entries(block, form, pointer[0], visited, found.problems)
    if after:
        directories["second"], _ = _entries(block, form, after, visited, found.problems)
    left = MAX_BLOCK
    every = [(entry, tag, name) for name, entries in directories.items() for tag, entry in entries.items()]
    for entry, tag, name in sorted(every, key=lambda item: item[0].cost):
        left -= entry.cost
        if left < 0:
            found.problems.append(f"EXIF values claim more than {MAX_BLOCK >> 20} MiB; the largest were not read")
            break
        if entry.cost == _MAX_VALUE:
            found.problems.append(f"an EXIF value was cut after {_MAX_VALUE >> 20} MiB")
        directory: Fields = getattr(found, name)
        directory[tag] = _value(block, form, entry)
    return found


@dataclass(frozen=True, slots=True)
class _Entry:
    """Type, number, place and cost in memory of the values of a tag; all lie inside the block."""

    kind: int
    number: int
    position: int
    cost: int


def _entries(
    block: bytes, form: ifd.Form, offset: int, visited: set[int], problems: list[str]
) -> tuple[dict[int, _Entry], int]:
    """Return the tags of one directory, without their values, and the offset of the next one (0 at the end)."""
    if offset in visited:
        problems.append("EXIF directories form a loop")
        return {}, 0
    visited.add(offset)
    directory = ifd.directory(block, form, offset, _MAX_TAGS) if offset >= 0 else None
    if directory is None:
        problems.append("an EXIF directory lies outside its block")
        return {}, 0
    if directory.count > _MAX_TAGS:
        problems.append(f"an EXIF directory names {directory.count} tags; {_MAX_TAGS} were read")
    if len(directory.entries) < min(directory.count, _MAX_TAGS):
        problems.append("an EXIF directory is cut off")
    tags: dict[int, _Entry] = {}
    for raw in directory.entries:
        entry = _entry(block, raw)
        if entry is not None:
            tags.setdefault(raw.tag, entry)
        elif "some EXIF values are broken" not in problems:
            problems.append("some EXIF values are broken")
    return tags, directory.following if directory.count <= _MAX_TAGS else 0


def _entry(block: bytes, raw: ifd.Entry) -> _Entry | None:
    """One entry, or None where its type is unknown or its values lie outside the block."""
    if raw.kind not in ifd.SIZES or raw.at + raw.size > len(block):
        return None
    if raw.tag == IPTC:
        number = min(raw.size, _MAX_VALUE)
        return _Entry(_BYTES, number, raw.at, number)
    if raw.kind in _TEXTS or _is_blob(raw.kind, raw.count):
        number = min(raw.count, _MAX_VALUE)
        return _Entry(raw.kind, number, raw.at, number)
    number = min(raw.count, _MAX_NUMBERS)
    return _Entry(raw.kind, number, raw.at, _NUMBER * number)


def _is_blob(kind: int, number: int) -> bool:
    return kind == _BYTES or (kind == 1 and number > 16)


def _value(block: bytes, form: ifd.Form, entry: _Entry) -> Value:
    """Values of an entry; a number that is none is 0, as a fraction of nothing is."""
    if entry.kind in _TEXTS:
        return _text(block[entry.position : entry.position + entry.number])
    if _is_blob(entry.kind, entry.number):
        return block[entry.position : entry.position + entry.number]
    if entry.kind in _FRACTIONS:
        code = f"{form.order}{2 * entry.number}{_FRACTIONS[entry.kind]}"
        parts = struct.unpack_from(code, block, entry.position)
        return tuple(float(a) / b if b else 0.0 for a, b in zip(parts[::2], parts[1::2], strict=True))
    numbers = struct.unpack_from(f"{form.order}{entry.number}{_CODES[entry.kind]}", block, entry.position)
    return tuple(number if math.isfinite(number) else 0.0 for number in numbers) if entry.kind in _FLOATS else numbers


def _text(raw: bytes) -> str:
    raw = raw.rstrip(b"\0 ")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
