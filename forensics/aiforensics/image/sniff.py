"""What a file is, told from its first bytes and never from its name, and how large it says it is."""

from __future__ import annotations

import struct
from pathlib import PurePath

from aiforensics.evidence import InputError
from aiforensics.image import ifdfacts

SUPPORTED = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, HEIC or camera RAW"
"""What a person is told to use instead."""

_SUFFIXES = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG", ".png": "PNG", ".apng": "PNG",
    ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".dib": "BMP", ".gif": "GIF", ".avif": "AVIF",
    ".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF", ".dng": "RAW", ".cr2": "RAW", ".cr3": "RAW", ".nef": "RAW",
    ".arw": "RAW", ".orf": "RAW", ".rw2": "RAW", ".raf": "RAW",
}  # fmt: skip
SUFFIXES = frozenset(_SUFFIXES)
"""Endings, in small letters, of the names of files that the gate reads: the one list for whoever looks into folders."""
_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"8BPS", "a Photoshop document"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"gimp xcf", "a GIMP document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript document"),
    (b"SQLite format 3\0", "a database"),
    *(
        (magic, "an archive")
        for magic in (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!\x1a")
    ),
    *((magic, "a sound recording") for magic in (b"ID3", b"OggS", b"fLaC")),
)
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAGICS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    *((magic, "RAW") for magic in (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW")),
)
_BMP_HEADERS = {struct.pack("<I", size) for size in (12, 16, 40, 52, 56, 64, 108, 124)}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_TAG_SUBFILE, _TAG_SUB_IFDS, _TAG_DNG_VERSION = 254, 330, 50706


def sniff(data: bytes) -> str:
    """Tell the format that the bytes are in.

    Returns
    -------
    str
        `JPEG`, `PNG`, `WEBP`, `TIFF`, `BMP`, `GIF`, `AVIF`, `HEIF` or `RAW`.

    Raises
    ------
    InputError
        `unsupported` for anything else.
    """
    for magic, known in _MAGICS:
        if data.startswith(magic):
            return known
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(_TIFF_MAGICS):
        return "RAW" if _is_raw(data) else "TIFF"
    if data[4:8] == b"ftyp" and (kind := _ftyp(data)):
        return kind
    if data[:2] == b"BM" and len(data) > 18 and data[14:18] in _BMP_HEADERS:
        return "BMP"
    what = _other(data) or "not a picture of a known type"
    raise InputError("unsupported", f"this is {what}: give {SUPPORTED}")


def is_picture(file: str | PurePath) -> bool:
    """Whether a file on disk is a picture by its first bytes.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    try:
        sniff(_start(file))
    except InputError:
        return False
    return True


def known_as(file: str | PurePath) -> str | None:
    """Say what a file on disk is by its first bytes, such as `a picture` or `a PDF document`; None of others, as text.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    return "a picture" if is_picture(file) else _other(_start(file))


def named_otherwise(path: str, kind: str) -> str | None:
    """Return a note when the name of the file promises another format than its bytes are in, else None."""
    named = _SUFFIXES.get(PurePath(path).suffix.lower())
    if named is None or named == kind or {named, kind} == {"AVIF", "HEIF"}:
        return None
    return f"the name says {named}, the bytes are {kind}"


def claimed_size(kind: str, data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels that the header claims, where it stands at a fixed place; else None.

    Decoders of these formats may allocate the canvas as soon as they are opened, so it is read beforehand.
    """
    if kind == "PNG" and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
    elif kind == "GIF" and len(data) >= 10:
        width, height = struct.unpack_from("<HH", data, 6)
    elif kind == "BMP" and len(data) >= 26 and data[14] >= 40:
        width, height = map(abs, struct.unpack_from("<ii", data, 18))
    elif kind == "WEBP" and len(data) >= 30:
        return _webp_size(data)
    else:
        return None
    return width, height


def _start(file: str | PurePath) -> bytes:
    with open(file, "rb") as stream:  # noqa: PTH123 - a folder's walk has names, thousands of them
        return stream.read(4096)


def _other(data: bytes) -> str | None:
    if data[4:8] == b"ftyp" or (data[:4] == b"RIFF" and data[8:12] in (b"AVI ", b"WAVE")):
        return "a video or a sound recording"
    if data[257:262] == b"ustar":
        return "an archive"
    return next((name for magic, name in _OTHERS if data.startswith(magic)), None)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if data[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _ftyp(data: bytes) -> str | None:
    """Tell the format of an ISO base media file from its major brand first and then from the compatible ones."""
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    brands = [data[8:12], *(data[i : i + 4] for i in range(16, end, 4))]
    if brands[0] == b"crx ":
        return "RAW"
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return "AVIF"
        if brand in _HEIF_BRANDS - {b"mif1", b"msf1"}:
            return "HEIF"
    return "HEIF" if _HEIF_BRANDS.intersection(brands) else None


def _is_raw(data: bytes) -> bool:
    """Whether a TIFF is a camera's RAW file: a DNG, a CR2, or one whose first picture is a preview of another."""
    if data[8:10] == b"CR":
        return True
    first = ifdfacts.first(data)
    preview = first.shorts.get(_TAG_SUBFILE, 0) & 1
    return _TAG_DNG_VERSION in first.entries or bool(preview and _TAG_SUB_IFDS in first.entries)
