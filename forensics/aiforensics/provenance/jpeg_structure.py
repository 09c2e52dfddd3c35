"""The JPEG coding itself: quantisation tables against known programs, and traces of programs in the markers.

Tables are compared with those of the Independent JPEG Group's scale (most programs and many phones use it), with those
of Photoshop, as Pillow's `JpegPresets` list them, and with a few that files of one camera maker share. Source: ITU-T
T.81, annex K; Kornblum, "Using JPEG quantization tables to identify imagery processed by software", Digital
Investigation 5 (2008), doi:10.1016/j.diin.2008.05.004.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from PIL import JpegPresets

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.image.jpegfacts import STANDARD_CHROMINANCE, STANDARD_LUMINANCE, scaled
from aiforensics.provenance.dossier import Dossier

Tables = tuple[tuple[int, ...], ...]
SEGMENTS = {
    "APP12 Ducky": "a segment that Photoshop's 'Save for web' writes",
}
"""What a segment of a JPEG tells of the program that wrote it."""

_PRESET_WORDS = {
    "low": "Photoshop's (or Lightroom's) 'low' quality",
    "medium": "Photoshop's (or Lightroom's) 'medium' quality",
    "high": "Photoshop's (or Lightroom's) 'high' quality",
    "maximum": "Photoshop's (or Lightroom's) 'maximum' quality",
    "web_low": "Photoshop's 'Save for web, low'",
    "web_medium": "Photoshop's 'Save for web, medium'",
    "web_high": "Photoshop's 'Save for web, high'",
    "web_very_high": "Photoshop's 'Save for web, very high'",
    "web_maximum": "Photoshop's 'Save for web, maximum'",
}
_CAMERA_TABLES = {
    "c7c059e27236": "Canon",
    "818ae23a9d95": "Canon",
    "9aaa0513066e": "Apple",
    "87681cd2091d": "Apple",
    "bb258137c345": "Nikon",
    "6355a1abb368": "Nikon",
    "5be8d1ceeb17": "Nikon",
    "6ed7211785de": "Nikon",
    "a3645d2bd616": "Kodak",
}
"""First digits of the sha256 of the tables' tuple, for tables that several unedited files of one maker alone share."""


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims from tables and markers."""
    facts = dossier.picture.jpeg
    contents = dossier.contents
    if facts is not None:
        program = table_owner(facts.tables)
        known = program or f"tables of no known program (nearest common quality {facts.quality})"
        form = "progressive" if facts.progressive else "baseline"
        origin: ProvenanceOrigin = "edited" if is_photoshop(program) else "unknown"
        yield Claim("jpeg-coding", f"{known}; {facts.subsampling}, {form}", "JPEG quantisation tables", origin)
    for mark, told in SEGMENTS.items():
        if mark in contents.parts:
            yield Claim("software", told, f"JPEG {mark}")
    if contents.trailing > 64:
        yield Claim("trailing-data", f"{contents.trailing} bytes follow the end of the picture", "file structure")


def table_owner(tables: Tables) -> str:
    """Return the program family whose tables these are, or an empty text.

    Parameters
    ----------
    tables
        Quantisation tables of 64 values in natural order.
    """
    if not tables:
        return ""
    if tables[:2] in _photoshop():
        return _photoshop()[tables[:2]]
    maker = _CAMERA_TABLES.get(hashlib.sha256(repr(tables).encode()).hexdigest()[:12])
    if maker is not None:
        return f"tables that {maker} cameras write"
    quality = _standard().get(tables[0])
    if quality is None or (len(tables) > 1 and tables[1] not in {_steps(STANDARD_CHROMINANCE, quality), tables[0]}):
        return ""
    return f"the standard tables at quality {quality}, as most programs and many phones use them"


def is_photoshop(owner: str) -> bool:
    """Whether `table_owner` named Photoshop."""
    return owner.startswith("Photoshop")


@cache
def _photoshop() -> dict[Tables, str]:
    presets: dict[str, Any] = JpegPresets.presets
    return {
        tuple(tuple(table) for table in presets[name]["quantization"]): words
        for name, words in _PRESET_WORDS.items()
        if name in presets
    }


@cache
def _standard() -> dict[tuple[int, ...], int]:
    return {_steps(STANDARD_LUMINANCE, quality): quality for quality in range(1, 101)}


def _steps(base: tuple[int, ...], quality: int) -> tuple[int, ...]:
    return tuple(scaled(base, quality).tolist())
