"""Texts of PNG, JPEG and GIF that no other reader knows: shown as they stand, as private as prompts are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance.dossier import Dossier, clean, without_folders
from aiforensics.provenance.exif import EDITORS

_PROGRAM = {"Software", "Creator", "generator"}
_STAMP = re.compile(
    rf"(?:created|made|edited) (?:with|by|using) (?:the |adobe )?{EDITORS.pattern}[ \d.]*", re.IGNORECASE
)
"""What editors write as a comment; any other comment may be a person's."""


def read(dossier: Dossier) -> Iterator[Claim]:
    """One claim for each text."""
    for text in dossier.contents.texts:
        if _is_editor(text.keyword, text.text):
            origin: ProvenanceOrigin = "edited"
            yield Claim("software", clean(without_folders(text.text)), text.source, origin)
        elif text.keyword == "Software":
            yield Claim("software", clean(without_folders(text.text)), text.source)
        else:
            yield Claim("text", clean(f"{text.keyword}: {text.text}"), text.source, private=True)


def _is_editor(keyword: str, text: str) -> bool:
    if keyword == "Comment":
        return _STAMP.fullmatch(text.strip()[:100]) is not None
    return keyword in _PROGRAM and len(text.strip()) < 100 and EDITORS.search(text) is not None
