"""The ICC profile's name: a trace of the device or program that wrote the file.

Source: ICC.1:2022, clauses 9.2 and 10.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from aiforensics.evidence import Claim
from aiforensics.provenance.dossier import Dossier, clean

_MAX_TAGS = 200
_USUAL = re.compile(
    r"a|adobe|apple|artifex|best|beta|black|bruce|bt|built|c|c2|c2ci|camera|canon|cie|cmyk|coated|color|colormatch|curve"
    r"|d50|d65|darktable|dci|default|display|dot|e|eci|ecirgb|epson|facebook|gain|gamma|gamut|generic|gimp|gray|grey"
    r"|hasselblad|hd|hdtv|icc|icm|iec|in|intent|iso|itu|japan|lab|lcd|linear|newsprint|nikon|ntsc|offset|oprgb|p3|pal"
    r"|perceptual|photoshop|preference|profile|prophoto|pso|r|rec|reference|rgb|romm|rt|s|secam|sharing|sheetfed|smpte"
    r"|snp|sony|space|srgb|swop|sycc|tiny|transfer|trc|u|uncoated|urgb|us|web|white|wide|with|xyz"
    r"|(?:srgb|iec|fogra|rec|bt|rtv|v)?\d{1,5}[a-z]?"
)
"""Words of the names of usual profiles; another name is free text and can be that of a person's screen or printer."""


def read(dossier: Dossier) -> Iterator[Claim]:
    """Return A claim of the profile's description."""
    profile = dossier.contents.icc
    name = description(profile)
    if name:
        yield Claim("colour-profile", clean(name, 120), "ICC profile", private=not _is_usual(name))
    elif profile:
        yield Claim("unreadable", "the colour profile has no readable description", "ICC profile")


def _is_usual(name: str) -> bool:
    words = filter(None, re.split(r"[\W_]+", name.lower()))
    return all(map(_USUAL.fullmatch, words))


def description(profile: bytes) -> str:
    """Text of the `desc` tag in either form, or an empty text."""
    if len(profile) < 132:
        return ""
    (count,) = struct.unpack_from(">I", profile, 128)
    for index in range(min(count, _MAX_TAGS)):
        start = 132 + 12 * index
        if start + 12 > len(profile):
            return ""
        tag, offset, size = struct.unpack_from(">4sII", profile, start)
        if tag == b"desc":
            return _text(profile[offset : offset + min(size, 4096)])
    return ""


def _text(body: bytes) -> str:
    if body[:4] == b"desc" and len(body) > 12:
        (length,) = struct.unpack_from(">I", body, 8)
        return body[12 : 12 + length].split(b"\0")[0].decode("latin-1")
    if body[:4] == b"mluc" and len(body) >= 28:
        length, offset = struct.unpack_from(">II", body, 20)
        return body[offset : offset + length].decode("utf-16-be", "replace").strip("\0")
    return ""
