"""China's label for synthetic content: a JSON object named `AIGC` in XMP, EXIF or a text chunk.

Source: GB 45438-2025, annex E (implicit labels in file metadata).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from aiforensics.evidence import Claim, ProvenanceOrigin
from aiforensics.provenance.dossier import Dossier, clean
from aiforensics.provenance.exif import place_of, user_comment, words
from aiforensics.provenance.generator_texts import load
from aiforensics.provenance.privacy import UNKNOWN

_LABELS: dict[str, tuple[ProvenanceOrigin, str]] = {
    "1": ("ai", "made by AI"),
    "2": ("unknown", "possibly made by AI"),
    "3": ("unknown", "suspected to be made by AI"),
}
_LABEL = re.compile('"Label"')
_REACH = 4000
_MAX_LABELS = 20
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
    for number, tags in enumerate(dossier.exifs):
        place = place_of(number)
        comments = (user_comment(directory.get(0x9286)) for directory in (tags.exif, tags.first))
        texts += [(comment, f"{place} UserComment") for comment in comments]
        texts.append((words(_DESCRIPTION, tags.first.get(_DESCRIPTION)), f"{place} ImageDescription"))
    texts += [(value, f"XMP {name}") for name in _TEXTS for value in dossier.xmp.values.get(name, ())]
    places += [(text, source) for text, source in texts if _MARK.search(text)]
    labels = dict.fromkeys((label, source) for text, source in places for label in _labels(text))
    for label, source in itertools.islice(labels, _MAX_LABELS):
        yield from _claims(label, source)
    if len(labels) > _MAX_LABELS:
        yield Claim("unreadable", f"only the first {_MAX_LABELS} AIGC labels were read", "AIGC")


def _labels(text: str) -> Iterator[str]:
    """Return the innermost JSON objects with a label, each once."""
    last = -1
    for name in _LABEL.finditer(text):
        start = text.rfind("{", max(0, name.start() - _REACH), name.start())
        end = text.find("}", name.end(), name.end() + _REACH)
        if start > last and end >= 0 and "}" not in text[start : name.start()]:
            last = start
            yield text[start : end + 1]


def _claims(text: str, source: str) -> Iterator[Claim]:
    """What a label says of the making, and the producer, who can be a person, apart."""
    label = load(text)
    if not isinstance(label, dict):
        yield Claim("unreadable", "an AIGC label that is not valid JSON", source)
        return
    origin, said = _LABELS.get(str(label.get("Label")), ("unknown", f"{UNKNOWN}value {label.get('Label')!r}"))
    shown = clean(f"the file carries China's AIGC label: {said}")
    yield Claim("aigc-label", shown, source, origin)
    if maker := str(label.get("ContentProducer") or label.get("ProduceID") or ""):
        yield Claim("person", clean(f"producer: {maker}"), source)
