"""What the blocks of a file say without decoding it: how many frames it has, and whether it was cut short."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from aiforensics.evidence import InputError
from aiforensics.image import ifd
from aiforensics.image.limits import Limits, check_parts, check_stray

_GIF_BLOCK = re.compile(rb"[\x21\x2c\x3b]")
_PNG_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}


def gif_frames(data: bytes, limits: Limits) -> int:
    """Pictures in a GIF (GIF89a specification, section 20), counted to one more than the limit; at least 1.

    Raises
    ------
    InputError
        `too-large` for too many blocks, `unreadable` for many stray bytes before the first picture.
    """
    frames = blocks = 0
    at = 13 + _table(data[10]) if len(data) > 10 else len(data)
    while frames <= limits.max_frames:
        found = _GIF_BLOCK.search(data, at)
        if not frames:
            check_stray((found.start() if found else len(data)) - at, limits)
        if found is None or found[0] == b"\x3b":
            break
        at = found.start()
        if found[0] == b"\x2c":
            if at + 9 >= len(data):
                break
            frames += 1
            at += 11 + _table(data[at + 9])
        else:
            at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
            blocks += 1
            if not blocks & 0xFFFF:
                check_parts(blocks, limits.max_blocks)
        at += 1
    return max(1, frames)


def check_chunks(data: bytes, limits: Limits) -> None:
    """Refuse a PNG whose one header is not its first chunk (PNG specification, 5.6), or of too many chunks.

    What is read at the fixed places of the header would otherwise be what a stranger put there.

    Raises
    ------
    InputError
        `unreadable` or `too-large`.
    """
    for count, (_, name, _) in enumerate(_chunks(data), 1):
        if (name == b"IHDR") != (count == 1):
            raise InputError("unreadable", "the PNG has its header in a wrong place: get the original file again")
        check_parts(count, limits.max_chunks)


def mend_texts(data: bytes) -> bytes:
    """Return a PNG whose text chunks have right checksums; the same bytes where they have them already.

    Some generators write texts with wrong checksums, for which a decoder would refuse the picture. Every other chunk
    keeps its own, so that damaged pixels are still found.
    """
    patches: list[tuple[int, bytes]] = []
    for start, name, end in _chunks(data):
        if name in _PNG_TEXTS and end + 4 <= len(data):
            checksum = zlib.crc32(memoryview(data)[start + 4 : end]).to_bytes(4, "big")
            if data[end : end + 4] != checksum:
                patches.append((end, checksum))
    if not patches:
        return data
    mended = bytearray(data)
    for place, checksum in patches:
        mended[place : place + 4] = checksum
    return bytes(mended)


def cut_short(kind: str, data: bytes) -> bool:
    """Whether a file that could not be decoded ends before its own structure says that it ends."""
    if kind == "JPEG":
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda") or b"\xff\xda" not in data
    if kind == "GIF":
        return not data.endswith(b"\x3b")
    if kind == "PNG":
        return b"IEND" not in data[-12:] and all(name != b"IEND" for _, name, _ in _chunks(data))
    return _claimed_end(kind, data) > len(data)


def _claimed_end(kind: str, data: bytes) -> int:
    """Where the file ends by its own words; 0 when it says nothing of it."""
    if kind in {"AVIF", "HEIF"}:
        return _last_end(data)
    if kind == "WEBP":
        return 8 + int.from_bytes(data[4:8], "little")
    if kind == "BMP":
        return int.from_bytes(data[2:6], "little")
    return ifd.last_offset(data) if kind == "TIFF" else 0


def _chunks(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """(Offset, name, end of the content) of every chunk of a PNG up to its last, `IEND`."""
    at, name = 8, b""
    while at + 12 <= len(data) and name != b"IEND":
        name, end = data[at + 4 : at + 8], at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield at, name, end
        at = end + 4


def _last_end(data: bytes) -> int:
    """Where the last box of an ISO base media file ends by its own length; beyond the data when it was cut off."""
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        if length < 8:  # the box reaches to the end of the file, or is damaged
            return len(data)
        at += length
    return at + (8 if at < len(data) else 0)


def _table(flags: int) -> int:
    """Bytes of the colour table that the flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
