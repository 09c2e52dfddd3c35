"""Readers of what the file says of itself: one file each, never mixed into the pixel score."""

from aiforensics.provenance.dossier import Dossier, Reader
from aiforensics.provenance.reading import READERS, read_provenance, redact

__all__ = ["READERS", "Dossier", "Reader", "read_provenance", "redact"]
