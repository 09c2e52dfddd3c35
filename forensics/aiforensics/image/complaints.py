"""What a decoder's own library writes to standard error: kept from there, and known only as having happened."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import IO, TypeVar

_Result = TypeVar("_Result")
_STDERR = 2


def overheard(work: Callable[[], _Result]) -> tuple[_Result, bool]:
    """Do a work while the process's standard error goes elsewhere; it is restored in every case.

    Libraries such as libtiff write their complaints to the descriptor itself, past `sys.stderr`.

    Parameters
    ----------
    work
        Called once. The descriptor belongs to the whole process: only one work at a time may run, and what other
        threads write meanwhile is lost.

    Returns
    -------
    tuple
        What the work returned, and whether anything was written to standard error.
    """
    with _sink() as sink:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # the process has no standard error, so nothing can be written to it
            return work(), False
        try:
            os.dup2(sink.fileno(), _STDERR)
            result = work()
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
        return result, os.fstat(sink.fileno()).st_size > 0


def _sink() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError:  # no folder can be written to: complaints still stay off standard error, but are not known
        return open(os.devnull, "wb")  # noqa: PTH123 - a device, not a file of the user
