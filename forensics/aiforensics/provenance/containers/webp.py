"""WebP: EXIF, XMP, ICC and the C2PA chunk (RFC 9649; C2PA specification 2.1, annex A)."""

from __future__ import annotations

from aiforensics.image.containers import webp
from aiforensics.provenance.contents import MAX_BLOCK, Contents


def walk(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the chunks of a WebP file."""
    for chunk in webp.chunks(data):
        if not contents.has_room():
            break
        body = data[chunk.body : min(chunk.end, chunk.body + MAX_BLOCK + 1)]
        contents.part(chunk.kind.decode("latin-1"))
        if chunk.kind == b"EXIF":
            contents.add_exif(body.removeprefix(b"Exif\0\0"))
        elif chunk.kind == b"XMP ":
            contents.add_xmp(body)
        elif chunk.kind == b"ICCP" and not contents.icc:
            contents.icc = contents.keep(body, what="ICC profile")
        elif chunk.kind == b"C2PA":
            contents.manifest = True
    contents.trailing = max(0, len(data) - webp.claimed_end(data))
