"""XMP: credits of AI services, the editor's history, names, place.

Source: ISO 16684-1 (XMP); Google, "Metadata for images edited or made with Google AI" (`photoshop:Credit`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiforensics.evidence import Claim
from aiforensics.provenance.dossier import Dossier, clean

_MADE = re.compile(r"\b(made|created|generated|imagined) with\b.*\bai\b", re.IGNORECASE)
_EDITED = re.compile(r"\bedited with\b.*\bai\b", re.IGNORECASE)
_MAX_CREDIT = 500
_PRIVATE = {
    "dc:creator": "creator",
    "photoshop:AuthorsPosition": "author's position",
    "photoshop:City": "city",
    "Iptc4xmpExt:PersonInImage": "person shown",
    "xmpRights:Owner": "owner",
    "aux:SerialNumber": "camera serial number",
}


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims from the XMP packets that no other reader reads."""
    xmp = dossier.xmp
    for problem in xmp.problems:
        yield Claim("unreadable", problem, "XMP")
    credit = xmp.first("photoshop:Credit")[:_MAX_CREDIT]  # the patterns are quadratic in its length
    if _MADE.search(credit):
        yield Claim("credit", clean(f"the file claims: {credit}"), "XMP photoshop:Credit", "ai")
    elif _EDITED.search(credit):
        yield Claim("credit", clean(f"the file claims: {credit}"), "XMP photoshop:Credit", "edited")
    elif credit:
        yield Claim("person", clean(f"credit: {credit}"), "XMP photoshop:Credit", private=True)
    for name, meaning in _PRIVATE.items():
        if xmp.first(name):
            yield Claim("person", clean(f"{meaning}: {xmp.first(name)}"), f"XMP {name}", private=True)
    if xmp.first("exif:GPSLatitude"):
        place = f"{xmp.first('exif:GPSLatitude')}, {xmp.first('exif:GPSLongitude')}"
        yield Claim("place", clean(place, 80), "XMP exif:GPSLatitude", private=True)
    steps = xmp.values.get("stEvt:action", [])
    if steps:
        yield Claim("history", clean(f"{len(steps)} recorded steps: {', '.join(steps[:12])}"), "XMP History", "edited")
