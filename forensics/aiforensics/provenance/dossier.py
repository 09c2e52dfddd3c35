"""What every provenance reader gets: one file, taken apart once, and what the user allowed."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from aiforensics.evidence import Claim
from aiforensics.image.picture import Picture
from aiforensics.provenance import containers, iim, tiff_ifd, xmp_packet
from aiforensics.provenance.contents import Contents
from aiforensics.provenance.tiff_ifd import Directories
from aiforensics.provenance.trust import Anchors
from aiforensics.provenance.xmp_packet import Properties

BROKEN = (ValueError, TypeError, LookupError, ArithmeticError, OSError, RecursionError, MemoryError, struct.error)
"""What a hostile file can raise in code that parses bytes; anything else is a fault of this program, to be seen."""
MAX_VALUE = 300
"""Characters of a claim's value; longer ones are cut."""
_FOLDERS = re.compile(r"(?:^|(?<=[\s\"'(=]))(?:[A-Za-z]:|[~%$]\w{0,40}%?|file:)?[\\/](?=\S).*[\\/]", re.DOTALL)
_WEIGHTS = re.compile(r"\.(?:safetensors|ckpt|gguf|pth?|bin|sft)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Dossier:
    """A picture with its metadata, parsed at most once and only when a reader asks.

    Attributes
    ----------
    picture
        The decoded picture with its bytes.
    online
        Whether remote manifests and certificate status may be fetched.
    trust
        Trust anchors for Content Credentials, read beforehand, or None.
    """

    picture: Picture
    online: bool = False
    trust: Anchors | None = None

    @cached_property
    def contents(self) -> Contents:
        """The metadata blocks of the container, sniffed from the bytes and never from the name. Never raises."""
        contents = Contents()
        try:
            containers.walk(self.picture.data, contents)
        except BROKEN as error:
            contents.problem(f"the structure of the file is broken ({type(error).__name__})")
        return contents

    @cached_property
    def exifs(self) -> tuple[Directories, ...]:
        """The directories of every EXIF block, in file order."""
        return tuple(tiff_ifd.read(block) for block in self.contents.exif_blocks)

    @property
    def exif(self) -> Directories:
        """The directories of the EXIF block that most viewers show, the first one; empty ones where there is none."""
        return self.exifs[0] if self.exifs else Directories()

    @cached_property
    def xmp(self) -> Properties:
        """The XMP properties of all packets."""
        return xmp_packet.read(self.contents.xmp)

    @cached_property
    def records(self) -> iim.Records:
        """The IPTC records of all blocks."""
        return iim.read(self.contents.photoshop, self.contents.iptc)


@dataclass(frozen=True)
class Reader:
    """One reader of what the file says of itself.

    Attributes
    ----------
    name
        Short name, shown when the reader fails.
    reads
        What it reads, in a few words.
    read
        Dossier → claims. It may fail on a hostile file; then it costs its own claims only.
    """

    name: str
    reads: str
    read: Callable[[Dossier], Iterable[Claim]]


def clean(value: object, limit: int = MAX_VALUE) -> str:
    """One line of printable text of bounded length."""
    text = str(value).strip()[: 4 * limit]
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def without_folders(value: str) -> str:
    r"""Cut the folders of a path, where accounts have their names; `owner/name` is no path.

    >>> without_folders("C:\\Users\\someone\\x.exe"), without_folders("black-forest-labs/FLUX.1-dev")
    ('x.exe', 'black-forest-labs/FLUX.1-dev')
    """
    value = _FOLDERS.sub("", value.rstrip("\\/"))
    return re.split(r"[\\/]", value)[-1] if "\\" in value or is_weights(value) else value


def is_weights(value: str) -> bool:
    """Whether a value names a file of a model's weights."""
    return _WEIGHTS.search(value) is not None
