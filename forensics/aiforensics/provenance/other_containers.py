"""WebP, TIFF, GIF and ISO base media (AVIF, HEIF) files: EXIF, XMP, ICC, comments, C2PA marker.

Source: RFC 9649 (WebP); TIFF 6.0; GIF89a; ISO/IEC 14496-12 and 23008-12 (boxes, items); C2PA 2.1, annex A.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from aiforensics.provenance import tiff_ifd
from aiforensics.provenance.contents import MAX_BLOCK, Contents

_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_MAX_ITEMS = 4096
_XMP_ITEM = b"application/rdf+xml"
_XMP_ROOT = re.compile(rb"xmpmeta|rdf:RDF")
_GIF_BLOCK = re.compile(rb"[\x21\x2c\x3b]")


def walk_webp(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the chunks of a RIFF WebP file."""
    end = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0]) if len(data) >= 8 else 0
    position = 12
    while position + 8 <= end and contents.has_room():
        kind, length = struct.unpack_from("<4sI", data, position)
        body = slice(position + 8, position + 8 + min(length, MAX_BLOCK + 1))
        contents.part(kind.decode("latin-1"))
        if kind == b"EXIF":
            contents.add_exif(data[body].removeprefix(b"Exif\0\0"))
        elif kind == b"XMP ":
            contents.add_xmp(data[body])
        elif kind == b"ICCP" and not contents.icc:
            contents.icc = contents.keep(data[body], what="ICC profile")
        elif kind == b"C2PA":
            contents.manifest = True
        position += 8 + length + (length & 1)
    contents.trailing = max(0, len(data) - end)


def walk_tiff(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the tags of the first directory of a TIFF file (also DNG)."""
    contents.exif_blocks.append(data)
    first = tiff_ifd.read(data).first
    for tag, what in ((700, "XMP"), (34377, "Photoshop resources"), (34675, "ICC profile"), (52545, "C2PA")):
        value = first.get(tag)
        if tag == 52545:
            contents.manifest = value is not None
        elif isinstance(value, bytes) and value:
            if tag == 700:
                contents.add_xmp(value)
            elif tag == 34377:
                contents.photoshop = contents.keep(value, what=what)
            else:
                contents.icc = contents.keep(value, what=what)


def walk_gif(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the extensions of a GIF file."""
    position = 13 + (3 << ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 0x80 else 0)
    while contents.has_room() and (found := _GIF_BLOCK.search(data, position)) and found.end() < len(data):
        if found.start() > position:
            contents.problem("stray bytes stand between the blocks of the GIF; what follows them was read")
        position, kind = found.start(), data[found.start()]
        if kind == 0x2C and position + 10 <= len(data):
            flags = data[position + 9]
            position = _skip_blocks(data, position + 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0))
            contents.part("image")
        elif kind == 0x21:
            position = _read_gif_extension(data, position, contents)
        else:
            contents.trailing = len(data) - position - 1 if kind == 0x3B else 0
            return


def _read_gif_extension(data: bytes, position: int, contents: Contents) -> int:
    label = data[position + 1]
    contents.part(f"extension {label:02X}")
    end = _skip_blocks(data, position + 2)
    if label == 0xFE:
        body = b"".join(_blocks(data, position + 2, MAX_BLOCK))
        contents.add_text("Comment", body, "latin-1", "GIF comment")
    elif label == 0xFF and data[position + 3 : position + 14] == b"XMP DataXMP":
        contents.add_xmp(data[position + 14 : max(position + 14, end - 258)])
    elif label == 0xFF and data[position + 3 : position + 11] == b"C2PA_GIF":
        contents.manifest = True
    return end


def _blocks(data: bytes, position: int, limit: int) -> Iterator[bytes]:
    size = 0
    while position < len(data) and data[position] and size < limit:
        yield data[position + 1 : position + 1 + data[position]]
        size += data[position]
        position += 1 + data[position]


def _skip_blocks(data: bytes, position: int) -> int:
    while position < len(data) and data[position]:
        position += 1 + data[position]
    return position + 1


def walk_isobmff(data: bytes, contents: Contents) -> None:
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
    while start + 8 <= end and contents.has_room():
        length, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if length == 1 and start + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        elif length == 0:
            length = end - start
        if length < header:
            contents.problem("a box of the file has an impossible length")
            return
        contents.part(kind.decode("latin-1"))
        yield kind, start + header, min(end, start + length)
        start += length


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
