"""What the blocks of a file say without decoding it: how many frames it has, and whether it was cut short."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from aiforensics.evidence import InputError
from aiforensics.image import ifdfacts
from aiforensics.image.containers import gif, isobmff, png, webp
from aiforensics.image.limits import Limits, check_metadata, check_parts, check_scans, check_stray, most_scans

_HDR_CURVES = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of ITU-T H.273."""
_USUAL_GAMMA = 0.45455
_HEAD = 65_536
"""Bytes at the start of an AVIF or HEIF in which its items are listed."""
_SCAN = b"\xff\xda"
"""Marker of a JPEG that no coded data hold."""


def gif_frames(data: bytes, limits: Limits) -> int:
    """Pictures in a GIF (GIF89a specification, section 20), counted to one more than the limit; at least 1.

    Raises
    ------
    InputError
        `too-large` for too many blocks, `unreadable` for many stray bytes before the first picture.
    """
    frames = end = 0
    for block in gif.blocks(data, limits.max_blocks):
        check_parts(block.parts, limits.max_blocks)
        if not frames:
            check_stray(block.start - block.after, limits)
        frames += block.kind == gif.IMAGE
        end = block.end
        if frames > limits.max_frames:
            break
    if not frames:
        check_stray(len(data) - end, limits)
    return max(1, frames)


def check_chunks(data: bytes, limits: Limits) -> None:
    """Refuse a PNG whose one header is not its first chunk (PNG specification, 5.6), or of too many chunks.

    What is read at the fixed places of the header would otherwise be what a stranger put there.

    Raises
    ------
    InputError
        `unreadable` or `too-large`.
    """
    for count, chunk in enumerate(png.chunks(data), 1):
        if (chunk.kind == png.HEADER) != (count == 1):
            raise InputError("unreadable", "the PNG has its header in a wrong place: get the original file again")
        check_parts(count, limits.max_chunks)


def mend_texts(data: bytes) -> bytes:
    """Return a PNG whose text chunks have right checksums; the same bytes where they have them already.

    Some generators write texts with wrong checksums, for which a decoder would refuse the picture. Every other chunk
    keeps its own, so that damaged pixels are still found.
    """
    patches: list[tuple[int, bytes]] = []
    for chunk in png.chunks(data):
        if chunk.kind in png.TEXTS and chunk.end + 4 <= len(data):
            checksum = zlib.crc32(memoryview(data)[chunk.start + 4 : chunk.end]).to_bytes(4, "big")
            if data[chunk.end : chunk.end + 4] != checksum:
                patches.append((chunk.end, checksum))
    if not patches:
        return data
    mended = bytearray(data)
    for place, checksum in patches:
        mended[place : place + 4] = checksum
    return bytes(mended)


def unapplied_curve(kind: str, data: bytes) -> str | None:
    """Return a note when a file asks for a curve of brightness that a viewer may apply and decoders do not.

    A PNG can so look like another picture than the one that is examined. Of a file with an HDR rendition beside the
    picture (`tmap`) nothing is said: the curve can be that one's.
    """
    transfer = 0
    if kind == "PNG":
        found: dict[bytes, bytes] = {}
        for chunk in png.chunks(data):
            if chunk.kind == b"IDAT":
                break
            found[chunk.kind] = data[chunk.body : min(chunk.end, chunk.body + 4)]
        gamma = int.from_bytes(found.get(b"gAMA", b""), "big") / 100_000
        if gamma and not found.keys() & {b"cICP", b"iCCP", b"sRGB"} and abs(gamma / _USUAL_GAMMA - 1) > 0.1:
            return f"the file asks for another brightness (gamma {gamma:g}), which is not applied"
        transfer = int.from_bytes(found.get(b"cICP", b"")[1:2], "big")
    elif kind in {"AVIF", "HEIF"} and b"tmap" not in data[:_HEAD]:
        transfer = max(isobmff.transfers(data) & _HDR_CURVES.keys(), default=0)
    curve = _HDR_CURVES.get(transfer)
    return curve and f"the brightness is coded for HDR screens ({curve}) and is examined as coded"


def check_parts_of_jpeg(data: bytes, places: Iterable[tuple[int, int]], pixels: int, limits: Limits) -> None:
    """Refuse a TIFF in which a strip or tile is a JPEG of more scans than one of the whole picture may have.

    Parameters
    ----------
    data
        The whole file.
    places
        Offset and length in bytes of each strip or tile.
    pixels
        Of the picture.
    limits
        What is refused.

    Raises
    ------
    InputError
        `too-large`; also for parts that overlap so much that counting would take long.
    """
    most = most_scans(pixels, limits)
    counted = 0
    for offset, length in dict.fromkeys(places):
        end = min(offset + length, len(data))
        counted += max(0, end - offset)
        check_metadata(counted - len(data), limits)
        check_scans(data.count(_SCAN, offset, end), most)


def cut_short(kind: str, data: bytes) -> bool:
    """Whether a file that could not be decoded ends before its own structure says that it ends."""
    if kind == "JPEG":
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda") or b"\xff\xda" not in data
    if kind == "GIF":
        return not data.endswith(b"\x3b")
    if kind == "PNG":
        return png.END not in data[-12:] and all(chunk.kind != png.END for chunk in png.chunks(data))
    return _claimed_end(kind, data) > len(data)


def _claimed_end(kind: str, data: bytes) -> int:
    """Where the file ends by its own words; 0 when it says nothing of it."""
    if kind in {"AVIF", "HEIF"}:
        return _last_end(data)
    if kind == "WEBP":
        return webp.claimed_end(data)
    if kind == "BMP":
        return int.from_bytes(data[2:6], "little")
    return ifdfacts.last_offset(data) if kind == "TIFF" else 0


def _last_end(data: bytes) -> int:
    """Where the last box of an ISO base media file ends by its own length; beyond the data when it was cut off."""
    end = 0
    for box in isobmff.boxes(data, 0, len(data)):
        if box.impossible:  # damaged, not cut off
            return len(data)
        end = box.end
    return end if end >= len(data) else end + 8
