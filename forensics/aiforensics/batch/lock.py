"""One run at a time writes a file, or in a folder."""

from __future__ import annotations

import sys


def taken(descriptor: int) -> bool:
    """Lock an open file for whoever has opened it, until it is closed; whether another one has it already.

    Where the system or the file system has no such locks, nobody has.
    """
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - not everywhere

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
