"""What a file may claim, and the refusals of those that claim more."""

from __future__ import annotations

from dataclasses import dataclass

from aiforensics.evidence import InputError

MB = 1_000_000
USUAL_SCANS = 32
"""Scans of a progressive JPEG that are taken whatever its size; libjpeg writes 10."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stranger's file may claim before it is refused.

    Attributes
    ----------
    max_bytes
        Size of the file in bytes.
    max_pixels
        Width times height in pixels; decoders take no AVIF of more than 268 megapixels and no HEIC of more than 1,073.
    max_side
        Longer side in pixels.
    max_frames
        Frames, pages or pictures in one file; only the first is ever decoded.
    max_metadata
        Bytes of metadata that a reader would load.
    max_scans
        Scans of a progressive JPEG; each makes the decoder pass over the whole picture again.
    max_scanned
        Pixels times scans of a progressive JPEG of more than `USUAL_SCANS`.
    max_stray
        Bytes that belong to nothing, before the pixels of a JPEG or GIF; decoders pass over them one by one.
    max_segments
        Segments before the first scan of a JPEG, and from there on; real ones have fewer than 1,000.
    max_blocks
        Data blocks of a GIF, of 255 bytes where a program wrote them.
    max_chunks
        Chunks of a PNG; libpng writes one for every 8,192 bytes.
    max_run_lengths
        Pixels, and bytes, of a BMP in run lengths, which Pillow decodes in plain Python.
    """

    max_bytes: int = 200 * MB
    max_pixels: int = 150 * MB
    max_side: int = 65_500
    max_frames: int = 10_000
    max_metadata: int = 64 * MB
    max_scans: int = 200
    max_scanned: int = 2_000 * MB
    max_stray: int = 1 * MB
    max_segments: int = 10_000
    max_blocks: int = 2 * MB
    max_chunks: int = 200_000
    max_run_lengths: int = 10 * MB


def check_bytes(size: int, limits: Limits) -> None:
    """Refuse an empty file and one of more than `max_bytes`.

    Raises
    ------
    InputError
        `unreadable` or `too-large`.
    """
    if size == 0:
        raise InputError("unreadable", "the file is empty: get it again from where it came from")
    if size > limits.max_bytes:
        raise InputError(
            "too-large",
            f"the file has more than {limits.max_bytes / MB:g} MB: cut out a part at its native size "
            "(from Python: Limits(max_bytes=…))",
        )


def check_size(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture that claims no pixels, or more than `max_pixels` or `max_side`.

    Raises
    ------
    InputError
        `unreadable` or `too-large`.
    """
    if width < 1 or height < 1:
        raise InputError("unreadable", f"the picture claims {width} × {height} pixels: the file is damaged")
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise InputError(
            "too-large",
            f"the picture claims {width} × {height} pixels, more than {limits.max_pixels / MB:g} megapixels or "
            f"{limits.max_side} on a side: cut out a part at its native size",
        )


def check_frames(frames: int, limits: Limits) -> None:
    """Refuse a file with more than `max_frames` pictures.

    Raises
    ------
    InputError
        `too-large`.
    """
    if frames > limits.max_frames:
        raise InputError(
            "too-large", f"the file holds more than {limits.max_frames} frames: save the one in question as a picture"
        )


def check_metadata(size: int, limits: Limits) -> None:
    """Refuse a file whose metadata would fill more than `max_metadata` bytes of memory.

    Raises
    ------
    InputError
        `too-large`.
    """
    if size > limits.max_metadata:
        raise InputError(
            "too-large", f"the metadata claim more than {limits.max_metadata / MB:g} MB: save a copy without them"
        )


def check_stray(size: int, limits: Limits) -> None:
    """Refuse a file with more than `max_stray` bytes that belong to nothing.

    Raises
    ------
    InputError
        `unreadable`.
    """
    if size > limits.max_stray:
        raise InputError("unreadable", "the file holds long runs of stray bytes: it is damaged, get the original again")


def check_parts(parts: int, most: int) -> None:
    """Refuse a file that is cut into more parts than `most`, one of the limits.

    Raises
    ------
    InputError
        `too-large`.
    """
    if parts > most:
        raise InputError("too-large", f"the file is cut into more than {most} parts: save it again as a PNG")


def check_run_lengths(width: int, height: int, size: int, limits: Limits) -> None:
    """Refuse a BMP in run lengths of more than `max_run_lengths` pixels or bytes.

    Raises
    ------
    InputError
        `too-large`.
    """
    if max(width * height, size) > limits.max_run_lengths:
        raise InputError(
            "too-large",
            f"the BMP is in run lengths and has more than {limits.max_run_lengths / MB:g} megapixels or MB: "
            "save it as a PNG",
        )


def check_scans(scans: int, most: int) -> None:
    """Refuse a JPEG of more than `most` scans: each is a pass over the whole picture.

    Raises
    ------
    InputError
        `too-large`.
    """
    if scans > most:
        raise InputError("too-large", f"the JPEG has more than {most} scans: save it again in one scan")


def most_scans(pixels: int, limits: Limits) -> int:
    """Scans that a progressive JPEG of so many pixels may have."""
    return min(limits.max_scans, max(USUAL_SCANS, limits.max_scanned // max(1, pixels)))
