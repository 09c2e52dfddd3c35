"""One run at a time works in a folder: two would go on from each other's checkpoints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiforensics.batch.lock import taken

LOCK = ".lock"
"""File in a folder whose lock says that a run works there; it stays, and is empty."""


class BusyError(Exception):
    """A folder in which another run works, with the one line that tells what to do."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make a folder where it is missing, and keep other runs out of it while the block runs.

    Parameters
    ----------
    folder
        Where checkpoints and results go. Where the system or the file system has no locks, nobody is kept out.

    Raises
    ------
    BusyError
        Another run works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if taken(descriptor):
            raise BusyError(f"another run works in {folder}: wait until it ends, or name another folder")
        yield
    finally:
        os.close(descriptor)
