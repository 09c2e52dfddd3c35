"""What a batch consists of: files, the pictures of folders, the members of ZIP archives, found while it runs."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from aiforensics.evidence import ErrorKind, InputError, Refusal
from aiforensics.image import SUFFIXES
from aiforensics.image.sniff import is_picture

MAX_MEMBERS = 100_000
"""Members of one archive at most."""
MAX_MEMBER_BYTES = 200_000_000
"""Unpacked size of one member at most."""
MAX_RATIO = 200
"""Unpacked against packed size at most, for members over a megabyte: pictures hardly shrink, bombs do."""
_NAME_IS_UTF8 = 0x800
"""Flag of a ZIP member whose name is UTF-8; without it, the name is said to be in the code page of the first PCs."""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a batch.

    Attributes
    ----------
    path
        Its name in the results: the path, or `archive.zip!member`.
    file
        The file on disk.
    member
        Index of the member in the archive, or -1 when the file is the picture.
    """

    path: str
    file: str
    member: int = -1


class Listing:
    """The items of a batch, in a fixed order, listed as they are needed.

    Files and archives that are named are always tried. Folders are walked in the order of names: hidden files, other
    files than pictures, archives, and links to folders (they may go in circles) are left out and counted in `skipped`.

    Parameters
    ----------
    sources
        Files, folders and ZIP archives, or a single one. One that is missing or cannot be looked at becomes a refusal,
        so that it shows among the results; so does such an entry of a folder.
    """

    def __init__(self, sources: str | Path | Iterable[str | Path]) -> None:
        named = [sources] if isinstance(sources, str | Path) else sources  # a text is no sequence of names
        self.sources = [os.fspath(source) for source in named]
        self.skipped = 0

    def __iter__(self) -> Iterator[Item | Refusal]:
        self.skipped = 0
        for source in self.sources:
            if not source:  # which as a path is the current folder
                yield Refusal(source, "not-found", "this name is empty: name a file or a folder")
                continue
            try:
                mode = Path(source).stat().st_mode
            except (OSError, ValueError) as error:
                yield _unseen(source, error)
            else:
                yield from self._source(source, mode)

    def _source(self, source: str, mode: int) -> Iterator[Item | Refusal]:
        if stat.S_ISDIR(mode):
            yield from self._folder(source)
        elif stat.S_ISREG(mode) and _is_archive(source):  # looking into a pipe would wait for its other end
            yield from self._archive(source)
        else:
            yield Item(source, source)

    def _folder(self, folder: str) -> Iterator[Item | Refusal]:
        ahead: list[str | os.DirEntry[str]] = [folder]  # the next one stands last; a stack, so that no depth ends it
        while ahead:
            place = ahead.pop()
            path = os.fspath(place)
            try:
                if isinstance(place, str) or _is_open_folder(place):
                    ahead += _entries(path)
                elif _is_listed(place):
                    yield Item(path, path)
                else:
                    self.skipped += 1
            except OSError as error:
                yield _unseen(path, error)

    def _archive(self, file: str) -> Iterator[Item | Refusal]:
        try:
            members = _members(file)
        except Exception as error:  # whatever ails one archive must not cost the others
            yield Refusal.of(file, error)
            return
        for index, info in enumerate(members):
            called = _called(info)
            name = PurePosixPath(called)
            if info.is_dir():
                continue
            if name.suffix and _may_be_picture(name.name) and "__MACOSX" not in name.parts:
                yield Item(f"{file}!{called}", file, index)
            else:
                self.skipped += 1


def read_member(item: Item) -> bytes:
    """Unpack one member of an archive into memory, never to the disk.

    Raises
    ------
    InputError
        For a member that is too large, packed too tightly, encrypted or broken.
    """
    info = _members(item.file)[item.member]
    if info.file_size > MAX_MEMBER_BYTES:
        raise InputError("too-large", f"the member unpacks to {info.file_size} bytes, over {MAX_MEMBER_BYTES}")
    if info.file_size > 1_000_000 and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise InputError("too-large", f"the member is packed more than {MAX_RATIO}:1, as archive bombs are")
    try:
        with zipfile.ZipFile(item.file) as archive, archive.open(info) as stream:
            return stream.read(MAX_MEMBER_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError) as error:
        # RuntimeError: zipfile's word for a member that is encrypted or packed by a method it lacks.
        raise InputError("unreadable", f"the archive member cannot be unpacked: {error}") from None


def _called(info: zipfile.ZipInfo) -> str:
    """Read a member's name as UTF-8 where it is that: many programs write it so and do not say it."""
    if info.flag_bits & _NAME_IS_UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _unseen(path: str, error: OSError | ValueError) -> Refusal:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Refusal(path, "not-found", "no such file or folder")
    why = (isinstance(error, OSError) and error.strerror) or str(error)
    kind: ErrorKind = "unreadable" if isinstance(error, PermissionError) else "not-found"  # as the gate has it
    return Refusal(path, kind, f"this path cannot be opened: {why}")


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, the last first."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name, reverse=True)


def _is_open_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")


def _is_listed(entry: os.DirEntry[str]) -> bool:
    return _may_be_picture(entry.name) and entry.is_file() and bool(Path(entry.name).suffix or is_picture(entry.path))


def _may_be_picture(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return not name.startswith(".") and (not suffix or suffix in SUFFIXES)


def _is_archive(file: str) -> bool:
    if Path(file).suffix.lower() == ".zip":
        return True
    try:
        with Path(file).open("rb") as stream:
            return stream.read(4) == b"PK\3\4"
    except OSError:
        return False


@lru_cache(maxsize=1)
def _members(file: str) -> list[zipfile.ZipInfo]:
    """Read the archive's directory; kept, because a worker asks for it once per member."""
    try:
        if _directory_bytes(file) > MAX_MEMBERS * 512:
            raise InputError("too-large", f"the archive lists more than {MAX_MEMBERS} members: split it")
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise InputError("unreadable", f"this is not a readable ZIP archive: {error}") from None
    if len(members) > MAX_MEMBERS:
        raise InputError("too-large", f"the archive lists {len(members)} members, over {MAX_MEMBERS}: split it")
    return members


def _directory_bytes(file: str) -> int:
    """Size of the archive's directory by its end record, read before zipfile loads that directory whole."""
    with Path(file).open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 65_557 - 76))  # a comment of at most 65,535 bytes follows the record
        tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("its directory is missing")
    (directory,) = struct.unpack_from("<L", tail, at + 12)
    at64 = tail.rfind(b"PK\6\6", 0, at)
    if directory == 0xFFFFFFFF and 0 <= at64 <= len(tail) - 48:
        (directory,) = struct.unpack_from("<Q", tail, at64 + 40)
    return int(directory)
