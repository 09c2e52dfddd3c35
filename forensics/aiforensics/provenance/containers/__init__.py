"""What a container holds beside its pixels: one file a format, each fills a `Contents`."""

from __future__ import annotations

from aiforensics.provenance.containers import gif, isobmff, jpeg, png, tiff, webp
from aiforensics.provenance.contents import Contents


def walk(data: bytes, contents: Contents) -> None:
    """Fill `contents` from a file, whose format is told from its bytes; nothing where it has no known container."""
    if data[:3] == b"\xff\xd8\xff":
        jpeg.walk(data, contents)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        png.walk(data, contents)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        webp.walk(data, contents)
    elif data[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        tiff.walk(data, contents)
    elif data[:6] in {b"GIF87a", b"GIF89a"}:
        gif.walk(data, contents)
    elif data[4:8] == b"ftyp":
        isobmff.walk(data, contents)
