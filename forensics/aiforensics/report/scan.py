"""The page for one or several scanned pictures."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiforensics import analyzers, provenance
from aiforensics.decision import SPECS
from aiforensics.evidence import Card, Finding, Measurement, Reason, Refusal
from aiforensics.explain import GRADCAM, GRADCAM_CARD, NETWORK_CARD
from aiforensics.image import Picture
from aiforensics.image.orientation import Box, upright, upright_box
from aiforensics.image.picture import MIN_SIDE
from aiforensics.quality import share_examined
from aiforensics.report.page import write_page
from aiforensics.report.pictures import data_uris
from aiforensics_models.bundle import shipped_as

if TYPE_CHECKING:
    from aiforensics.maps import Map
    from aiforensics.pipeline import Examination  # the libraries of a scan are not for a page about a batch

NETWORK: Final = "embedding"
"""The name under which the embedding network's share of the score and its activation maps stand."""
PHOTO_SIDE: Final = 900
OVERVIEW_SIDE: Final = 560
THUMB_SIDE: Final = 112
PHOTO_BUDGET: Final = 420_000
CROP_BUDGET: Final = 220_000
MAP_BUDGET: Final = 700_000


def write_report(
    examinations: Iterable[Examination | Refusal],
    path: str | Path,
    *,
    redact: bool = False,
    generated: datetime | None = None,
    cards: Mapping[str, Card] | None = None,
    meanings: Mapping[str, str] | None = None,
) -> None:
    """Write one self-contained HTML page about one or several pictures.

    When the examinations end early (an exception, Ctrl-C), the page holds those before.

    Parameters
    ----------
    examinations
        Examined pictures and refused inputs, in the order in which they are shown. For several, a table comes first.
    path
        The HTML file to write; an existing one is replaced.
    redact
        Leave out the values of private claims (names, places, prompts) and the folders of paths.
    generated
        The time that the page states, with a time zone; by default now. The same examinations and the same time give
        the same bytes.
    cards
        Card of each analyzer by its name; by default those of the analyzers of the house.
    meanings
        One-line meaning of each feature by its full name; by default those of the analyzers of the house.

    Raises
    ------
    OSError
        If the file cannot be written.
    PageError
        If the file is a picture: a page is never worth one.
    """
    if cards is None:
        cards = {analyzer.name: analyzer.card for analyzer in analyzers.ANALYZERS}
    if meanings is None:
        meanings = {name: spec.meaning for name, spec in SPECS.items()}
    cards = {NETWORK: NETWORK_CARD, **cards}
    views: list[View | RefusedView] = []
    context: dict[str, object] = {"views": views, "meanings": meanings, "redacted": redact}
    try:
        for item in examinations:
            views.append(_refused(item) if isinstance(item, Refusal) else _view(item, cards, redact))  # noqa: PERF401 - what is done is kept when the next one ends it
    except BaseException:
        if views:
            write_page("scan.html.j2", path, context, generated)
        raise
    write_page("scan.html.j2", path, context, generated)


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture in the page with its caption and the words for who cannot see it."""

    uri: str
    caption: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Group:
    """The contributions of one analyzer: title, sum, and its reasons, the strongest first."""

    title: str
    total: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue as the page shows it: its card, its share of the score where it has one, and its maps."""

    card: Card
    total: float | None
    scored: bool
    maps: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class View:
    """All that the template shows of one examined picture.

    Boxes are in pixels of the upright picture. `strongest` is the share that fills half a bar: at least 1, so that
    weak evidence looks weak. `share`: how much of the picture was examined. `turned`: shown otherwise than stored.
    `mirrored`: windows hold its mirror image too.
    """

    name: str
    finding: Finding
    thresholds: tuple[float, float] | None
    photo: Tile
    thumb: Tile
    overview: Tile
    size: tuple[int, int]
    share: float
    turned: bool
    enlarged: float
    mirrored: bool
    boxes: tuple[Box, ...]
    crops: tuple[Tile, ...]
    groups: tuple[Group, ...]
    strongest: float
    cues: tuple[Cue, ...]
    measurements: tuple[tuple[str, Measurement], ...]
    facts: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True, slots=True)
