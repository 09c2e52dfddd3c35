"""One run at a time works in a folder, where two would go on from each other's checkpoints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiforensics.batch.lock import taken

LOCK = ".lock"
"""File in a folder whose lock says that a run works there; it stays, and is empty."""
_OURS = (LOCK, "audit.json", "audit-delivered.json")
"""What every run leaves; one of earlier versions has left an audit alone."""
_PLOTS = ("history.png", "augmentation.png", "confusion-matched.png", "confusion-as-found.png")


class WorkError(Exception):
    """A folder in which no run can work, with the one line that tells what to do."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make a folder where it is missing, and keep other runs out of it while the block runs.

    Parameters
    ----------
    folder
        Where checkpoints and results go. Where the system or the file system has no locks, nobody is kept out.

    Raises
    ------
    WorkError
        Another run works there, or a stranger's picture has the name of a plot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not any((folder / name).exists() for name in _OURS):
        for plot in (folder / name for name in _PLOTS):
            if plot.exists():
                raise WorkError(f"a plot would overwrite {plot}, which no run has made: name another folder")
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if taken(descriptor):
            raise WorkError(f"another run works in {folder}: wait until it ends, or name another folder")
        yield
    finally:
        os.close(descriptor)
