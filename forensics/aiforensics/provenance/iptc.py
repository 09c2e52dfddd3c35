"""IPTC: the digital source type, and the older IIM records with names, places and programs.

Source: IPTC Photo Metadata Standard 2025.1; IPTC-NAA Information Interchange Model 4.2, record 2 (read in `iim`).
"""

from __future__ import annotations

from collections.abc import Iterator

from aiforensics.evidence import Claim
from aiforensics.provenance import exif, source_types, xmp
from aiforensics.provenance.denial import names_nothing
from aiforensics.provenance.dossier import Dossier, clean, without_folders
from aiforensics.provenance.privacy import UNKNOWN, is_private
from aiforensics.provenance.xmp_packet import PART

_MAX_UNKNOWN = 4
_PUBLIC = {65: "originating program", 55: "date created"}
_PRIVATE = {
    80: "by-line",
    90: "city",
    92: "place",
    115: "source",
    116: "copyright",
    118: "contact",
    122: "writer",
}
_CREDIT = 110
_TEXTS = {5: "title", 25: "keyword", 40: "instructions", 105: "headline", 120: "caption"}


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims of the digital source type and of the IIM records."""
    for name in ("Iptc4xmpExt:DigitalSourceType", "Iptc4xmpExt:DigitalSourcefileType"):
        values = dict.fromkeys(dossier.xmp.values.get(name, ()))
        known = dict.fromkeys(filter(None, map(source_types.meaning, values)))
        unknown = [value for value in values if source_types.meaning(value) is None]
        for origin, words in known:
            yield Claim("source-type", f"the file claims: {words}", f"IPTC {name}", origin)
        for value in unknown[:_MAX_UNKNOWN]:
            shown = clean(f"{UNKNOWN}digital source type: {value}")
            yield Claim("source-type", shown, f"IPTC {name}")
        if len(unknown) > _MAX_UNKNOWN:
            left_out = f"{len(unknown) - _MAX_UNKNOWN} further unknown source types were left out"
            yield Claim("unreadable", left_out, f"IPTC {name}")
        of_parts = map(source_types.meaning, dossier.xmp.values.get(PART + name, ()))
        if any(known is not None and known[0] == "ai" for known in of_parts):
            words = "the file claims: a part made by a trained AI model was placed in it"
            yield Claim("ai-edit", words, f"IPTC {name}", "edited")
    yield from _ai_system(dossier)
    yield from (Claim("unreadable", problem, "IPTC") for problem in dossier.records.problems)
    for number, text in dossier.records.texts:
        if number in _PUBLIC:
            shown = clean(f"{_PUBLIC[number]}: {without_folders(text)}")
            yield Claim("iptc", shown, f"IPTC record 2:{number}")
        elif number == _CREDIT:
            yield from xmp.credit(text, f"IPTC record 2:{number}")
        elif number in _PRIVATE:
            yield Claim("person", clean(f"{_PRIVATE[number]}: {text}"), f"IPTC record 2:{number}")
        elif number in _TEXTS:
            yield Claim("text", clean(f"{_TEXTS[number]}: {text}"), f"IPTC record 2:{number}")


def _ai_system(dossier: Dossier) -> Iterator[Claim]:
    """What the properties on AI say; where the file calls the picture none of AI, the system had a part in it."""
    properties = dossier.xmp
    name = "Iptc4xmpExt:AISystemUsed"
    types = map(source_types.meaning, properties.values.get("Iptc4xmpExt:DigitalSourceType", ()))
    origins = {known[0] for known in types if known is not None}
    made = not origins or "ai" in origins
    version = properties.first("Iptc4xmpExt:AISystemVersionUsed")
    for system in dict.fromkeys(properties.values.get(name, ())):
        if names_nothing(system):
            yield Claim("text", clean(system), f"XMP {name}")
            continue
        named = clean(system if version in system else f"{system} {version}")
        shown = "an AI system" if is_private("model", named) else named
        if made and not exif.EDITORS.search(system):
            yield Claim("generator", f"the file claims to be made with {shown}", f"XMP {name}", "ai")
        else:
            yield Claim(
                "ai-edit", f"the file claims that an AI system had a part in it: {shown}", f"XMP {name}", "edited"
            )
        if shown != named:
            yield Claim("text", named, f"XMP {name}")
    for kind, label in (("prompt", "AIPromptInformation"), ("person", "AIPromptWriterName")):
        if value := clean(properties.first(f"Iptc4xmpExt:{label}"), 1000):
            yield Claim(kind, value, f"XMP Iptc4xmpExt:{label}")
