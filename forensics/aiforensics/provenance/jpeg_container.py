"""JPEG marker segments up to the first scan, and what follows the end of the picture.

Source: ITU-T T.81, annex B; XMP specification part 3, section 1.1.3; C2PA specification 2.1, section A.3.1.
"""

from __future__ import annotations

import struct

from aiforensics.provenance.contents import MAX_BLOCK, Contents

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENSION_HEADER = len(_XMP_EXTENSION) + 40
_STANDALONE = {0x01, *range(0xD0, 0xD8)}


def walk(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the segments before the first scan of a JPEG file."""
    position = 2
    extension: list[bytes] = []
    photoshop: list[bytes] = []
    profile: list[bytes] = []
    while position + 4 <= len(data) and contents.has_room():
        if data[position] != 0xFF:
            contents.problem("JPEG segments are broken: no marker where one must stand")
            break
        marker = data[position + 1]
        if marker == 0xFF or marker in _STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        body = data[position + 4 : position + 2 + length]
        contents.part(_name(marker, body))
        if marker == 0xDA:
            break
        if marker == 0xE1 and body.startswith(_XMP_EXTENSION):
            extension.append(body[_EXTENSION_HEADER:])
        elif marker == 0xED and body.startswith(b"Photoshop 3.0\0"):
            photoshop.append(body[14:])
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile.append(body[14:])
        else:
            _read_segment(marker, body, contents)
        position += 2 + max(length, 2)
    if extension:
        contents.xmp.append(contents.keep(_join(extension), what="extended XMP"))
    contents.photoshop = contents.keep(_join(photoshop), what="Photoshop resources")
    contents.icc = contents.keep(_join(profile), what="ICC profile")
    end = data.rfind(b"\xff\xd9")
    contents.trailing = len(data) - end - 2 if end >= 0 else 0


def _read_segment(marker: int, body: bytes, contents: Contents) -> None:
    if marker == 0xE1 and body.startswith(b"Exif\0"):
        # The first EXIF block counts, as in every viewer.
        contents.exif = contents.exif or contents.keep(body[6:], what="EXIF")
    elif marker == 0xE1 and body.startswith(_XMP):
        contents.xmp.append(contents.keep(body[len(_XMP) :], what="XMP"))
    elif marker == 0xEB and body[:2] == b"JP" and b"c2pa" in body[:128]:
        contents.manifest = True
    elif marker == 0xFE:
        contents.add_text("Comment", body.rstrip(b"\0"), "latin-1", "JPEG comment")


def _join(blocks: list[bytes]) -> bytes:
    joined: list[bytes] = []
    size = 0
    for block in blocks:
        joined.append(block)
        size += len(block)
        if size > MAX_BLOCK:
            break
    return b"".join(joined)


def _name(marker: int, body: bytes) -> str:
    if 0xE0 <= marker <= 0xEF:
        tag = body[:12].split(b"\0")[0].decode("ascii", "replace")
        return f"APP{marker - 0xE0} {''.join(c for c in tag if c.isprintable())}".strip()
    names = {0xDB: "DQT", 0xC4: "DHT", 0xDA: "SOS", 0xDD: "DRI", 0xFE: "COM", 0xC0: "SOF0", 0xC1: "SOF1", 0xC2: "SOF2"}
    return names.get(marker, f"FF{marker:02X}")
