"""What a batch consists of: files, the pictures of folders, the members of ZIP archives, found while it runs."""

from __future__ import annotations

import io
import os
import re
import stat
import weakref
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from aiforensics.evidence import ErrorKind, InputError, Refusal
from aiforensics.image import SUFFIXES
from aiforensics.image.sniff import is_picture, sniff

MAX_MEMBERS = 100_000
"""Members of one archive at most."""
MAX_MEMBER_BYTES = 200_000_000
"""Unpacked size of one member at most."""
MAX_RATIO = 200
"""Unpacked against packed size at most, for members over a megabyte: pictures hardly shrink, bombs do."""
MAX_NAME = 4096
"""Characters of a member's name at most, as for paths on a disk."""
_ARCHIVES = (".zip", ".cbz", ".rar", ".cbr", ".7z", ".cb7", ".tar", ".tgz")
"""Endings of archives, whose pictures nobody would miss where they are left out inside another one."""
_SNIFFED = 4096
"""Bytes that tell whether a member whose name has no ending is a picture."""
_ENDING = re.compile(r"\.[a-z0-9]{1,8}")
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
    files than pictures, archives, and links to folders (they may go in circles) are left out and counted. A name
    without an ending, in a folder or an archive, is a picture's by the first bytes.

    Parameters
    ----------
    sources
        Files, folders and ZIP archives, or a single one. One that is missing or cannot be looked at becomes a refusal,
        so that it shows among the results; so does such an entry of a folder, and an archive inside an archive.

    Attributes
    ----------
    left_out
        How many were left out, by ending in small letters; hidden ones under `hidden`, links to folders, names without
        an ending and odd ones under `""`.
    """

    def __init__(self, sources: str | Path | Iterable[str | Path]) -> None:
        named = [sources] if isinstance(sources, str | Path) else sources  # a text is no sequence of names
        self.sources = [os.fspath(source) for source in named]
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Item | Refusal]:
        self.left_out = Counter()
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
                    self.left_out[_ending(path)] += 1
            except OSError as error:
                yield _unseen(path, error)

    def _archive(self, file: str) -> Iterator[Item | Refusal]:
        try:
            archive = _opened(file)
        except Exception as error:  # whatever ails one archive must not cost the others
            yield Refusal.of(file, error)
            return
        for index, info in enumerate(archive.infolist()):
            if info.is_dir():
                continue
            called = _called(info)
            path = f"{file}!{called}"
            if len(called) > MAX_NAME:
                # One more character than a name that is taken, so that the cut one is nobody else's.
                cut = f"{file}!{called[:MAX_NAME]}…"
                yield Refusal(cut, "too-large", f"the member's name has {len(called)} characters, over {MAX_NAME}")
                continue
            try:
                if _is_archive_member(PurePosixPath(called)):
                    yield Refusal(path, "unsupported", "an archive inside an archive: unpack it first")
                elif _is_listed_member(archive, info, PurePosixPath(called)):
                    yield Item(path, file, index)
                else:
                    self.left_out[_ending(called)] += 1
            except InputError as error:
                yield Refusal.of(path, error)


def read_member(item: Item) -> bytes:
    """Unpack one member of an archive into memory, never to the disk.

    Raises
    ------
    InputError
        For a member that is too large, packed too tightly, encrypted or broken, and for an archive that has another
        member in its place since it was listed.
    """
    archive = _opened(item.file)
    members = archive.infolist()
    if item.member >= len(members) or item.path != f"{item.file}!{_called(members[item.member])}":
        raise InputError("unreadable", "the archive changed while it was read: scan it again")
    info = members[item.member]
    if info.file_size > MAX_MEMBER_BYTES:
        raise InputError("too-large", f"the member unpacks to {info.file_size} bytes, over {MAX_MEMBER_BYTES}")
    if info.file_size > 1_000_000 and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise InputError("too-large", f"the member is packed more than {MAX_RATIO}:1, as archive bombs are")
    return _unpack(archive, info, MAX_MEMBER_BYTES + 1)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: int) -> bytes:
    """The first bytes of a member, so many at most."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # zipfile unpacks bzip2 and LZMA without a bound: 700 bytes may fill a gigabyte, whatever size they state.
        raise InputError("unsupported", "the archive member cannot be unpacked: it is neither stored nor deflated")
    try:
        with archive.open(info) as stream:
            return stream.read(count)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        # RuntimeError: zipfile's word for a member that is encrypted.
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
    if not _may_be_picture(entry.name):
        return False
    if not Path(entry.name).suffix:
        return entry.is_file() and is_picture(entry.path)
    if entry.is_symlink():
        entry.stat()  # a link to nowhere has an error to tell, which is_file() keeps to itself
    return entry.is_file()


