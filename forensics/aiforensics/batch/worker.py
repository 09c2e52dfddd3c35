"""What runs in a worker process: one scanner, one picture after the other, answers as JSON.

Answers are plain JSON and nothing else, because a worker decodes bytes of strangers and its parent must not have to
trust it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from aiforensics.batch.listing import Item, read_member
from aiforensics.evidence import Finding, Refusal

Result = dict[str, Any]
"""A finding or a refusal as the JSON object of the command line contract."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables that keep a worker to one thread: the workers are the parallelism."""


class Scans(Protocol):
    """What a worker needs of a scanner."""

    def scan(self, source: str) -> Finding:
        """Examine a file; raises InputError."""
        ...

    def scan_bytes(self, data: bytes, path: str) -> Finding:
        """Examine bytes that came from `path`; raises InputError."""
        ...


def scan_item(scanner: Scans, item: Item) -> Result:
    """Scan one item; whatever goes wrong with it becomes its refusal."""
    try:
        if item.member < 0:
            return scanner.scan(item.file).to_dict()
        return scanner.scan_bytes(read_member(item), item.path).to_dict()
    except Exception as error:  # a defect that one file lays bare must not cost the others
        return Refusal.of(item.path, error).to_dict()


def serve(connection: socket.socket, factory: Callable[[], Scans]) -> None:
    """Answer the parent's items until it hangs up. Runs in a process of its own.

    Parameters
    ----------
    connection
        Takes `[path, file, member]`, gives `{"ready": true}` or `{"failed": line}` once, then one result per item; each
        is a line.
    factory
        Makes the scanner; called once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # standard output carries results, and only the parent's
    with suppress(ConnectionError):  # the parent was killed, and nobody is left to tell
        _answer(connection, factory)


def _answer(connection: socket.socket, factory: Callable[[], Scans]) -> None:
    try:
        scanner = factory()
        _limit_opencv()
    except Exception as error:  # the parent raises it for its user
        _say(connection, {"failed": str(error) or type(error).__name__})
        return
    _say(connection, {"ready": True})
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            path, file, member = json.loads(line)
            _say(connection, scan_item(scanner, Item(path, file, member)))


def _say(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _limit_opencv() -> None:
    """OpenCV keeps its own threads and reads none of the variables."""
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
