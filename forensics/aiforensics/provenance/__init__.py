"""Readers of what the file says of itself: one file each, never mixed into the pixel score."""

from aiforensics.provenance.dossier import Dossier, Reader
from aiforensics.provenance.privacy import REMOVED, is_private
from aiforensics.provenance.reading import READERS, read_provenance, redact
from aiforensics.provenance.trust import Anchors, TrustError, read_anchors

__all__ = [
    "READERS",
    "REMOVED",
    "Anchors",
    "Dossier",
    "Reader",
    "TrustError",
    "is_private",
    "read_anchors",
    "read_provenance",
    "redact",
]
