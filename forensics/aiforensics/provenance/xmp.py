"""XMP: credits of AI services, the editor's history, names, place.

Source: ISO 16684-1 (XMP); Google, "Metadata for images edited or made with Google AI" (`photoshop:Credit`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance.dossier import Dossier, clean

_MADE = re.compile(r"\b(?:made|created|generated|imagined) with\b", re.IGNORECASE)
_EDITED = re.compile(r"\bedited with\b", re.IGNORECASE)
_AI = re.compile(r"\bai\b", re.IGNORECASE)
_NEAR = 20
"""Signs between the deed and AI that hold a service's name; more of them hold other words."""
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
        yield from _credit(credit)
    for name, meaning in _PRIVATE.items():
        if xmp.first(name):
            yield Claim("person", clean(f"{meaning}: {xmp.first(name)}"), f"XMP {name}", private=True)
    if xmp.first("exif:GPSLatitude"):
        place = f"{xmp.first('exif:GPSLatitude')}, {xmp.first('exif:GPSLongitude')}"
        yield Claim("place", clean(place, 80), "XMP exif:GPSLatitude", private=True)
    steps = xmp.values.get("stEvt:action", [])
    if steps:
        yield Claim("history", clean(f"{len(steps)} recorded steps: {', '.join(steps[:12])}"), "XMP History", "edited")


def _credit(credit: str) -> Iterator[Claim]:
    """Give what a credit says of AI, in its own words and without the names around them; the whole line is private."""
    source = "XMP photoshop:Credit"
    deeds: tuple[tuple[re.Pattern[str], ProvenanceOrigin], ...] = ((_MADE, "ai"), (_EDITED, "edited"))
    for deed, origin in deeds:
        words = _names_ai(deed, credit)
        if words:
            yield Claim("credit", clean(f"the file claims: {words}"), source, origin)
            if words == credit.strip():
                return
            break
    yield Claim("person", clean(f"credit: {credit}"), source, private=True)


def _names_ai(deed: re.Pattern[str], credit: str) -> str:
    """Words of a line from the deed to AI, or none; only its first deed is tried, which keeps the cost linear."""
    for line in credit.split("\n"):
        found = deed.search(line)
        ai = found and _AI.search(line, found.end())
        if found and ai:
            near = ai.start() - found.end() <= _NEAR
            return line[found.start() : ai.end()] if near else f"{found[0]} … {ai[0]}"
    return ""
