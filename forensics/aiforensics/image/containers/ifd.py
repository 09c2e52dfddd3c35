"""Image file directories (TIFF 6.0, section 2; BigTIFF as libtiff documents it) of TIFF, EXIF and MPF.

Entries are found without following their values.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8, 129: 1,
}  # fmt: skip
"""Bytes of one value of each type: those of TIFF, of BigTIFF (16 to 18), and the UTF-8 text of Exif 3.0 (129)."""


@dataclass(frozen=True, slots=True)
class Form:
    """Form of a block.

    Attributes
    ----------
    order
        `<` or `>`, as `struct` has it.
    big
        Whether it is a BigTIFF.
    first
        Offset of the first directory.
    """

    order: str
    big: bool
    first: int

    @property
    def inline(self) -> int:
        """Bytes of values that an entry holds itself, which is also the size of an offset."""
        return 8 if self.big else 4

    def offset(self, block: bytes, at: int) -> int:
        """Read the offset, or the number of values, that stands at `at`; 0 where the block ends before."""
        return self._number("Q" if self.big else "I", block, at)

    def _number(self, code: str, block: bytes, at: int) -> int:
        if at < 0 or at + struct.calcsize(code) > len(block):
            return 0
        number: int = struct.unpack_from(self.order + code, block, at)[0]
        return number


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory.

    Attributes
    ----------
    tag, kind, count
        What it is, the type of its values, and their number.
    size
        Bytes of its values; one each for types that are in no standard.
    at
        Where its values stand, which can be outside of the block.
    """

    tag: int
    kind: int
    count: int
    size: int
    at: int


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory.

    Attributes
    ----------
    count
        Entries that it claims to have.
    entries
        Those that lie in the block, up to the number that was asked for, in file order.
    following
        Offset of the next directory; 0 where there is none.
    """

    count: int
    entries: tuple[Entry, ...]
    following: int


def form(block: bytes) -> Form | None:
    """Read the header of a block; None where it has no byte order mark or ends before its first offset."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return None
    big = struct.unpack_from(f"{order}H", block, 2)[0] == 43
    if big and len(block) < 16:
        return None
    return Form(order, big, struct.unpack_from(f"{order}Q" if big else f"{order}I", block, 8 if big else 4)[0])


def directory(block: bytes, form: Form, offset: int, most: int) -> Directory | None:
    """Read at most `most` entries of the directory at an offset; None where it lies outside of the block."""
    head, step = (8, 20) if form.big else (2, 12)
    start = offset + head
    if start > len(block):
        return None
    count: int = struct.unpack_from(form.order + ("Q" if form.big else "H"), block, offset)[0]
    last = min(start + min(count, most) * step, len(block) - step + 1)
    return Directory(
        count,
        tuple(_entry(block, form, at) for at in range(start, last, step)),
        form.offset(block, start + count * step),
    )


def _entry(block: bytes, form: Form, at: int) -> Entry:
    tag, kind = struct.unpack_from(f"{form.order}HH", block, at)
    count, value = form.offset(block, at + 4), at + 4 + form.inline
    size = SIZES.get(kind, 1) * count
    return Entry(tag, kind, count, size, form.offset(block, value) if size > form.inline else value)
