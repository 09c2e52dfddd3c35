"""XMP packets as flat properties: prefixed name → values.

Document types and entities are refused, and namespaces are resolved here, so that nothing can expand; the number of
nodes is bounded.
Source: ISO 16684-1 (XMP), section 7.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

_MAX_NODES = 20_000
_MAX_VALUES = 1000
_MAX_ATTRIBUTES = 100_000
_MAX_VALUE = 1 << 20
_MAX_PREFIX = 40
_TEXT_AT_ONCE = 1 << 16
_ATTRIBUTE = re.compile("=\\s*[\"']")
_ROOT = re.compile(r"<(\w+:xmpmeta|rdf:RDF)\b")
# Signs that XML does not allow; some old programs write them into empty values.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PREFIXES = {
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://ns.google.com/photos/1.0/camera/": "GCamera",
    "http://ns.google.com/photos/1.0/image/": "GImage",
    "http://ns.google.com/photos/1.0/container/": "Container",
    "http://ns.adobe.com/hdr-gain-map/1.0/": "hdrgm",
    "http://ns.apple.com/HDRGainMap/1.0/": "HDRGainMap",
    "http://www.tc260.org.cn/ns/AIGC/1.0/": "TC260",
    "http://www.metadataworkinggroup.com/schemas/regions/": "mwg-rs",
    _RDF: "rdf",
}
_PARTS = ("xmpMM:Ingredients", "xmpMM:Pantry")
"""Below these stands what is said of other pictures, of which parts are in this one."""
PART = "part/"
"""Stands before the name of a property of a part, another picture that was placed in this one."""


@dataclass
class Properties:
    """Properties of the XMP packets of a file.

    Attributes
    ----------
    values
        Prefixed name (such as `photoshop:Credit`) → values in document order. A name of an unknown namespace keeps
        the namespace's last path element as its prefix. What is said of a part has `PART` before its name.
    problems
        What could not be read, one plain phrase each.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def first(self, *names: str) -> str:
        """Return the first value of the first of `names` that has one, or an empty text."""
        for name in names:
            for value in self.values.get(name, ()):
                if value:
                    return value
        return ""


def read(packets: Sequence[bytes]) -> Properties:
    """Read XMP packets. Never raises."""
    found = Properties()
    left = _MAX_NODES
    for packet in packets:
        left -= _read(packet, found, left)
        if left <= 0:
            found.problems.append(f"only the first {_MAX_NODES} XMP nodes were read")
            break
    return found


def _read(packet: bytes, found: Properties, most: int) -> int:
    """Note the properties of at most `most` nodes and attributes, and return how many there were.

    A fault keeps what came before it.
    """
    walk = _Walk(found, most)
    try:
        text = _text(packet)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            found.problems.append("an XMP packet with a document type was refused")
            return 0
        # A tag of a million attributes would cost seconds before its first event.
        excess = next(itertools.islice(_ATTRIBUTE.finditer(text), _MAX_ATTRIBUTES, None), None)
        # Where expat resolves namespaces, it writes the whole address into every name: kilobytes would fill gigabytes.
        parser = expat.ParserCreate()
        parser.buffer_text, parser.buffer_size = True, _TEXT_AT_ONCE
        parser.StartElementHandler = walk.start
        parser.EndElementHandler = walk.end
        parser.CharacterDataHandler = walk.text
        parser.Parse(text[: excess.start()] if excess else text, True)
    except _EnoughError:
        pass
    except (expat.ExpatError, ValueError):
        found.problems.append("an XMP packet is not well-formed XML")
    except MemoryError:
        found.problems.append("an XMP packet takes too much memory")
    return walk.nodes


class _EnoughError(Exception):
    """Ends a packet after as many nodes as may be read."""


class _Walk:
    """Notes the properties of elements and attributes as the parser meets them."""

    def __init__(self, found: Properties, most: int) -> None:
        self.nodes = 0
        self._found, self._most = found, most
        self._prefixes: dict[str, list[str]] = {}
        # Of every open element: the property that its text belongs to, and the prefixes that end with it.
        self._open: list[tuple[str, list[str]]] = []
        self._text: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Note an element's attributes, at most as many as are left."""
        self._note_text()
        if self.nodes >= self._most:
            raise _EnoughError
        self.nodes += 1
        spaces = {key[6:]: value for key, value in attributes.items() if f"{key}:".startswith("xmlns:")}
        for prefix, space in spaces.items():
            self._prefixes.setdefault(prefix, []).append(_prefix(space))
        outer = self._open[-1][0] if self._open else ""
        name = self._name(tag)
        owner = outer if name.startswith("rdf:") else name
        if outer.startswith((PART, *_PARTS)) and owner != outer:
            owner = PART + name
        self._open.append((owner, list(spaces)))
        part = PART if owner.startswith((PART, *_PARTS)) else ""
        for key, value in itertools.islice(attributes.items(), self._most - self.nodes):
            self.nodes += 1
            attribute = self._name(key) if ":" in key else key
            if attribute == "rdf:resource":
                _add(self._found, owner, value)
            elif not attribute.startswith(("rdf:", "xml:", "xmlns")):
                _add(self._found, part + attribute, value)
        self._text = []

    def end(self, _tag: str) -> None:
        """Leave an element, and the prefixes that it declared."""
        self._note_text()
        for prefix in self._open.pop()[1]:
            self._prefixes[prefix].pop()

    def text(self, piece: str) -> None:
        """Keep a piece of the text before an element's first child."""
        if self._text is not None:
            self._text.append(piece)

    def _note_text(self) -> None:
        if self._text and self._open:
            _add(self._found, self._open[-1][0], "".join(self._text))
        self._text = None

    def _name(self, written: str) -> str:
        """Name under its namespace's usual prefix; one that was never declared stays as it is written."""
        prefix, _, local = written.rpartition(":")
        declared = self._prefixes.get(prefix)
        prefix = declared[-1] if declared else prefix
        return f"{prefix}:{local}" if prefix else local


def _text(packet: bytes) -> str:
    """Return the packet as text without its processing instructions and padding."""
    if packet[:2] in {b"\xff\xfe", b"\xfe\xff"} or (len(packet) > 3 and 0 in packet[:4]):
        little = packet[:2] == b"\xff\xfe" or packet[1:2] == b"\0"
        text = packet.decode("utf-16-le" if little else "utf-16-be", "replace")
    else:
        text = packet.decode("utf-8", "replace")
    text = _FORBIDDEN.sub(" ", text)
    root = _ROOT.search(text)
    if root is None:
        return text.strip()
    end = text.rfind(f"</{root[1]}>")
    return text[root.start() : end + len(root[1]) + 3 if end > 0 else len(text)]


def _add(found: Properties, name: str, value: str) -> None:
    value = value.strip()[:_MAX_VALUE]
    if not value or not name:
        return
    values = found.values.setdefault(name, [])
    if len(values) < _MAX_VALUES:
        values.append(value)
    elif (cut := f"only the first {_MAX_VALUES} values of an XMP property were read") not in found.problems:
        found.problems.append(cut)


def _prefix(space: str) -> str:
    """Return the usual prefix of a namespace, or the last element of its address."""
    return _PREFIXES.get(space) or space.rstrip("/#").rpartition("/")[2][:_MAX_PREFIX]