class RefusedView:
    """All that the template shows of a refused input."""

    name: str
    refusal: Refusal


def _refused(refusal: Refusal) -> RefusedView:
    return RefusedView(name=_name(refusal.path), refusal=refusal)


def _view(examination: Examination, cards: Mapping[str, Card], redact: bool) -> View:
    finding, picture = examination.finding, examination.picture
    if redact:
        finding = replace(finding, path=PurePath(finding.path).name, provenance=provenance.redact(finding.provenance))
    windows = picture.windows
    boxes = tuple(upright_box(w.box, picture.width, picture.height, picture.orientation) for w in windows)
    numbers = {(w.x, w.y): i for i, w in enumerate(windows, 1)}
    groups = _groups(finding, cards)
    across = picture.orientation in (5, 6, 7, 8)
    return View(
        name=_name(finding.path),
        finding=finding,
        thresholds=examination.thresholds,
        photo=_photo(picture, PHOTO_SIDE, PHOTO_BUDGET),
        thumb=_photo(picture, THUMB_SIDE, 12_000),
        overview=_photo(picture, OVERVIEW_SIDE, 90_000),
        size=(picture.height, picture.width) if across else (picture.width, picture.height),
        share=share_examined(picture),
        turned=picture.orientation != 1,
        enlarged=picture.enlarged,
        mirrored=any(min(w.box[2:]) < MIN_SIDE for w in windows),
        boxes=boxes,
        crops=_tiles(
            [w.pixels for w in windows],
            [(f"Window {i}", f"The picture in window {i}") for i in numbers.values()],
            picture,
            CROP_BUDGET,
        ),
        groups=groups,
        strongest=max([1.0, *(abs(v) for g in groups for v in (g.total, *(r.contribution for r in g.reasons)))]),
        cues=_cues(examination, finding, cards, numbers),
        measurements=tuple((_title(m.analyzer, cards), m) for m in finding.analyzers),
        facts=_facts(finding, picture),
        command=_command(finding),
    )


def _command(finding: Finding) -> str:
    """The line that repeats the scan; where a bundle or a trust list of one's own lies, its finding does not tell."""
    model = finding.model
    name = shipped_as(model.sha256)
    trusted = " --trust LIST" if finding.provenance.level == "signed-trusted" else ""
    piped = finding.path == "-"
    source = "- < PICTURE" if piped else f"-- {shlex.quote(finding.path)}"
    line = f"aiforensics scan --model {name or 'FOLDER'}{trusted} --json {source}"
    known = [
        *([] if name else [f"FOLDER: the bundle {model.name}, sha256 {model.sha256[:12]}"]),
        *(["LIST: the trust list that the signature's claim names"] if trusted else []),
        *(["PICTURE: the file of this SHA-256"] if piped else []),
    ]
    return f"{line}  # {'; '.join(known)}" if known else line


def _cues(
    examination: Examination, finding: Finding, cards: Mapping[str, Card], numbers: Mapping[tuple[int, int], int]
) -> tuple[Cue, ...]:
    """Cards of everything that was measured or drawn, those with the largest share of the score first."""
    maps = [*examination.maps, *examination.activation]
    if cards[NETWORK] is NETWORK_CARD and any(one.title == GRADCAM for one in examination.activation):
        cards = {**cards, NETWORK: GRADCAM_CARD}
    words = [_map_words(m, cards, numbers) for m in maps]
    tiles = _tiles([m.pixels for m in maps], words, examination.picture, MAP_BUDGET)
    by_name: dict[str, list[Tile]] = {}
    for one, tile in zip(maps, tiles, strict=True):
        by_name.setdefault(one.analyzer, []).append(tile)
    totals = _totals(finding)
    measured = [m.analyzer for m in finding.analyzers]
    names = [name for name in dict.fromkeys([*totals, *by_name, *measured]) if name in cards]
    names.sort(key=lambda name: (name not in by_name, -abs(totals.get(name, 0.0))))
    return tuple(
        Cue(cards[name], totals.get(name), name not in analyzers.NOT_SCORED, tuple(by_name.get(name, ())))
        for name in names
    )


