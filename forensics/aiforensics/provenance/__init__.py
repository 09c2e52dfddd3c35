"""Readers of what the file says of itself: one file each, never mixed into the pixel score."""

from aiforensics.provenance.dossier import Dossier, Reader
from aiforensics.provenance.reading import READERS, read_provenance, redact
from aiforensics.provenance.trust import Anchors, TrustError, read_anchors

__all__ = ["READERS", "Anchors", "Dossier", "Reader", "TrustError", "read_anchors", "read_provenance", "redact"]
