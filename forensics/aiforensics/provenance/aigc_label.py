"""China's label for synthetic content: a JSON object named `AIGC` in XMP, EXIF or a text chunk.

Source: GB 45438-2025, annex E (implicit labels in file metadata).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance.dossier import Dossier, clean
from aiforensics.provenance.exif import place_of, user_comments, words
from aiforensics.provenance.generator_texts import load
from aiforensics.provenance.privacy import UNKNOWN

_LABELS: dict[str, tuple[ProvenanceOrigin, str]] = {
    "1": ("ai", "made by AI"),
    "2": ("unknown", "possibly made by AI"),
    "3": ("unknown", "suspected to be made by AI"),
}
_LABEL = re.compile('"Label"', re.IGNORECASE)
_NAMED = re.compile(r"AIGC\b[\"'\s:=]{0,8}$")
_FIELDS = {"contentproducer", "produceid"}
_MAX_DEPTH = 8
_DECODER = json.JSONDecoder()
_BEFORE = 16
_REACH = 4000
_MAX_LABELS = 20
_MAX_REPEATED = 1000
_MAX_VALUES = 1000
_MAX_TURNS = 20_000
"""JSON values that are read of one text and of all; behind them labels are found by pattern alone."""
_NAMES = ("TC260:AIGC", "AIGC:AIGC")
_TEXTS = ("dc:description", "exif:UserComment")
_DESCRIPTION = 0x010E
_MARK = re.compile(r"AIGC\b[\"'\s:=]{0,8}\{|\"(?:ContentProducer|ProduceID)\"")
"""What a text that is no field of the label must hold beside it: any program may call something a label."""


def read(dossier: Dossier) -> Iterator[Claim]:
    """Claims of AIGC labels, wherever they stand."""
    places = [(value, f"XMP {name}") for name in _NAMES for value in dossier.xmp.values.get(name, ())]
    texts: list[tuple[str, str]] = []
    for text in dossier.contents.texts:
        (places if text.keyword == "AIGC" else texts).append((text.text, text.source))
    texts += user_comments(dossier)
    for number, tags in enumerate(dossier.exifs):
        texts.append((words(_DESCRIPTION, tags.first.get(_DESCRIPTION)), f"{place_of(number)} ImageDescription"))
    texts += [(value, f"XMP {name}") for name in _TEXTS for value in dossier.xmp.values.get(name, ())]
    turns = iter(range(_MAX_TURNS))
    found = (
        (label, source)
        for named, some in ((True, places), (False, texts))
        for text, source in some
        for label in _labels(text, itertools.islice(turns, _MAX_VALUES), named=named)
    )
    labels = dict.fromkeys(itertools.islice(found, _MAX_REPEATED))
    for label, source in itertools.islice(labels, _MAX_LABELS):
        yield from _claims(label, source)
    if len(labels) > _MAX_LABELS or next(found, None) is not None:
        yield Claim("unreadable", f"only the first {_MAX_LABELS} AIGC labels were read", "AIGC")


def _labels(text: str, turns: Iterator[int], depth: int = 0, *, named: bool) -> Iterator[str]:
    """Return the labels of a text as JSON objects: of its JSON values first, then by pattern of what is none.

    An object is a label where the place or the text names it `AIGC`, or it has a field that only labels have.
    """
    start = text.find("{")
    while start >= 0 and next(turns, None) is not None:
        try:
            content, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        here = named or _NAMED.search(text[max(0, start - _BEFORE) : start]) is not None
        yield from _objects(content, turns, depth, named=here)
        start = text.find("{", end)
    if start >= 0 and (named or _MARK.search(text)):
        yield from _innermost(text[start:])


def _objects(content: object, turns: Iterator[int], depth: int, *, named: bool) -> Iterator[str]:
    """Return the objects of a JSON value that are labels; a label can stand as a text of its own in another object."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(content, str) and "{" in content and (named or "AIGC" in content):
        yield from _labels(content, turns, depth + 1, named=named)
    elif isinstance(content, list):
        for item in content:
            yield from _objects(item, turns, depth + 1, named=named)
    elif isinstance(content, dict):
        keys = {key.lower() for key in content}
        if "label" in keys and (named or not keys.isdisjoint(_FIELDS)):
            yield json.dumps(content, ensure_ascii=False)
            return
        for key, value in content.items():
            yield from _objects(value, turns, depth + 1, named=named or key == "AIGC")


def _innermost(text: str) -> Iterator[str]:
    """Return what looks like the innermost objects with a label, each once."""
    last = -1
    for name in _LABEL.finditer(text):
        start = text.rfind("{", max(0, name.start() - _REACH), name.start())
        end = text.find("}", name.end(), name.end() + _REACH)
        if start > last and end >= 0 and "}" not in text[start : name.start()]:
            last = start
            yield text[start : end + 1]


def _claims(text: str, source: str) -> Iterator[Claim]:
    """What a label says of the making, and the producer, who can be a person, apart."""
    content = load(text)
    if not isinstance(content, dict):
        yield Claim("unreadable", "an AIGC label that is not valid JSON", source)
        return
    label = {key.lower(): value for key, value in content.items()}
    value = label.get("label")
    origin, said = _LABELS.get(str(value).strip(), ("unknown", f"{UNKNOWN}value {value!r}"))
    shown = clean(f"the file carries China's AIGC label: {said}")
    yield Claim("aigc-label", shown, source, origin)
    if maker := str(label.get("contentproducer") or label.get("produceid") or ""):
        yield Claim("person", clean(f"producer: {maker}"), source)
