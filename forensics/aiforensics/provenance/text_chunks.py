"""Texts of PNG, JPEG and GIF, and descriptions in EXIF and XMP: shown as they stand, as private as prompts are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance.dossier import Dossier, clean, without_folders
from aiforensics.provenance.exif import EDITORS, place_of, user_comments, words

_EDITOR = (
    rf"(?:the |adobe |corel )?{EDITORS.pattern}(?:draw)?"
    rf"(?: (?:{EDITORS.pattern}|cc|cs\d|classic|elements|pro|express|labs?|photo|studio|ai))*[ v\d.]*"
    r"(?:\((?:windows|macintosh|mac ?os|linux|android|ios|renderer)\))?"
)
_PROGRAM = re.compile(_EDITOR, re.IGNORECASE)
_STAMP = re.compile(rf"(?:created|made|edited) (?:with|by|using) {_EDITOR}", re.IGNORECASE)
"""What editors write as their name and as a comment; another creator or comment may be a person's."""
_MAX_NAME = 100
_TAGS = {0x010E: "ImageDescription", 0x9C9B: "XPTitle", 0x9C9C: "XPComment", 0x9C9E: "XPKeywords", 0x9C9F: "XPSubject"}
_PROPERTIES = (
    *("dc:title", "dc:description", "dc:subject", "photoshop:Headline", "photoshop:Instructions", "exif:UserComment"),
    *("tiff:ImageDescription", "Iptc4xmpCore:AltTextAccessibility"),
)


def read(dossier: Dossier) -> Iterator[Claim]:
    """One claim for each text."""
    for text in dossier.contents.texts:
        if _is_editor(text.keyword, text.text):
            origin: ProvenanceOrigin = "edited"
            yield Claim("software", clean(without_folders(text.text)), text.source, origin)
        elif text.keyword == "Software":
            yield Claim("software", clean(without_folders(text.text)), text.source)
        else:
            yield Claim("text", clean(f"{text.keyword}: {text.text}"), text.source)
    for description, source in _described(dossier):
        # A comment of a maker's own bytes is no text.
        if "\ufffd" not in description and any(map(str.isalnum, description)):
            yield Claim("text", clean(description), source)


def _described(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """Texts of EXIF and XMP that describe the picture, with their place; keywords of one property as one text."""
    for number, tags in enumerate(dossier.exifs):
        place = place_of(number)
        for tag, name in _TAGS.items():
            yield words(tag, tags.first.get(tag)), f"{place} {name}"
    yield from user_comments(dossier)
    for name in _PROPERTIES:
        yield "; ".join(dict.fromkeys(dossier.xmp.values.get(name, ()))), f"XMP {name}"


def _is_editor(keyword: str, text: str) -> bool:
    name = text.strip()
    if len(name) >= _MAX_NAME:
        return False
    if keyword == "Software":
        return EDITORS.search(name) is not None
    form = {"Comment": _STAMP, "Creator": _PROGRAM, "generator": _PROGRAM}.get(keyword)
    return form is not None and form.fullmatch(name) is not None
