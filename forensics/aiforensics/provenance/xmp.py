"""XMP: credits of AI services, the editor's history, names, place.

Source: ISO 16684-1 (XMP); Google, "Metadata for images edited or made with Google AI" (`photoshop:Credit`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiforensics.evidence import Claim
from aiforensics.provenance.dossier import Dossier, clean

_MADE = re.compile(r"\b(?:made|created|generated|imagined) with\b", re.IGNORECASE)
_EDITED = re.compile(r"\bedited with\b", re.IGNORECASE)
_AI = re.compile(r"\bai\b", re.IGNORECASE)
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
    for credit in dict.fromkeys(xmp.values.get("photoshop:Credit", ())):
        yield _credit(credit)
    for name, meaning in _PRIVATE.items():
        if xmp.first(name):
            yield Claim("person", clean(f"{meaning}: {xmp.first(name)}"), f"XMP {name}", private=True)
    if xmp.first("exif:GPSLatitude"):
        place = f"{xmp.first('exif:GPSLatitude')}, {xmp.first('exif:GPSLongitude')}"
        yield Claim("place", clean(place, 80), "XMP exif:GPSLatitude", private=True)
    steps = xmp.values.get("stEvt:action", [])
    if steps:
        yield Claim("history", clean(f"{len(steps)} recorded steps: {', '.join(steps[:12])}"), "XMP History", "edited")


def _credit(credit: str) -> Claim:
    source = "XMP photoshop:Credit"
    if _names_ai(_MADE, credit):
        return Claim("credit", clean(f"the file claims: {credit}"), source, "ai")
    if _names_ai(_EDITED, credit):
        return Claim("credit", clean(f"the file claims: {credit}"), source, "edited")
    return Claim("person", clean(f"credit: {credit}"), source, private=True)


def _names_ai(deed: re.Pattern[str], credit: str) -> bool:
    """Whether a line names the deed and then AI; only its first deed is tried, which keeps the cost linear."""
    deeds = ((line, deed.search(line)) for line in credit.split("\n"))
    return any(found is not None and _AI.search(line, found.end()) for line, found in deeds)
