"""JPEG marker segments up to the first scan, and what follows the end of the picture.

Source: ITU-T T.81, annex B; XMP specification part 3, section 1.1.3; C2PA specification 2.1, section A.3.1.
"""

from __future__ import annotations

from aiforensics.image.containers import jpeg
from aiforensics.provenance.contents import MAX_BLOCK, Contents

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENSION_HEADER = len(_XMP_EXTENSION) + 40


def walk(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the segments before the first scan of a JPEG file."""
    extensions: dict[bytes, list[tuple[int, bytes]]] = {}
    photoshop: list[bytes] = []
    profile: list[bytes] = []
    instances: set[bytes] = set()
    for segment in jpeg.segments(data):
        if not contents.has_room():
            break
        # Decoders pass over whatever stands between segments, so that a stray byte hides nothing from them.
        if jpeg.is_stray(data[segment.after : segment.start]):
            contents.problem("stray bytes stand between the segments of the JPEG; what follows them was read")
        marker, body = segment.marker, data[segment.body : segment.end]
        contents.part(_name(marker, body))
        if marker == jpeg.SCAN:
            break
        if marker == 0xE1 and body.startswith(_XMP_EXTENSION):
            names = body[len(_XMP_EXTENSION) : _EXTENSION_HEADER]  # its sum, its whole length, this part's offset
            part = (int.from_bytes(names[-4:], "big"), body[_EXTENSION_HEADER:])
            extensions.setdefault(names[:32], []).append(part)
        elif marker == 0xED and body.startswith(b"Photoshop 3.0\0"):
            photoshop.append(body[14:])
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile.append(body[14:])
        elif marker == 0xEB and (b"c2pa" in body[:128] or body[2:4] in instances):
            # The parts of a store share its box instance number; only the first names it.
            instances.add(body[2:4])
            contents.manifest = True
            contents.manifest_spans.append((segment.start, segment.end))
        else:
            _read_segment(marker, body, contents)
    for parts in extensions.values():  # in whatever order they stand, and a stranger's beside them
        contents.add_xmp(_join([part for _, part in sorted(parts)]), what="extended XMP")
    contents.photoshop = contents.keep(_join(photoshop), what="Photoshop resources")
    contents.icc = contents.keep(_join(profile), what="ICC profile")
    end = data.rfind(b"\xff\xd9")
    contents.trailing = len(data) - end - 2 if end >= 0 else 0


def _read_segment(marker: int, body: bytes, contents: Contents) -> None:
    if marker == 0xE1 and body.startswith(b"Exif\0"):
        contents.add_exif(body[6:])
    elif marker == 0xE1 and body.startswith(_XMP):
        contents.add_xmp(body[len(_XMP) :])
    elif marker == jpeg.COMMENT:
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
