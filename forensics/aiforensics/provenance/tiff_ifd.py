"""Directories of a TIFF or BigTIFF block (EXIF), read within bounds: cyclic, overlapping and endless ones end.

Source: TIFF 6.0, section 2; the BigTIFF layout as libtiff documents it; CIPA DC-008 (Exif 3.0), section 4.6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from aiforensics.provenance.contents import MAX_BLOCK

Value = str | bytes | tuple[int, ...] | tuple[float, ...]
Directory = dict[int, Value]

_MAX_TAGS = 512
_MAX_VALUE = 4 << 20
_MAX_NUMBERS = 256
_NUMBER = 32
"""Bytes that a number takes as an object in memory."""
_TEXTS = {2, 129}
_FRACTIONS = {5: "I", 10: "i"}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_SIZES = {2: 1, 5: 8, 7: 1, 10: 8, 129: 1} | {kind: struct.calcsize(f"<{code}") for kind, code in _CODES.items()}
_EXIF, _GPS = 0x8769, 0x8825


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

    first: Directory = field(default_factory=dict)
    exif: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    second: Directory = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read(block: bytes) -> Directories:
    """Read IFD0, the EXIF and GPS directories and IFD1 of a TIFF block. Never raises.

    All values together are read up to `MAX_BLOCK` bytes, the smallest first: a camera's name never gives way to a bomb.
    """
    found = Directories()
    form = _form(block)
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
        directory: Directory = getattr(found, name)
        directory[tag] = _value(block, form, entry)
    return found


@dataclass(frozen=True, slots=True)
class _Form:
    """Byte order, codes of counts and offsets, their size, and where IFD0 stands."""

    order: str
    count: str
    offset: str
    width: int
    first: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """Type, number, place and cost in memory of the values of a tag; all lie inside the block."""

    kind: int
    number: int
    position: int
    cost: int


def _form(block: bytes) -> _Form | None:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    big = order is not None and block[2:4] in {b"+\0", b"\0+"}
    if order is None or len(block) < (16 if big else 8):
        return None
    if big:
        return _Form(order, f"{order}Q", f"{order}Q", 8, struct.unpack_from(f"{order}Q", block, 8)[0])
    return _Form(order, f"{order}H", f"{order}I", 4, struct.unpack_from(f"{order}I", block, 4)[0])


def _entries(
    block: bytes, form: _Form, offset: int, visited: set[int], problems: list[str]
) -> tuple[dict[int, _Entry], int]:
    """Return the tags of one directory, without their values, and the offset of the next one (0 at the end)."""
    if offset in visited:
        problems.append("EXIF directories form a loop")
        return {}, 0
    visited.add(offset)
    position = offset + struct.calcsize(form.count)
    if offset < 0 or position > len(block):
        problems.append("an EXIF directory lies outside its block")
        return {}, 0
    (count,) = struct.unpack_from(form.count, block, offset)
    if count > _MAX_TAGS:
        problems.append(f"an EXIF directory names {count} tags; {_MAX_TAGS} were read")
    tags: dict[int, _Entry] = {}
    for _ in range(min(count, _MAX_TAGS)):
        if position + 4 + 2 * form.width > len(block):
            problems.append("an EXIF directory is cut off")
            return tags, 0
        (tag,) = struct.unpack_from(f"{form.order}H", block, position)
        entry = _entry(block, form, position)
        if entry is not None:
            tags.setdefault(tag, entry)
        elif "some EXIF values are broken" not in problems:
            problems.append("some EXIF values are broken")
        position += 4 + 2 * form.width
    if count > _MAX_TAGS or position + form.width > len(block):
        return tags, 0
    return tags, struct.unpack_from(form.offset, block, position)[0]


def _entry(block: bytes, form: _Form, position: int) -> _Entry | None:
    """One entry, or None where its type is unknown or its values lie outside the block."""
    (kind,) = struct.unpack_from(f"{form.order}H", block, position + 2)
    (number,) = struct.unpack_from(form.offset, block, position + 4)
    position += 4 + form.width
    if kind not in _SIZES:
        return None
    size = _SIZES[kind] * number
    if size > form.width:
        (position,) = struct.unpack_from(form.offset, block, position)
    if position + size > len(block):
        return None
    if kind in _TEXTS or _is_blob(kind, number):
        number = min(number, _MAX_VALUE)
        return _Entry(kind, number, position, number)
    number = min(number, _MAX_NUMBERS)
    return _Entry(kind, number, position, _NUMBER * number)


def _is_blob(kind: int, number: int) -> bool:
    return kind == 7 or (kind == 1 and number > 16)


def _value(block: bytes, form: _Form, entry: _Entry) -> Value:
    """Values of an entry."""
    if entry.kind in _TEXTS:
        return _text(block[entry.position : entry.position + entry.number])
    if _is_blob(entry.kind, entry.number):
        return block[entry.position : entry.position + entry.number]
    if entry.kind in _FRACTIONS:
        code = f"{form.order}{2 * entry.number}{_FRACTIONS[entry.kind]}"
        parts = struct.unpack_from(code, block, entry.position)
        return tuple(float(a) / b if b else 0.0 for a, b in zip(parts[::2], parts[1::2], strict=True))
    return struct.unpack_from(f"{form.order}{entry.number}{_CODES[entry.kind]}", block, entry.position)


def _text(raw: bytes) -> str:
    raw = raw.rstrip(b"\0 ")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
