"""Universal Binary JSON as XGBoost writes it: typed arrays come back as NumPy arrays, without a copy in Python.

The format is that of https://ubjson.org (draft 12): every value starts with one letter for its type, numbers are
big-endian, and an array of one type states that type and its length once.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Value = dict[str, Any] | list[Any] | NDArray[np.generic] | str | float | None
_TYPES = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}
_NUMBERS = {letter: struct.Struct(f">{code}") for letter, code in _TYPES.items()}
_CONSTANTS = {"Z": None, "T": True, "F": False}
_DEEPEST = 64


def loads(data: bytes) -> dict[str, Any]:
    """Read a table: its values are tables, lists, strings, numbers, or NumPy arrays where all are numbers of one type.

    Raises
    ------
    ValueError
        If the bytes are no UBJSON table, end early, go on after it, or nest deeper than 64 levels.
    """
    reader = _Reader(data)
    if reader.letter() != "{":
        raise ValueError("UBJSON that is no table")
    table = reader.table()
    if reader.at != len(data):
        raise ValueError(f"{len(data) - reader.at} bytes stand behind the end of the UBJSON table")
    return table


class _Reader:
    """A place in the bytes that moves on with every read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.depth = data, 0, 0

    def skip(self, count: int) -> int:
        """Move on over so many bytes, and tell where they start."""
        start = self.at
        if not 0 <= count <= len(self.data) - start:
            raise ValueError(f"UBJSON ends early: {count} bytes are announced at {start} of {len(self.data)}")
        self.at += count
        return start

    def letter(self) -> str:
        return chr(self.data[self.skip(1)])

    def number(self, kind: str) -> float:
        if kind not in _NUMBERS:
            raise ValueError(f"no type {kind!r} in UBJSON, at byte {self.at}")
        found: float = _NUMBERS[kind].unpack_from(self.data, self.skip(_NUMBERS[kind].size))[0]
        return found

    def numbers(self, kind: str, count: int) -> NDArray[np.generic]:
        dtype = np.dtype(_NUMBERS[kind].format)
        start = self.skip(count * dtype.itemsize)
        return np.frombuffer(self.data, dtype, count, start).astype(dtype.newbyteorder("="))

    def length(self) -> int:
        kind = self.letter()
        if kind not in "iUIlL":
            raise ValueError(f"a length of type {kind!r} in UBJSON, at byte {self.at}")
        return int(self.number(kind))

    def text(self) -> str:
        start = self.skip(self.length())
        return self.data[start : self.at].decode("utf-8")

    def value(self, kind: str) -> _Value:
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind == "S":
            return self.text()
        if kind not in "[{":
            return self.number(kind)
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError(f"UBJSON nests deeper than {_DEEPEST} levels")
        found = self.array() if kind == "[" else self.table()
        self.depth -= 1
        return found

    def array(self) -> NDArray[np.generic] | list[Any]:
        kind, count = self.header()
        if kind is not None and count is not None and kind in _NUMBERS:
            return self.numbers(kind, count)
        found: list[Any] = []
        while len(found) != count:
            letter = kind or self.letter()
            if count is None and letter == "]":
                break
            found.append(self.value(letter))
        return found

    def table(self) -> dict[str, Any]:
        kind, count = self.header()
        found: dict[str, Any] = {}
        while len(found) != count:
            if count is None and self.data[self.at : self.at + 1] == b"}":
                self.at += 1
                break
            key = self.text()
            found[key] = self.value(kind or self.letter())
        return found

    def header(self) -> tuple[str | None, int | None]:
        """Type and length of what follows, where they are stated."""
        kind = None
        if self.data[self.at : self.at + 1] == b"$":
            self.at += 1
            kind = self.letter()
            if kind in _CONSTANTS:  # its values take no bytes: a stated length could be without end
                raise ValueError(f"an array of {kind!r} in UBJSON, at byte {self.at}")
        if self.data[self.at : self.at + 1] != b"#":
            return kind, None
        self.at += 1
        return kind, self.length()
