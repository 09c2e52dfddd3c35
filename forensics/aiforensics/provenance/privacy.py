"""Which claims are private: by their kind, or because their value can be anybody's words."""

from __future__ import annotations

import re
from collections.abc import Callable

from aiforensics.provenance.dossier import is_weights
from aiforensics.provenance.jpeg_structure import SEGMENTS

REMOVED = "(removed)"
"""What stands for the value of a private claim under `--redact`."""
KINDS = frozenset({"person", "place", "prompt", "text"})
"""Kinds of claims that are private whatever they say."""
UNKNOWN = "an unknown "
"""Begins what is said of a value of a vocabulary that is none of its terms, and so can be any words."""
_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,20})?")
_MAX_WORDS = 4
_MAX_NAME = 60
_DAY = r"\d{4}[:.-]?\d{2}[:.-]?\d{2}"
_TIME = r"[ T]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)? ?(?:Z|[+-]\d{2}:?\d{2})?"
_DATE = re.compile(rf"(?:taken|digitised|last changed) {_DAY}(?:{_TIME})?")
_CREATED = re.compile(rf"date created: {_DAY}")
_OPTICS = re.compile(r"\d ?mm\b|\b[fF]/?\d")
_MAX_LENS = 100
_MAX_LENS_WORDS = 8
_MAX_PRODUCT = 100
_MAX_PRODUCT_WORDS = 8
_STEPS = re.compile(
    r"\d+ recorded steps: (?:(?:\d{1,9} × )?(?:converted|copied|created|cropped|edited|filtered|formatted"
    r"|version_updated|printed|published|managed|produced|resized|saved|derived)(?:, |$))*…?"
)
_USUAL = re.compile(
    r"a|adobe|apple|artifex|best|beta|black|bruce|bt|built|c|c2|c2ci|camera|canon|cie|cmyk|coated|color|colormatch|curve"
    r"|d50|d65|darktable|dci|default|display|dot|e|eci|ecirgb|epson|facebook|gain|gamma|gamut|generic|gimp|gray|grey"
    r"|hasselblad|hd|hdtv|icc|icm|iec|in|intent|iso|itu|japan|lab|lcd|linear|newsprint|nikon|ntsc|offset|oprgb|p3|pal"
    r"|perceptual|photoshop|preference|profile|prophoto|pso|r|rec|reference|rgb|romm|rt|s|secam|sharing|sheetfed|smpte"
    r"|snp|sony|space|srgb|swop|sycc|tiny|transfer|trc|u|uncoated|urgb|us|web|white|wide|with|xyz"
    r"|(?:srgb|iec|fogra|rec|bt|rtv|v)?\d{1,5}[a-z]?"
)
"""Words of the names of usual colour profiles; another name is free text and can be that of a person's screen."""


def is_private(kind: str, value: str) -> bool:
    """Whether a claim of this kind and value is one that `--redact` removes: readers and results ask here alone.

    >>> is_private("person", "by-line: Jane"), is_private("seed", "7"), is_private("seed", "my cat Tom")
    (True, False, True)
    """
    return kind in KINDS or (kind in _PUBLIC and not _PUBLIC[kind](value))


def _is_name(value: str) -> bool:
    """Whether a value looks like a name of few words; else it can be anything."""
    words = [word for word in value.split() if not any(sign.isdigit() for sign in word)]
    return len(value) <= _MAX_NAME and (len(words) <= _MAX_WORDS or is_weights(value[-12:]))


def _is_record(value: str) -> bool:
    """Whether an IPTC record is a day, or names a program in few words."""
    label, _, words = value.partition(": ")
    return _is_name(words) if label == "originating program" else _CREATED.fullmatch(value) is not None


def _is_lens(value: str) -> bool:
    """Whether a value names a lens: few words, or its focal length or aperture among them."""
    plain = [word for word in value.split() if not any(sign.isdigit() for sign in word)]
    has_optics = _OPTICS.search(value) is not None and len(plain) <= _MAX_LENS_WORDS
    return _is_name(value) or (has_optics and len(value) <= _MAX_LENS)


def _is_program(value: str) -> bool:
    """Whether a value names a program in few words, or is what a segment of a JPEG tells of its program."""
    return value in SEGMENTS.values() or _is_product(value)


def _is_product(value: str) -> bool:
    """Whether a value can be what a camera, a scanner or a program calls itself: a sentence is anybody's words."""
    plain = [word for word in value.split() if not any(sign.isdigit() for sign in word)]
    return len(value) <= _MAX_PRODUCT and len(plain) <= _MAX_PRODUCT_WORDS


def _is_device(value: str) -> bool:
    return _is_product(value.partition(": ")[2])


def _is_usual_profile(name: str) -> bool:
    return all(map(_USUAL.fullmatch, filter(None, re.split(r"[\W_]+", name.lower()))))


def _is_term(value: str) -> bool:
    return UNKNOWN not in value


def _has_form(form: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: form.fullmatch(value) is not None


_PUBLIC: dict[str, Callable[[str], bool]] = {
    "seed": _has_form(_NUMBER),
    "model": _is_name,
    "sampler": _is_name,
    "colour-profile": _is_usual_profile,
    "source-type": _is_term,
    "aigc-label": _is_term,
    "date": _has_form(_DATE),
    "iptc": _is_record,
    "lens": _is_lens,
    "camera": _is_device,
    "scanner": _is_device,
    "software": _is_program,
    "history": _has_form(_STEPS),
}
"""Kinds of claims that are public where their value is what it should be."""
