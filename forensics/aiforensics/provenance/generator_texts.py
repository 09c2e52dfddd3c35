"""Every text of a file in which a generator may have written, under one keyword each."""

from __future__ import annotations

import json
import re

from aiforensics.provenance import exif, stealth
from aiforensics.provenance.contents import MAX_TEXT, Text
from aiforensics.provenance.dossier import Dossier
from aiforensics.provenance.tiff_ifd import Value

_LABELLED = re.compile(r"\s*(prompt|workflow|parameters)\s*:\s*(?=\{)", re.IGNORECASE)
_WRAPPED = ("UserComment", "Comment", "ImageDescription", "parameters", "prompt")
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
}


class Entries(dict[str, Text]):
    """Keyword → text; the first text of a keyword counts."""

    def text(self, keyword: str) -> str:
        """Return the text of a keyword, or an empty text."""
        entry = self.get(keyword)
        return entry.text.strip() if entry is not None else ""

    def offer(self, keyword: str, text: str, source: str) -> None:
        """Keep a text under its keyword; a leading label such as `Workflow:` before JSON is the better keyword."""
        label = _LABELLED.match(text)
        if label:
            keyword, text = label[1].lower(), text[label.end() :]
        if text and keyword not in self:
            self[keyword] = Text(keyword, text[:MAX_TEXT], source)


def collect(dossier: Dossier) -> Entries:
    """All texts of a file: text chunks, comments, EXIF, XMP, hidden alpha data; JSON wrappers are opened once."""
    entries = Entries()
    for text in dossier.contents.texts:
        entries.offer(text.keyword, text.text, text.source)
    tags = dossier.exif
    for directory, place in ((tags.exif, "EXIF"), (tags.first, "EXIF IFD0")):
        entries.offer("UserComment", exif.user_comment(directory.get(0x9286)), f"{place} UserComment")
    for tag, keyword in _FIRST_TAGS.items():
        entries.offer(keyword, _plain(tags.first.get(tag)), f"EXIF {keyword}")
    for tag, keyword in ((0x927C, "MakerNote@IFD0"), (0x9286, "UserComment@IFD0")):
        if tags.first.get(tag):
            entries.offer(keyword, "present", f"EXIF IFD0 tag {tag}")
    for name, keyword in _XMP_NAMES.items():
        entries.offer(keyword, dossier.xmp.first(name), f"XMP {name}")
    hidden = stealth.hidden_text(dossier.picture)
    if hidden:
        entries.offer("parameters", hidden, "hidden alpha-channel data")
        entries.offer("stealth", hidden, "hidden alpha-channel data")
        _unwrap(entries, "stealth")
    for keyword in _WRAPPED:
        _unwrap(entries, keyword)
    return entries


def load(text: str) -> object:
    """JSON of a hostile text: None where it is none, too deep or too odd."""
    try:
        return json.loads(text.strip().rstrip("\0"))
    except (ValueError, RecursionError):
        return None


def _plain(value: Value | None) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-16-le", "replace").strip("\0 ")
    return exif.text(value)


def _unwrap(entries: Entries, keyword: str) -> None:
    """Return some savers put all chunks into one JSON object: offer its members as entries of their own."""
    entry = entries.get(keyword)
    if entry is None or not entry.text.lstrip().startswith("{"):
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
