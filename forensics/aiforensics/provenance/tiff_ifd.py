"""Directories of a TIFF block (EXIF), read within bounds: cyclic, overlapping and endless ones end.

Source: TIFF 6.0, section 2; CIPA DC-008 (Exif 3.0), section 4.6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

Value = str | bytes | tuple[int, ...] | tuple[float, ...]
Directory = dict[int, Value]

_MAX_TAGS = 512
_MAX_VALUE = 4 << 20
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
_EXIF, _GPS, _INTEROP = 0x8769, 0x8825, 0xA005


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
    """Read IFD0, the EXIF and GPS directories and IFD1 of a TIFF block. Never raises."""
    found = Directories()
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        if block:
            found.problems.append("EXIF does not start with a byte order mark")
        return found
    visited: set[int] = set()
    (offset,) = struct.unpack_from(f"{order}I", block, 4)
    found.first, after = _directory(block, order, offset, visited, found.problems)
    for tag, name in ((_EXIF, "exif"), (_GPS, "gps")):
        pointer = found.first.get(tag)
        if isinstance(pointer, tuple) and pointer:
            directory, _ = _directory(block, order, int(pointer[0]), visited, found.problems)
            setattr(found, name, directory)
    if after:
        found.second, _ = _directory(block, order, after, visited, found.problems)
    return found


def _directory(block: bytes, order: str, offset: int, visited: set[int], problems: list[str]) -> tuple[Directory, int]:
    """Return the tags of one directory and the offset of the next one (0 at the end)."""
    if offset in visited:
        problems.append("EXIF directories form a loop")
        return {}, 0
    visited.add(offset)
    if offset + 2 > len(block):
        problems.append("an EXIF directory lies outside its block")
        return {}, 0
    (count,) = struct.unpack_from(f"{order}H", block, offset)
    if count > _MAX_TAGS:
        problems.append(f"an EXIF directory names {count} tags; {_MAX_TAGS} were read")
    tags: Directory = {}
    position = offset + 2
    for _ in range(min(count, _MAX_TAGS)):
        if position + 12 > len(block):
            problems.append("an EXIF directory is cut off")
            return tags, 0
        tag, kind, number = struct.unpack_from(f"{order}HHI", block, position)
        value = _value(block, order, position + 8, kind, number)
        if value is None:
            if "some EXIF values are broken" not in problems:
                problems.append("some EXIF values are broken")
        else:
            tags.setdefault(tag, value)
        position += 12
    if count > _MAX_TAGS or position + 4 > len(block):
        return tags, 0
    return tags, struct.unpack_from(f"{order}I", block, position)[0]


def _value(block: bytes, order: str, position: int, kind: int, number: int) -> Value | None:
    """One value, or None where its type is unknown or it lies outside the block."""
    size = _SIZES.get(kind, 0) * number
    if kind not in _SIZES:
        return None
    if size > 4:
        (position,) = struct.unpack_from(f"{order}I", block, position)
    if position + size > len(block):
        return None
    if kind in {2, 129}:
        return _text(block[position : position + min(size, _MAX_VALUE)])
    if kind == 7 or (kind == 1 and number > 16):
        return block[position : position + min(size, _MAX_VALUE)]
    number = min(number, 4096)
    if kind in {5, 10}:
        parts = struct.unpack_from(f"{order}{2 * number}{'I' if kind == 5 else 'i'}", block, position)
        return tuple(float(a) / b if b else 0.0 for a, b in zip(parts[::2], parts[1::2], strict=True))
    return struct.unpack_from(f"{order}{number}{_CODES[kind]}", block, position)


def _text(raw: bytes) -> str:
    raw = raw.rstrip(b"\0 ")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
