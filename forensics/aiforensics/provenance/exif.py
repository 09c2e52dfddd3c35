"""EXIF: camera, lens, software, dates, place, names, thumbnail.

Source: CIPA DC-008 (Exif 3.0), section 4.6.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from aiforensics.evidence import Claim
from aiforensics.provenance import generator_names
from aiforensics.provenance.dossier import Dossier, clean, without_folders
from aiforensics.provenance.tiff_ifd import Directories, Fields, Value

EDITORS = re.compile(
    r"\b(?:photoshop|lightroom|camera raw|gimp|affinity|capture one|darktable|rawtherapee|snapseed|picasa|paint\.net"
    r"|pixelmator|luminar|dxo|acdsee|irfanview|photoscape|picsart|canva\b|facetune|vsco|meitu|faceapp|photopea|pixlr|corel"
    r"|paintshop|krita|on1\b|topaz|photo ?editor|instagram)",
    re.IGNORECASE,
)
"""Names of programs that change pictures; a developer of raw files is one of them."""
_SCANNER = re.compile(
    r"scan(?!d)|\b(?:perfection|epson expression|lide|plustek|opticfilm|opticpro|opticbook|flextight|primefilm"
    r"|reflecta|documate|imageformula|fi-\d{4}|ls-\d000|gt-x\d{3})\b",
    re.IGNORECASE,
)
_MAKE, _MODEL, _SOFTWARE, _USER_COMMENT = 0x010F, 0x0110, 0x0131, 0x9286
_UNUSUAL = {"Cc", "Cn", "Co", "Cs"}
_SAMPLE = 4096
_MAX_PROGRAMS = 12
_WINDOWS = range(0x9C9B, 0x9CA0)
_WORKFLOW = re.compile(r"\s*(\{|prompt:|workflow:)", re.IGNORECASE)
_PRIVATE_TAGS = {
    "first": {0x013B: "artist", 0x8298: "copyright", 0x9C9D: "author"},
    "exif": {0xA430: "camera owner", 0xA431: "camera serial number", 0xA435: "lens serial number"},
}


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims from every EXIF block, and from XMP what EXIF can say too."""
    for number, tags in enumerate(dossier.exifs):
        yield from _block(tags, place_of(number))
    first, xmp = dossier.exif.first, dossier.xmp
    if not any(text(first.get(tag)) for tag in (_MAKE, _MODEL)):
        yield from _camera(xmp.first("tiff:Make"), xmp.first("tiff:Model"), "XMP tiff:Make")
    tools = dict.fromkeys(xmp.values.get("stEvt:softwareAgent", ()), "XMP History")
    tools |= dict.fromkeys(xmp.values.get("tiff:Software", ()), "XMP tiff:Software")
    tools |= dict.fromkeys(xmp.values.get("xmp:CreatorTool", ()), "XMP CreatorTool")
    for tags in dossier.exifs:
        tools.pop(text(tags.first.get(_SOFTWARE)), None)
    # The editors first: a list that is filled up with other names must not hide them.
    for tool in sorted(tools, key=lambda name: EDITORS.search(name) is None)[:_MAX_PROGRAMS]:
        yield _program(tool, tools[tool])
    if len(tools) > _MAX_PROGRAMS:
        yield Claim("unreadable", f"{len(tools) - _MAX_PROGRAMS} further names of programs were left out", "XMP")


def place_of(number: int) -> str:
    """Words for the place of an EXIF block, counted from 0; the first one is the one that viewers show."""
    return f"EXIF block {number + 1}" if number else "EXIF"


def text(value: Value | None) -> str:
    """Return the value of a text tag, or an empty text."""
    return value.replace("\0", " ").strip() if isinstance(value, str) else ""


def words(tag: int, value: Value | None) -> str:
    """Return the text of a text tag in whichever type it was written; the tags of Windows are in UTF-16."""
    if isinstance(value, bytes):
        return value.decode("utf-16-le" if tag in _WINDOWS else "utf-8", "replace").strip("\0 ")
    return text(value)


def user_comment(value: Value | None) -> str:
    """Return the text of a UserComment with its eight-byte character code, in either byte order."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        return ""
    code, body = value[:8], value[8:]
    if code == b"UNICODE\0":
        return _utf16(body).strip("\0 ")
    if code[:5] in {b"ASCII", b"\0\0\0\0\0"}:
        return body.decode("utf-8", "replace").strip("\0 ")
    return value.decode("utf-8", "replace").strip("\0 ")


def user_comments(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """Text and place of every UserComment; some programs write it into IFD0."""
    for number, tags in enumerate(dossier.exifs):
        for directory, at in ((tags.exif, place_of(number)), (tags.first, f"{place_of(number)} IFD0")):
            yield user_comment(directory.get(_USER_COMMENT)), f"{at} UserComment"


def coordinates(gps: Fields) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, or None."""
    angles: list[float] = []
    for tag, negative in ((2, "S"), (4, "W")):
        parts = gps.get(tag)
        if not isinstance(parts, tuple) or len(parts) < 3:
            return None
        angle = parts[0] + parts[1] / 60 + parts[2] / 3600
        angles.append(-angle if text(gps.get(tag - 1)).upper() == negative else angle)
    inside = abs(angles[0]) <= 90 and abs(angles[1]) <= 180 and any(angles)
    return (angles[0], angles[1]) if inside else None


