"""IPTC's older records (IIM), by themselves or in Photoshop's resources, read within bounds.

Source: IPTC-NAA Information Interchange Model 4.2, sections 1.5 and 1.6; Adobe Photoshop File Formats Specification,
"Image Resource Blocks".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_MAX_RECORDS = 20_000
_MAX_RESOURCES = 20_000
_RESOURCE = b"8BIM"
_IPTC = 0x0404
_MARKER = 0x1C
_CODED = (1, 90)
_UTF8 = b"\x1b%G"
_EXTENDED = 0x8000


@dataclass
class Records:
    """The records 2 of a file.

    Attributes
    ----------
    texts
        Dataset number and text of each, in file order, repeated ones once.
    problems
        What could not be read, one plain phrase each.
    """

    texts: dict[tuple[int, str], None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def problem(self, words: str) -> None:
        """Note once what could not be read."""
        if words not in self.problems:
            self.problems.append(words)


def read(photoshop: bytes, bare: bytes) -> Records:
    """Read the records in Photoshop's resources and in a bare block. Never raises."""
    found, left = Records(), _MAX_RECORDS
    for block in (*_resources(photoshop, found), _in_order(bare)):
        left -= _read(block, found, left)
    return found


def _read(block: bytes, found: Records, most: int) -> int:
    """Note at most so many records of a block, and return how many there were."""
    position, utf8 = 0, False
    for count in range(most):
        if position + 5 > len(block) or block[position] != _MARKER:
            if position > len(block) or block[position:].strip(b"\0"):
                found.problem("IPTC records are broken or cut off")
            return count
        record, number, length = struct.unpack_from(">BBH", block, position + 1)
        position += 5
        if length & _EXTENDED:  # the number of bytes in which the length stands
            wide = length & ~_EXTENDED
            length = int.from_bytes(block[position : position + min(wide, 8)])
            position += wide
        body = block[position : position + length]
        position += length
        if (record, number) == _CODED:
            utf8 = body == _UTF8
        elif record == 2 and body:
            found.texts.setdefault((number, _text(body, utf8=utf8)))
    if position < len(block):
        found.problem(f"only the first {_MAX_RECORDS} IPTC records were read")
    return most


def _in_order(block: bytes) -> bytes:
    """Return a block that was written as numbers of 32 bits in the other byte order as it was before."""
    if block[:1] == b"\x1c" or block[3:4] != b"\x1c":
        return block
    words = memoryview(block[: len(block) // 4 * 4])
    turned = bytearray(len(words))
    for place in range(4):
        turned[place::4] = words[3 - place :: 4]
    return bytes(turned)


def _text(body: bytes, *, utf8: bool) -> str:
    """Text in UTF-8, which many write without its mark; other bytes without that mark are Latin-1."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("utf-8", "replace") if utf8 else body.decode("latin-1")


def _resources(block: bytes, found: Records) -> Iterator[bytes]:
    """Bodies of the resources that hold records; stray bytes and padding that is missing are passed over."""
    position = block.find(_RESOURCE)
    for _ in range(_MAX_RESOURCES):
        if position < 0 or position + 12 > len(block):
            return
        (number,) = struct.unpack_from(">H", block, position + 4)
        name = block[position + 6] + 1
        start = position + 6 + name + (name & 1) + 4
        if start > len(block):
            return
        length = int.from_bytes(block[start - 4 : start])
        if number == _IPTC:
            yield block[start : start + length]
        position = block.find(_RESOURCE, start + length)
    found.problem(f"only the first {_MAX_RESOURCES} Photoshop resources were read")
