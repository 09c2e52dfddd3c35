"""XMP packets as flat properties: prefixed name → values.

Document types and entities are refused, so that nothing can expand; depth and number of nodes are bounded.
Source: ISO 16684-1 (XMP), section 7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from aiforensics.provenance.contents import MAX_PACKETS

_MAX_NODES = 20_000
_MAX_VALUE = 1 << 20
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
    for packet in packets[:MAX_PACKETS]:
        text = _text(packet)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            found.problems.append("an XMP packet with a document type was refused")
            continue
        try:
            root = ElementTree.fromstring(text)  # noqa: S314 - document types, and with them entities, are refused above
        except (ElementTree.ParseError, ValueError):
            found.problems.append("an XMP packet is not well-formed XML")
            continue
        _flatten(root, found)
    return found


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


def _flatten(root: ElementTree.Element, found: Properties) -> None:
    stack: list[tuple[ElementTree.Element, str]] = [(root, "")]
    nodes = 0
    while stack:
        element, owner = stack.pop()
        nodes += 1
        if nodes > _MAX_NODES:
            found.problems.append(f"only the first {_MAX_NODES} XMP nodes were read")
            return
        name = _name(element.tag)
        owner = owner if name.startswith("rdf:") else name
        for key, value in list(element.items())[:512]:
            attribute = _name(key)
            if attribute == "rdf:resource":
                _add(found, owner, value)
            elif not attribute.startswith(("rdf:", "xml:")):
                _add(found, attribute, value)
        if element.text and owner:
            _add(found, owner, element.text)
        stack.extend((child, owner) for child in reversed(element))


def _add(found: Properties, name: str, value: str) -> None:
    value = value.strip()[:_MAX_VALUE]
    if value and name:
        found.values.setdefault(name, []).append(value)


def _name(tag: str) -> str:
    namespace, _, local = tag.rpartition("}")
    namespace = namespace.removeprefix("{")
    if namespace in _PREFIXES:
        return f"{_PREFIXES[namespace]}:{local}"
    tail = namespace.rstrip("/#").rpartition("/")[2]
    return f"{tail}:{local}" if tail else local
