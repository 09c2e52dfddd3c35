"""AVIF and HEIF: EXIF, XMP, ICC and C2PA in boxes and items (ISO/IEC 14496-12 and 23008-12; C2PA 2.1, annex A)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from aiforensics.image.containers import isobmff
from aiforensics.provenance.contents import MAX_BLOCK, Contents

_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_MAX_ITEMS = 4096
_XMP_ITEM = b"application/rdf+xml"
_XMP_ROOT = re.compile(rb"xmpmeta|rdf:RDF")


def walk(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the top boxes and the metadata items of an AVIF or HEIF file."""
    described = False
    for kind, start, end in _boxes(data, 0, len(data), contents):
        if kind == b"uuid" and data[start : start + 16] == _C2PA_UUID:
            contents.manifest = True
        elif kind == b"meta" and not described:  # the standard allows one
            described = True
            _read_meta(data, start + 4, end, contents)


def _boxes(data: bytes, start: int, end: int, contents: Contents) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the body of each box between two offsets."""
    for box in isobmff.boxes(data, start, end):
        if not contents.has_room():
            return
        if box.impossible:
            contents.problem("a box of the file has an impossible length")
            return
        contents.part(box.kind.decode("latin-1"))
        yield box.kind, box.body, min(end, box.end)


def _read_meta(data: bytes, start: int, end: int, contents: Contents) -> None:
    kinds: dict[int, bytes] = {}
    places: dict[int, tuple[int, int]] | None = None
    for kind, low, high in _boxes(data, start, end, contents):
        if kind == b"iinf":
            kinds = _item_kinds(data, low, high, contents)
        elif kind == b"iloc" and places is None:
            places = _item_places(data[low:high], contents)
        elif kind == b"iprp":
            _read_profile(data, low, high, contents)
    # Items can share their bytes; each stretch is read once.
    stretches = dict.fromkeys((kind, *(places or {}).get(item, (0, 0))) for item, kind in kinds.items())
    for kind, offset, length in stretches:
        stop = offset + min(length, MAX_BLOCK + 1)
        if not contents.room():
            contents.problem("further metadata items were not read: too much in all")
            break
        if kind == b"Exif" and length > 4 and offset + 4 <= len(data):
            skip = 4 + struct.unpack_from(">I", data, offset)[0]
            contents.add_exif(data[offset + skip : stop].removeprefix(b"Exif\0\0"))
        elif kind == _XMP_ITEM or (kind == b"mime" and _XMP_ROOT.search(data[offset : min(stop, offset + 4096)])):
            contents.add_xmp(data[offset:stop])


def _item_kinds(data: bytes, start: int, end: int, contents: Contents) -> dict[int, bytes]:
    wide = start < len(data) and data[start] > 0
    kinds: dict[int, bytes] = {}
    for kind, low, high in _boxes(data, start + (8 if wide else 6), end, contents):
        if kind == b"infe" and high - low >= 12 and data[low] >= 2:
            size = 2 if data[low] == 2 else 4
            item = int.from_bytes(data[low + 4 : low + 4 + size], "big")
            packet = data.find(_XMP_ITEM, low + 10 + size, high) >= 0
            kinds[item] = _XMP_ITEM if packet else data[low + 6 + size : low + 10 + size]
    return kinds


def _item_places(box: bytes, contents: Contents) -> dict[int, tuple[int, int]]:
    """Offset and length of the first extent of each item (`iloc`), for items that lie in the file itself."""
    if len(box) < 8:
        contents.problem("the table of the file's items is cut off")
        return {}
    version = box[0]
    offset_size, length_size = box[4] >> 4, box[4] & 15
    base_size, index_size = box[5] >> 4, (box[5] & 15 if version else 0)
    wide = 4 if version == 2 else 2
    count = int.from_bytes(box[6 : 6 + wide], "big")
    position = 6 + wide
    places: dict[int, tuple[int, int]] = {}

    def number(size: int) -> int:
        nonlocal position
        position += size
        return int.from_bytes(box[position - size : position], "big")

    for _ in range(min(count, _MAX_ITEMS)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        extents, first = number(2), position
        number(index_size)
        offset, length = number(offset_size), number(length_size)
        if position > len(box) and extents:
            contents.problem("the table of the file's items is cut off")
            break
        if extents and method == 0:
            places[item] = (base + offset, length)
        position = first + extents * (position - first)  # only the first extent is of use
    return places


def _read_profile(data: bytes, start: int, end: int, contents: Contents) -> None:
    for kind, low, high in _boxes(data, start, end, contents):
        if kind != b"ipco":
            continue
        for inner, first, last in _boxes(data, low, high, contents):
            if inner == b"colr" and data[first : first + 4] in {b"prof", b"rICC"} and not contents.icc:
                contents.icc = contents.keep(data[first + 4 : last], what="ICC profile")
