"""A scanner whose process says what no worker says; which it is stands in the file's name."""

import gc
import os
import signal
import socket
import time
from pathlib import Path

from fake_scanners import finding

SOUND = finding("sound.png").to_dict()
OBJECTS = {
    "list": [],
    "text": "real",
    "null": None,
    "empty": {},
    "ready": {"ready": True},
    "failed": {"failed": "the batch is over"},
    "verdict": {**SOUND, "verdict": "sure"},
    "interval": {**SOUND, "interval": 3},
    "reasons": {**SOUND, "reasons": [1]},
    "model": {**SOUND, "model": "m"},
    "share": {**SOUND, "p_ai": 10**4000},
    "nan": {**SOUND, "p_ai": float("nan")},
    "surrogate": {**SOUND, "format": "\ud800"},
    "schema": {**SOUND, "schema": "other"},
    "error": {"schema": SOUND["schema"], "path": "x", "error": "broken"},
    "kind": {"schema": SOUND["schema"], "path": "x", "error": {"kind": "odd", "message": "broken"}},
}
RAW = {
    "words": b"Segmentation fault",
    "bytes": b"\xff\xfe\x00",
    "nothing": b"",
    "deep": b"[" * 200_000,
    "deeper": b'{"a":' * 200_000,
    "huge": b'{"overflow": 1e999}',
    "digits": b"9" * 10_000,
    "long": b" " * 9_000_000,
}


class Said:
    """Stands in for a finding."""

    def __init__(self, said):
        self.said = said

    def to_dict(self):
        return self.said


class Scanner:
    """Sends what is written above under the file's stem; other files are sound, `other` under another file's name."""

    def scan(self, source):
        stem = Path(source).stem
        if stem == "signal":
            os.kill(os.getpid(), 35)
        if stem == "other":
            return finding("another.png")
        if stem in RAW:
            connection().sendall(RAW[stem] + b"\n")
        if stem == "half":
            connection().sendall(b'{"schema":')
            os.kill(os.getpid(), signal.SIGSTOP)
        while stem == "drip":
            connection().sendall(b" ")
            time.sleep(0.01)
        return Said(OBJECTS[stem]) if stem in OBJECTS else finding(source)

    def scan_bytes(self, data, path):
        raise NotImplementedError


def connection():
    """The socket to the parent, as hostile code would find it."""
    (found,) = (one for one in gc.get_objects() if isinstance(one, socket.socket) and one.fileno() >= 0)
    return found


def babble_at_start():
    connection().sendall(b"loading the model\n")
    return Scanner()
