"""Sums of whole files, by which pictures, weights and networks are known whatever they are called."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sum_of(path: Path) -> str:
    """sha256 of a file in 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
