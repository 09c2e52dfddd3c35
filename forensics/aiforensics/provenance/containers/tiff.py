"""TIFF and what is built on it (DNG): EXIF, XMP, IPTC, ICC and C2PA in the tags of the first directory."""

from __future__ import annotations

from aiforensics.provenance import tiff_ifd
from aiforensics.provenance.contents import Contents

_TAGS = {700: "XMP", tiff_ifd.IPTC: "IPTC", 34377: "Photoshop resources", 34675: "ICC profile", 52545: "C2PA"}


def walk(data: bytes, contents: Contents) -> None:
    """Fill `contents` from the tags of the first directory of a TIFF file (also DNG)."""
    contents.exif_blocks.append(data)
    first = tiff_ifd.read(data).first
    for tag, what in _TAGS.items():
        value = first.get(tag)
        if tag == 52545:
            contents.manifest = value is not None
        elif isinstance(value, bytes) and value:
            if tag == 700:
                contents.add_xmp(value)
            elif tag == tiff_ifd.IPTC:
                contents.iptc = contents.keep(value, what=what)
            elif tag == 34377:
                contents.photoshop = contents.keep(value, what=what)
            else:
                contents.icc = contents.keep(value, what=what)