def _map_words(one: Map, cards: Mapping[str, Card], numbers: Mapping[tuple[int, int], int]) -> tuple[str, str]:
    """Caption and alternative text of a map; the caption leaves out what the heading above it says."""
    where = f"window {numbers[one.x, one.y]}" if (one.x, one.y) in numbers else f"x {one.x}, y {one.y}"
    full = f"{one.title}, {where}"
    same = one.title == _title(one.analyzer, cards)
    return where.capitalize() if same else full, f"Map: {full}"


def _groups(finding: Finding, cards: Mapping[str, Card]) -> tuple[Group, ...]:
    """Every scored cue with those of the strongest reasons that are its own; some have none."""
    members: dict[str, list[Reason]] = {name: [] for name in _totals(finding)}
    for reason in finding.reasons:
        members.setdefault(_part(reason), []).append(reason)
    totals = {name: sum(r.contribution for r in reasons) for name, reasons in members.items()} | _totals(finding)
    names = sorted(members, key=lambda name: -abs(totals[name]))
    return tuple(Group(_title(name, cards), totals[name], tuple(members[name])) for name in names)


def _totals(finding: Finding) -> dict[str, float]:
    """Whole share of every scored cue, its features that are no reason of their own included."""
    return {m.analyzer: m.contribution for m in finding.analyzers if m.contribution is not None}


def _part(reason: Reason) -> str:
    """Name the analyzer, or the part of the model, that a reason comes from."""
    return reason.feature.partition(".")[0]


def _title(name: str, cards: Mapping[str, Card]) -> str:
    return cards[name].title if name in cards else name.replace("_", " ").capitalize()


def _photo(picture: Picture, side: int, budget: int) -> Tile:
    image = picture.upright(side)
    name = _name(picture.path)
    return Tile(data_uris([image], budget)[0], name, f"The examined picture, {name}", image.width, image.height)


def _tiles(
    arrays: Sequence[NDArray[np.uint8]], words: Sequence[tuple[str, str]], picture: Picture, budget: int
) -> tuple[Tile, ...]:
    images = [upright(Image.fromarray(pixels), picture.orientation) for pixels in arrays]
    uris = data_uris(images, budget)
    return tuple(
        Tile(uri, caption, alt, image.width, image.height)
        for uri, (caption, alt), image in zip(uris, words, images, strict=True)
    )


def _facts(finding: Finding, picture: Picture) -> tuple[tuple[str, str], ...]:
    millions = finding.width * finding.height / 1e6
    many = f" ({millions:.1f} megapixels)" if millions >= 0.05 else ""
    facts = [("Format", finding.format), ("Size", f"{finding.width} × {finding.height} pixels{many}")]
    if picture.orientation != 1:
        facts.append(("EXIF orientation", f"{picture.orientation}; shown upright here, examined as stored"))
    if picture.frames > 1:
        which = "main one" if picture.format == "HEIF" else "first"
        facts.append(("Frames", f"{picture.frames}; the {which} is examined"))
    if picture.jpeg is not None:
        coding = "progressive" if picture.jpeg.progressive else "baseline"
        facts.append(("JPEG coding", f"quality ≈ {picture.jpeg.quality}, {picture.jpeg.subsampling}, {coding}"))
    return tuple(facts)


def _name(path: str) -> str:
    return "standard input" if path == "-" else PurePath(path).name or path