def _block(tags: Directories, at: str) -> Iterator[Claim]:
    yield from (Claim("unreadable", problem, at) for problem in tags.problems)
    yield from _camera(text(tags.first.get(_MAKE)), text(tags.first.get(_MODEL)), f"{at} Make/Model")
    if lens := text(tags.exif.get(0xA434)):
        yield Claim("lens", clean(lens), f"{at} LensModel")
    if program := text(tags.first.get(_SOFTWARE)):
        yield _program(program, f"{at} Software")
    yield from _dates(tags, at)
    yield from _exposure(tags, at)
    yield from _private(tags, at)
    if place := coordinates(tags.gps):
        yield Claim("place", f"{place[0]:.5f}, {place[1]:.5f}", f"{at} GPS")
    if tags.second.get(0x0201):
        yield Claim("thumbnail", "an embedded thumbnail", f"{at} IFD1")


def _camera(make: str, model: str, source: str) -> Iterator[Claim]:
    """Claimed make and model of a camera or a scanner, unless a generator put something else there."""
    make, model = ("" if len(value) > 120 or _WORKFLOW.match(value) else value.strip() for value in (make, model))
    if (make or model) and not any(map(generator_names.is_device, (make, model))):
        name = (model if model.lower().startswith(make.lower()) else f"{make} {model}").strip()
        if _SCANNER.search(name):
            # A print, a film or a page of a book can show anything.
            yield Claim("scanner", clean(f"the file claims a scanner: {name}"), source)
        else:
            yield Claim("camera", clean(f"the file claims a camera: {name}"), source, "camera")


def _program(name: str, source: str) -> Claim:
    return Claim("software", clean(without_folders(name)), source, "edited" if EDITORS.search(name) else "unknown")


def _dates(tags: Directories, at: str) -> Iterator[Claim]:
    named = ((tags.exif, 0x9003, "taken"), (tags.exif, 0x9004, "digitised"), (tags.first, 0x0132, "last changed"))
    for directory, tag, meaning in named:
        value = text(directory.get(tag))
        if value:
            shown = clean(f"{meaning} {value}", 60)
            yield Claim("date", shown, f"{at} tag {tag}")


def _exposure(tags: Directories, at: str) -> Iterator[Claim]:
    """Return what a sensor and a lens leave: exposure time, aperture, sensitivity, focal length."""
    parts: list[str] = []
    for tag, form in ((0x829A, "{} s"), (0x829D, "f/{}"), (0x8827, "ISO {}"), (0x920A, "{} mm")):
        value = tags.exif.get(tag)
        if isinstance(value, tuple) and value and value[0] > 0:
            number = value[0]
            shown = f"1/{round(1 / number)}" if tag == 0x829A and 1e-6 < number < 0.3 else f"{number:g}"
            parts.append(form.format(shown))
    if parts:
        yield Claim("exposure", ", ".join(parts), at)


def _private(tags: Directories, at: str) -> Iterator[Claim]:
    for name, wanted in _PRIVATE_TAGS.items():
        directory: Fields = getattr(tags, name)
        for tag, meaning in wanted.items():
            shown = words(tag, directory.get(tag))
            if shown and not _WORKFLOW.match(shown):
                yield Claim("person", clean(f"{meaning}: {shown}"), f"{at} tag {tag}")


def _utf16(body: bytes) -> str:
    """Decode UTF-16 in the byte order of its mark, else in the one that makes the better text.

    The zero bytes of Latin letters tell the order; where there are few, the wrong order makes signs that no text has.
    """
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return body.decode("utf-16", "replace")
    big = body[::2].count(0) - _unusual(body, "utf-16-be")
    little = body[1::2].count(0) - _unusual(body, "utf-16-le")
    return body.decode("utf-16-be" if big > little else "utf-16-le", "replace")


def _unusual(body: bytes, encoding: str) -> int:
    """Count the controls, surrogates and unassigned signs among the first signs of a text."""
    sample = body[:_SAMPLE].decode(encoding, "replace")
    return sum(sign == "\ufffd" or unicodedata.category(sign) in _UNUSUAL for sign in sample)
