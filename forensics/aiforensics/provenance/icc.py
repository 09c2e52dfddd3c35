"""The ICC profile's name: a trace of the device or program that wrote the file.

Source: ICC.1:2022, clauses 9.2 and 10.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from aiforensics.evidence import Claim
from aiforensics.provenance.dossier import Dossier, clean

_MAX_TAGS = 200


def read(dossier: Dossier) -> Iterator[Claim]:
    """Return a claim of the profile's description."""
    profile = dossier.contents.icc
    name = description(profile)
    if name:
        shown = clean(name, 120)
        yield Claim("colour-profile", shown, "ICC profile")
    elif profile:
        yield Claim("unreadable", "the colour profile has no readable description", "ICC profile")


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
