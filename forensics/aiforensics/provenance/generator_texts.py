"""Every text of a file in which a generator may have written, by keyword."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator

from aiforensics.provenance import exif, stealth
from aiforensics.provenance.contents import MAX_TEXT, Text
from aiforensics.provenance.dossier import Dossier
from aiforensics.provenance.tiff_ifd import Directories

_LABELLED = re.compile(r"\s*(prompt|workflow|parameters)\s*:\s*(?=\{)", re.IGNORECASE)
_PADDING = string.whitespace + "\0\ufeff\u00a0\u3000"
_WRAPPED = ("stealth", "UserComment", "Comment", "ImageDescription", "parameters", "prompt")
_FIRST_TAGS = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x9C9C: "XPComment",
    0x9C9B: "XPTitle",
}
_XMP_NAMES = {
    "xmp:CreatorTool": "CreatorTool",
    "dc:description": "description",
    "exif:UserComment": "UserComment",
    "photoshop:Credit": "Credit",
    "photoshop:Source": "Source",
    "dc:title": "Title",
    "dc:creator": "Author",
    "tiff:Make": "Make",
    "tiff:Model": "Model",
    "tiff:Software": "Software",
}
_RECORDS = {65: "Software", 110: "Credit", 115: "Source", 80: "Author"}


class Entries:
    """The texts of each keyword in file order; repeated ones stand once, so that none hides another."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, Text]] = {}

    def of(self, *keywords: str) -> Iterator[Text]:
        """Texts of the keywords, one keyword after the other."""
        for keyword in keywords:
            yield from self._texts.get(keyword, {}).values()

    def every(self) -> Iterator[Text]:
        """All texts."""
        return self.of(*self._texts)

    def text(self, keyword: str) -> str:
        """Return the first text of a keyword, or an empty text."""
        return next((entry.text for entry in self.of(keyword)), "")

    def offer(self, keyword: str, text: str, source: str) -> None:
        """Keep a text under its keyword; a leading label such as `Workflow:` before JSON is the better keyword."""
        label = _LABELLED.match(text)
        if label:
            keyword, text = label[1].lower(), text[label.end() :]
        text = text.strip(_PADDING)[:MAX_TEXT]
        if text:
            self._texts.setdefault(keyword, {}).setdefault(text, Text(keyword, text, source))


def collect(dossier: Dossier) -> Entries:
    """All texts of a file: text chunks, comments, EXIF, XMP, IPTC, hidden alpha data; JSON wrappers are opened once."""
    entries = Entries()
    for chunk in dossier.contents.texts:
        entries.offer(chunk.keyword, chunk.text, chunk.source)
    for comment, source in exif.user_comments(dossier):
        entries.offer("UserComment", comment, source)
    for number, tags in enumerate(dossier.exifs):
        _collect_exif(entries, tags, exif.place_of(number))
    for name, keyword in _XMP_NAMES.items():
        for value in dossier.xmp.values.get(name, ()):
            entries.offer(keyword, value, f"XMP {name}")
    for creator in _creators(dossier):
        entries.offer("CreatorTool", creator, "XMP History")
    for number, text in dossier.records.texts:
        if number in _RECORDS:
            entries.offer(_RECORDS[number], text, f"IPTC record 2:{number}")
    hidden = stealth.hidden_text(dossier.picture)
    if hidden:
        entries.offer("parameters", hidden, "hidden alpha-channel data")
        entries.offer("stealth", hidden, "hidden alpha-channel data")
    for keyword in _WRAPPED:
        for entry in list(entries.of(keyword)):
            _unwrap(entries, entry)
    return entries


def _creators(dossier: Dossier) -> Iterator[str]:
    """Programs of the history's steps of creation, where it is plain which step each program belongs to."""
    steps, agents = (dossier.xmp.values.get(f"stEvt:{name}", []) for name in ("action", "softwareAgent"))
    if set(steps) == {"created"}:
        yield from agents
    elif len(steps) == len(agents):
        yield from (agent for step, agent in zip(steps, agents, strict=True) if step == "created")


def _collect_exif(entries: Entries, tags: Directories, place: str) -> None:
    for tag, keyword in _FIRST_TAGS.items():
        entries.offer(keyword, exif.words(tag, tags.first.get(tag)), f"{place} {keyword}")
    for tag, keyword in ((0x927C, "MakerNote@IFD0"), (0x9286, "UserComment@IFD0")):
        if tags.first.get(tag):
            entries.offer(keyword, "present", f"{place} IFD0 tag {tag}")


def load(text: str) -> object:
    """JSON of a hostile text: None where it is none, too deep or too odd."""
    try:
        return json.loads(text.strip().rstrip("\0"))
    except (ValueError, RecursionError):
        return None


def _unwrap(entries: Entries, entry: Text) -> None:
    """Offer the members of a JSON object as entries of their own: some savers put all chunks into one."""
    if not entry.text.startswith("{"):
        return
    content = load(entry.text)
    if not isinstance(content, dict):
        return
    for name, value in list(content.items())[:200]:
        if isinstance(value, str):
            entries.offer(str(name)[:79], value, entry.source)
        elif isinstance(value, dict) and name in {
            "prompt",
            "workflow",
            "sui_image_params",
            "extraMetadata",
            "invokeai_metadata",
        }:
            entries.offer(name, json.dumps(value), entry.source)
