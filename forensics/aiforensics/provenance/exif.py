"""EXIF: camera, lens, software, dates, place, names, thumbnail.

Source: CIPA DC-008 (Exif 3.0), section 4.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance.dossier import Dossier, clean
from aiforensics.provenance.tiff_ifd import Directories, Directory, Value

EDITORS = re.compile(
    r"\b(?:photoshop|lightroom|camera raw|gimp|affinity|capture one|darktable|rawtherapee|snapseed|picasa|paint\.net"
    r"|pixelmator|luminar|dxo|acdsee|irfanview|photoscape|picsart|canva\b|facetune|vsco|meitu|faceapp|photopea|pixlr|corel"
    r"|paintshop|krita|on1\b|topaz|photo ?editor|instagram)",
    re.IGNORECASE,
)
"""Names of programs that change pictures; a developer of raw files is one of them."""
_WORKFLOW = re.compile(r"\s*(\{|prompt:|workflow:)", re.IGNORECASE)
_PRIVATE_TAGS = {
    "first": {0x013B: "artist", 0x8298: "copyright", 0x9C9D: "author"},
    "exif": {0xA430: "camera owner", 0xA431: "camera serial number", 0xA435: "lens serial number"},
}


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims from the EXIF block, and from XMP where EXIF has none."""
    tags = dossier.exif
    for problem in tags.problems:
        yield Claim("unreadable", problem, "EXIF")
    make, model = camera(dossier)
    if make or model:
        name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
        yield Claim("camera", clean(f"the file claims a camera: {name.strip()}"), "EXIF Make/Model", "camera")
    lens = text(tags.exif.get(0xA434))
    if lens:
        yield Claim("lens", clean(lens), "EXIF LensModel")
    yield from _software(dossier)
    yield from _dates(tags)
    yield from _exposure(tags)
    yield from _private(tags)
    place = coordinates(tags.gps)
    if place:
        yield Claim("place", f"{place[0]:.5f}, {place[1]:.5f}", "EXIF GPS", private=True)
    if tags.second.get(0x0201):
        yield Claim("thumbnail", "an embedded thumbnail", "EXIF IFD1")


def camera(dossier: Dossier) -> tuple[str, str]:
    """Claimed make and model, empty where there is none (or where a generator put something else there)."""
    first = dossier.exif.first
    pair = [text(first.get(tag)) for tag in (0x010F, 0x0110)]
    if not any(pair):
        pair = [dossier.xmp.first("tiff:Make"), dossier.xmp.first("tiff:Model")]
    make, model = ("" if len(value) > 120 or _WORKFLOW.match(value) else value.strip() for value in pair)
    return make, model


def text(value: Value | None) -> str:
    """Return the value of a text tag, or an empty text."""
    return value.replace("\0", " ").strip() if isinstance(value, str) else ""


def user_comment(value: Value | None) -> str:
    """Return the text of a UserComment with its eight-byte character code, in either byte order."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        return ""
    code, body = value[:8], value[8:]
    if code == b"UNICODE\0":
        return _utf16(body)
    if code[:5] in {b"ASCII", b"\0\0\0\0\0"}:
        return body.decode("utf-8", "replace").strip("\0 ")
    return value.decode("utf-8", "replace").strip("\0 ")


def coordinates(gps: Directory) -> tuple[float, float] | None:
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


def _software(dossier: Dossier) -> Iterator[Claim]:
    seen: set[str] = set()
    xmp = dossier.xmp
    found = [
        (text(dossier.exif.first.get(0x0131)), "EXIF Software"),
        (xmp.first("xmp:CreatorTool"), "XMP CreatorTool"),
        *((agent, "XMP History") for agent in xmp.values.get("stEvt:softwareAgent", ())[:8]),
    ]
    for name, source in found:
        if name and name not in seen:
            seen.add(name)
            origin: ProvenanceOrigin = "edited" if EDITORS.search(name) else "unknown"
            yield Claim("software", clean(name), source, origin)


def _dates(tags: Directories) -> Iterator[Claim]:
    named = ((tags.exif, 0x9003, "taken"), (tags.exif, 0x9004, "digitised"), (tags.first, 0x0132, "last changed"))
    for directory, tag, meaning in named:
        value = text(directory.get(tag))
        if value:
            yield Claim("date", clean(f"{meaning} {value}", 60), f"EXIF tag {tag}")


def _exposure(tags: Directories) -> Iterator[Claim]:
    """Return what a sensor and a lens leave: exposure time, aperture, sensitivity, focal length."""
    parts: list[str] = []
    for tag, form in ((0x829A, "{} s"), (0x829D, "f/{}"), (0x8827, "ISO {}"), (0x920A, "{} mm")):
        value = tags.exif.get(tag)
        if isinstance(value, tuple) and value and value[0] > 0:
            number = value[0]
            shown = f"1/{round(1 / number)}" if tag == 0x829A and number < 0.3 else f"{number:g}"
            parts.append(form.format(shown))
    if parts:
        yield Claim("exposure", ", ".join(parts), "EXIF")


def _private(tags: Directories) -> Iterator[Claim]:
    for name, wanted in _PRIVATE_TAGS.items():
        directory: Directory = getattr(tags, name)
        for tag, meaning in wanted.items():
            value = directory.get(tag)
            shown = _utf16(value) if isinstance(value, bytes) else text(value)
            if shown and not _WORKFLOW.match(shown):
                yield Claim("person", clean(f"{meaning}: {shown}"), f"EXIF tag {tag}", private=True)


def _utf16(body: bytes) -> str:
    """Decode UTF-16 in the byte order that puts the zero bytes of Latin text right, UTF-8 where there are none."""
    sample = body[:400]
    if 0 not in sample:
        return body.decode("utf-8", "replace").strip()
    big = sample[::2].count(0) > sample[1::2].count(0)
    return body.decode("utf-16-be" if big else "utf-16-le", "replace").strip("\0 ")
