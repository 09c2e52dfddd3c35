"""XMP packets as flat properties: prefixed name → values.

Document types and entities are refused, so that nothing can expand; depth and number of nodes are bounded.
Source: ISO 16684-1 (XMP), section 7.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

_MAX_NODES = 20_000
_MAX_VALUES = 1000
_MAX_ATTRIBUTES = 100_000
_PIECE = 1 << 18
_MAX_VALUE = 1 << 20
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


@dataclass
class Properties:
    """Properties of the XMP packets of a file.

    Attributes
    ----------
    values
        Prefixed name (such as `photoshop:Credit`) → values in document order. A name of an unknown namespace keeps
        the namespace's last path element as its prefix.
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
        text = _text(packet)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            found.problems.append("an XMP packet with a document type was refused")
            continue
        root = _parse(text, left, found)
        if root is not None:
            left -= _flatten(root, found, left)
        if left <= 0:
            found.problems.append(f"only the first {_MAX_NODES} XMP nodes were read")
            break
    return found


def _parse(text: str, most: int, found: Properties) -> ElementTree.Element | None:
    """Parse piece by piece, so that a bomb is left after `most` nodes; a fault keeps what came before it.

    Document types, and with them entities, are refused before.
    """
    parser: ElementTree.XMLPullParser[ElementTree.Element] = ElementTree.XMLPullParser(("start",))
    # A tag of a million attributes would cost seconds before its first event.
    excess = next(itertools.islice(_ATTRIBUTE.finditer(text), _MAX_ATTRIBUTES, None), None)
    text = text[: excess.start()] if excess else text
    root: ElementTree.Element | None = None
    nodes = 0
    try:
        for start in range(0, len(text), _PIECE):
            parser.feed(text[start : start + _PIECE])
            for event in parser.read_events():
                nodes += 1
                if root is None and isinstance(event[-1], ElementTree.Element):
                    root = event[-1]
            if nodes > most:
                return root
        parser.close()
    except (ElementTree.ParseError, ValueError):
        found.problems.append("an XMP packet is not well-formed XML")
    return root


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


def _flatten(root: ElementTree.Element, found: Properties, most: int) -> int:
    """Note the properties of at most `most` nodes and attributes, and return how many there were."""
    stack: list[tuple[ElementTree.Element, str]] = [(root, "")]
    nodes = 0
    while stack and nodes < most:
        element, owner = stack.pop()
        nodes += 1
        name = _name(element.tag)
        owner = owner if name.startswith("rdf:") else name
        for key, value in itertools.islice(element.items(), max(0, most - nodes)):
            nodes += 1
            attribute = _name(key)
            if attribute == "rdf:resource":
                _add(found, owner, value)
            elif not attribute.startswith(("rdf:", "xml:")):
                _add(found, attribute, value)
        if element.text and owner:
            _add(found, owner, element.text)
        stack.extend((child, owner) for child in reversed(element))
    return nodes


def _add(found: Properties, name: str, value: str) -> None:
    value = value.strip()[:_MAX_VALUE]
    if not value or not name:
        return
    values = found.values.setdefault(name, [])
    if len(values) < _MAX_VALUES:
        values.append(value)
    elif (cut := f"only the first {_MAX_VALUES} values of an XMP property were read") not in found.problems:
        found.problems.append(cut)


def _name(tag: str) -> str:
    namespace, _, local = tag.rpartition("}")
    namespace = namespace.removeprefix("{")
    if namespace in _PREFIXES:
        return f"{_PREFIXES[namespace]}:{local}"
    tail = namespace.rstrip("/#").rpartition("/")[2]
    return f"{tail}:{local}" if tail else local
