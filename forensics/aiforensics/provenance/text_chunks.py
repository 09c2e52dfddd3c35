"""Texts of PNG, JPEG and GIF, and descriptions in EXIF and XMP: shown as they stand, as private as prompts are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance.dossier import Dossier, clean, without_folders
from aiforensics.provenance.exif import EDITORS, place_of, user_comment, words

_PROGRAM = {"Software", "Creator", "generator"}
_STAMP = re.compile(
    rf"(?:created|made|edited) (?:with|by|using) (?:the |adobe )?{EDITORS.pattern}[ \d.]*", re.IGNORECASE
)
"""What editors write as a comment; any other comment may be a person's."""
_TAGS = {0x010E: "ImageDescription", 0x9C9B: "XPTitle", 0x9C9C: "XPComment", 0x9C9E: "XPKeywords", 0x9C9F: "XPSubject"}
_USER_COMMENT = 0x9286
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
        for directory in (tags.exif, tags.first):
            yield user_comment(directory.get(_USER_COMMENT)), f"{place} UserComment"
    for name in _PROPERTIES:
        yield "; ".join(dict.fromkeys(dossier.xmp.values.get(name, ()))), f"XMP {name}"


def _is_editor(keyword: str, text: str) -> bool:
    if keyword == "Comment":
        return _STAMP.fullmatch(text.strip()[:100]) is not None
    return keyword in _PROGRAM and len(text.strip()) < 100 and EDITORS.search(text) is not None