def _is_archive_member(name: PurePosixPath) -> bool:
    return name.suffix.lower() in _ARCHIVES and not name.name.startswith(".") and "__MACOSX" not in name.parts


def _is_listed_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: PurePosixPath) -> bool:
    if not _may_be_picture(name.name) or "__MACOSX" in name.parts:
        return False
    return bool(name.suffix) or _starts_as_picture(_unpack(archive, info, _SNIFFED))


def _starts_as_picture(start: bytes) -> bool:
    try:
        sniff(start)
    except InputError:
        return False
    return True


def _may_be_picture(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return not name.startswith(".") and (not suffix or suffix in SUFFIXES)


def _ending(name: str) -> str:
    """The ending that a name is counted under; a stranger's odd ones are not told apart, nor are hidden names."""
    if Path(name).name.startswith("."):
        return "hidden"
    suffix = Path(name).suffix.lower()
    return suffix if _ENDING.fullmatch(suffix) else ""


def _is_archive(file: str) -> bool:
    """Whether a file is an archive by its bytes, or by its name where its bytes are no picture."""
    try:
        with Path(file).open("rb") as stream:
            start = stream.read(_SNIFFED)
    except OSError:
        return False
    return start.startswith(b"PK\3\4") or (Path(file).suffix.lower() == ".zip" and not _starts_as_picture(start))


class _BoundedFile(io.BufferedReader):
    """A file that zipfile opens an archive from: it reads the whole directory in one go, however long that is."""

    bounded = True

    def read(self, size: int | None = -1, /) -> bytes:
        self._bound((size or 0) <= MAX_MEMBERS * 512)
        data = super().read(size)
        self._bound(data.count(b"PK\1\2") <= MAX_MEMBERS)
        return data

    def _bound(self, fits: bool) -> None:
        if self.bounded and not fits:
            raise InputError("too-large", f"the archive lists more than {MAX_MEMBERS} members: split it")


def _opened(file: str) -> zipfile.ZipFile:
    """Open an archive, or take the one that is still open: a worker asks for it once per member."""
    try:
        state = Path(file).stat()
        return _open(file, state.st_mtime_ns, state.st_size)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        raise InputError("unreadable", f"this is not a readable ZIP archive: {error}") from None


def _check_whole(stream: io.BufferedReader, archive: zipfile.ZipFile) -> None:
    """Refuse the directory of an archive inside this one, which zipfile takes for this one's where that was cut off."""
    stream.seek(0)
    first = min((info.header_offset for info in archive.infolist()), default=-1)
    if first != 0 and stream.read(4) == b"PK\3\4":
        raise InputError("truncated", "this archive is cut short or damaged, its list of members is gone: get it anew")


@lru_cache(maxsize=1)
def _open(file: str, changed: int, size: int) -> zipfile.ZipFile:
    """Open an archive as it is now: a file that changed is another one."""
    with ExitStack() as closing:
        stream = closing.enter_context(_BoundedFile(io.FileIO(file)))
        archive = zipfile.ZipFile(stream)
        _check_whole(stream, archive)
        closing.pop_all()  # an archive that could be opened stays open
    stream.bounded = False
    weakref.finalize(archive, stream.close)  # when the cache has another one and nobody reads this one any more
    return archive
