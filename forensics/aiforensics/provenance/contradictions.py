"""Claims of one file that do not fit together, each with what it means and with the innocent explanation.

None of these proves a forgery: most have an everyday cause, and the words say which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from aiforensics.evidence import Claim
from aiforensics.provenance import exif, jpeg_structure, ladder, thumbnail
from aiforensics.provenance.dossier import Dossier, clean

_SAME_PICTURE = 0.5
_EXIF_BLOCK = re.compile(r"EXIF(?: block \d+)?")
_DAY = timedelta(hours=26)
# Native screens of phones and tablets that no camera takes pictures in; 16:9 sizes are left out, cameras have them too.
_SCREENS = {
    (750, 1334), (828, 1792), (1125, 2436), (1170, 2532), (1179, 2556), (1206, 2622), (1242, 2688), (1284, 2778),
    (1290, 2796), (1320, 2868), (1080, 2220), (1080, 2280), (1080, 2310), (1080, 2340), (1080, 2400), (1080, 2408),
    (1080, 2412), (1080, 2460), (1440, 2960), (1440, 3040), (1440, 3088), (1440, 3120), (1440, 3200), (720, 1600),
    (720, 1520), (1344, 2992), (1008, 2244), (1640, 2360), (1668, 2388), (1488, 2266),
}  # fmt: skip


def find(dossier: Dossier, claims: Sequence[Claim]) -> Iterator[Claim]:
    """Claims of kind `contradiction` about the claims of the readers."""
    kinds = {c.kind for c in claims}
    generated = any(c.origin == "ai" for c in claims)
    camera = "camera" in kinds
    unsigned = [c for c in claims if c.record == "none"]
    signed_capture = any(c.origin == "camera" and c not in unsigned for c in claims)
    if signed_capture and any(c.origin == "ai" for c in unsigned):
        mark = "an image generator's metadata" if "generator" in kinds else "an unsigned claim of an AI origin"
        yield _say(
            f"a signed capture carries {mark}",
            "one of the two was added later, or a capture was passed through a generator's program",
            "a photograph opened in such a program keeps its signed record in some workflows",
        )
    if camera and generated:
        yield _say(
            "a camera is claimed, and an AI origin too",
            "camera metadata may have been copied to a generated picture",
            "a photograph was edited, enlarged or repaired with an AI tool that left its mark",
        )
    yield from _blocks(unsigned)
    if camera:
        yield from _coding(dossier, claims)
        yield from _sizes(dossier)
    yield from _thumbnail(dossier)
    yield from _dates(dossier)


def _blocks(unsigned: Sequence[Claim]) -> Iterator[Claim]:
    """EXIF blocks, or values of a field that stands once, of which each gives another origin."""
    exif_blocks: dict[str, list[Claim]] = {}
    for claim in unsigned:
        if block := _EXIF_BLOCK.match(claim.source):
            exif_blocks.setdefault(block[0], []).append(claim)
    said = {"EXIF blocks": {ladder.strongest(claims) for claims in exif_blocks.values()}}
    for kind, words in (("source-type", "digital source types"), ("credit", "credits")):
        said[words] = {claim.origin for claim in unsigned if claim.kind == kind}
    for words, origins in said.items():
        if len(origins - {"unknown"}) > 1:
            yield _say(
                f"the file has several {words}, and they name different origins",
                "one of them was added later, perhaps to hide the other from programs that read only one",
                "a program that wrote its own and left the earlier one where it was",
            )


def _coding(dossier: Dossier, claims: Sequence[Claim]) -> Iterator[Claim]:
    facts = dossier.picture.jpeg
    owner = jpeg_structure.table_owner(facts.tables) if facts is not None else ""
    named = any(c.kind in {"software", "history"} and c.origin == "edited" for c in claims)
    if jpeg_structure.is_photoshop(owner) and not named:
        yield _say(
            f"a camera is claimed, but the picture is coded with {owner} tables",
            "it was saved by an editor that the metadata do not name",
            "a photographer's export, or a service that removes the program's name",
        )


def _sizes(dossier: Dossier) -> Iterator[Claim]:
    picture = dossier.picture
    size = tuple(sorted((picture.width, picture.height)))
    if size in _SCREENS:
        yield _say(
            f"a camera is claimed, but {picture.width} × {picture.height} is a phone's screen size",
            "it may be a screenshot to which camera metadata were added",
            "a photograph cropped or sized for that screen",
        )
    recorded = [dossier.exif.exif.get(tag) for tag in (0xA002, 0xA003)]
    sides = tuple(sorted(int(v[0]) for v in recorded if isinstance(v, tuple) and v))
    if len(sides) == 2 and sides[0] > 0 and any(abs(a - b) > 16 for a, b in zip(sides, size, strict=True)):
        yield _say(
            f"the metadata state {sides[1]} × {sides[0]} pixels, but the picture has {size[1]} × {size[0]}",
            "it was resized, cropped or replaced after the recording",
            "most programs and services resize pictures and keep the old metadata",
        )


def _thumbnail(dossier: Dossier) -> Iterator[Claim]:
    likeness = thumbnail.similarity(dossier)
    if likeness is not None and likeness < _SAME_PICTURE:
        yield _say(
            f"the embedded thumbnail shows another picture (likeness {likeness:.2f} of 1)",
            "the pixels were changed or replaced, and the thumbnail is from before",
            "a crop, or a collage program that keeps the first picture's thumbnail",
        )


def _dates(dossier: Dossier) -> Iterator[Claim]:
    tags = dossier.exif
    taken = _date(exif.text(tags.exif.get(0x9003)))
    changed = _date(exif.text(tags.first.get(0x0132)))
    located = _date(exif.text(tags.gps.get(0x001D)), "%Y:%m:%d")
    if taken and changed and taken - changed > _DAY:
        yield _say(
            f"the date of taking ({taken:%Y-%m-%d}) is after that of the last change ({changed:%Y-%m-%d})",
            "at least one of the dates was set by hand or by a program",
            "a camera clock that was wrong, or reset, between the two",
        )
    if taken and located and located.year > 1980 and abs(taken.date() - located.date()) > timedelta(days=1):
        yield _say(
            f"the date of taking ({taken:%Y-%m-%d}) is not that of the position ({located:%Y-%m-%d})",
            "the date was changed later, or the place comes from elsewhere",
            "a camera clock that was never set; a place added later from a track",
        )


def _date(value: str, form: str = "%Y:%m:%d %H:%M:%S") -> datetime | None:
    try:
        return datetime.strptime(value[:19], form)
    except ValueError:
        return None


def _say(what: str, meaning: str, innocent: str) -> Claim:
    return Claim(
        "contradiction", clean(f"{what}. It may mean: {meaning}. Innocent explanation: {innocent}.", 500), "all claims"
    )
