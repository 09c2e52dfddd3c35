"""The IPTC vocabulary of digital source types, as XMP and Content Credentials use it.

Source: IPTC NewsCodes, scheme `digitalsourcetype` (cv.iptc.org/newscodes/digitalsourcetype).
"""

from __future__ import annotations

from aiforensics.evidence import ProvenanceOrigin

_TYPES: dict[str, tuple[ProvenanceOrigin, str]] = {
    "digitalcapture": ("camera", "captured by a digital camera"),
    "computationalcapture": (
        "camera",
        "captured by a camera that computes one picture from several (a camera, not AI)",
    ),
    "negativefilm": ("camera", "digitised from a film negative"),
    "positivefilm": ("camera", "digitised from a film positive"),
    "print": ("unknown", "digitised from a print"),
    "screencapture": ("unknown", "a screen capture"),
    "virtualrecording": ("unknown", "a recording of a virtual event"),
    "humanedits": ("edited", "changed by a person"),
    "minorhumanedits": ("edited", "changed a little by a person"),
    "algorithmicallyenhanced": ("edited", "enhanced by an algorithm"),
    "composite": ("edited", "composed of several elements"),
    "compositecapture": ("edited", "composed of several captures"),
    "compositesynthetic": ("edited", "composed of elements of which at least one is synthetic"),
    "compositewithtrainedalgorithmicmedia": ("edited", "composed with parts that a trained AI model made"),
    "trainedalgorithmicmedia": ("ai", "made by a trained AI model"),
    "trainedalgorithmicdata": ("ai", "data made by a trained AI model"),
    "algorithmicmedia": ("unknown", "made by an algorithm that was not trained on pictures"),
    "datadrivenmedia": ("unknown", "drawn from data"),
    "digitalart": ("unknown", "drawn by a person with digital tools"),
    "digitalcreation": ("unknown", "created by a person with digital tools"),
    "softwareimage": ("unknown", "made by software"),
    "empty": ("unknown", "started from an empty canvas"),
}


def meaning(value: str) -> tuple[ProvenanceOrigin, str] | None:
    """Origin and words of a digital source type, given as an address or as its last part; None if it is not known.

    >>> meaning("http://cv.iptc.org/newscodes/digitalsourcetype/computationalCapture")[0]
    'camera'
    """
    return _TYPES.get(value.strip().rstrip("/").rpartition("/")[2].lower())
