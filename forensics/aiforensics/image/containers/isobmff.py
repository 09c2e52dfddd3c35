"""Boxes of an ISO base media file (ISO/IEC 14496-12, section 4.2): AVIF and HEIF."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

Stretch = tuple[int, int]
"""Offset and length of some bytes of the file."""
MOST = 65_536
"""Items, their stretches, and what one is put together from, that are read of a file."""


class Box(NamedTuple):
    """One box.

    Attributes
    ----------
    kind
        Its four letters.
    body, end
        Offsets of its content and of what follows it, which can lie beyond the data. A box of an impossible length
        ends before its body; it is the last one of a walk.
    """

    kind: bytes
    body: int
    end: int

    @property
    def impossible(self) -> bool:
        """Whether its length is less than its own header takes."""
        return self.end < self.body


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Walk the boxes between two offsets."""
    while start + 8 <= end:
        length, body = int.from_bytes(data[start : start + 4], "big"), start + 8
        if length == 1:
            length, body = int.from_bytes(data[start + 8 : min(start + 16, end)], "big"), start + 16
        elif length == 0:
            length = end - start
        box = Box(data[start + 4 : start + 8], body, start + length)
        yield box
        if box.impossible:
            return
        start = box.end


def picture(data: bytes) -> tuple[Stretch, ...]:
    """Where the coded primary picture stands: its own bytes, or those of the pictures that it is put together from.

    Returns
    -------
    Offset and length of each stretch in the file (ISO/IEC 14496-12, 8.11: `pitm`, `iloc` and `iref`); none where the
    file does not say.
    """
    parts = _meta(data)
    primary, places = parts.get(b"pitm", b""), _places(parts.get(b"iloc", b""))
    number = int.from_bytes(primary[4 : 8 if primary[:1] > b"\0" else 6], "big")
    made_of = _made_of(parts.get(b"iref", b""))
    tiles = made_of.get(number, (number,))
    tiles = tuple(inner for tile in tiles for inner in made_of.get(tile, (tile,)))  # an overlay of grids at most
    return tuple(dict.fromkeys(stretch for tile in dict.fromkeys(tiles) for stretch in places.get(tile, ())))


def largest(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of the largest picture that the file claims to hold (`ispe`); zeros without one."""
    claims = [content[4:12] for kind, content in _properties(data) if kind == b"ispe"]
    sizes = [(int.from_bytes(claim[:4], "big"), int.from_bytes(claim[4:], "big")) for claim in claims]
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def transfers(data: bytes) -> set[int]:
    """Transfer characteristics (ITU-T H.273, 8.2) of the pictures in the file, as far as it names them (`nclx`)."""
    colours = [content for kind, content in _properties(data) if kind == b"colr" and content[:4] == b"nclx"]
    return {int.from_bytes(colour[6:8], "big") for colour in colours}


def _properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    properties = _meta(data).get(b"iprp", b"")
    for container in boxes(properties, 0, len(properties)):
        if container.kind == b"ipco":
            for box in boxes(properties, container.body, min(container.end, len(properties))):
                yield box.kind, properties[box.body : box.end]


def _meta(data: bytes) -> dict[bytes, bytes]:
    """Content of the boxes that describe the pictures (`meta`), by kind."""
    meta = next((box for box in boxes(data, 0, len(data)) if box.kind == b"meta"), None)
    if meta is None:
        return {}
    return {box.kind: data[box.body : box.end] for box in boxes(data, meta.body + 4, min(meta.end, len(data)))}


def _places(box: bytes) -> dict[int, list[Stretch]]:
    """Stretches of each item that lies in the file itself (`iloc`), `MOST` at most."""
    if len(box) < 8:
        return {}
    version, wide = box[0], 4 if box[0] == 2 else 2
    sizes = box[5] & 15 if version else 0, box[4] >> 4, box[4] & 15  # of an index, an offset, a length
    at = 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(box[at - size : at], "big")

    places: dict[int, list[Stretch]] = {}
    left = MOST
    for _ in range(number(wide)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(box[5] >> 4)
        extents = number(2)
        left -= 1 + extents
        if at > len(box) or left < 0:
            break
        found = [tuple(number(size) for size in sizes) for _ in range(extents)]
        if method == 0:
            places[item] = [(base + offset, length) for _, offset, length in found]
    return places


def _made_of(box: bytes) -> dict[int, tuple[int, ...]]:
    """By item, those that it is put together from (`iref`, `dimg`)."""
    size = 4 if box[:1] > b"\0" else 2
    made: dict[int, tuple[int, ...]] = {}
    for kind, body, end in boxes(box, 4, len(box)):
        numbers = [
            int.from_bytes(box[at : at + size], "big") for at in range(body + size + 2, min(end, len(box)), size)
        ]
        if kind == b"dimg":
            made[int.from_bytes(box[body : body + size], "big")] = tuple(numbers[:MOST])
    return made
