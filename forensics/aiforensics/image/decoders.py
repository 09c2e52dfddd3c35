"""From bytes of a known format to pixels: the one place where a decoder runs, and where its failures are translated."""

from __future__ import annotations

import logging
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from io import BytesIO
from itertools import chain

from PIL import Image, ImageFile

from aiforensics.evidence import InputError
from aiforensics.image import ifdfacts, jpegfacts, missing
from aiforensics.image.colour import to_rgb
from aiforensics.image.complaints import overheard
from aiforensics.image.containers import isobmff
from aiforensics.image.heif import decode_heif
from aiforensics.image.limits import (
    Limits,
    check_frames,
    check_metadata,
    check_run_lengths,
    check_scans,
    check_size,
    most_scans,
)
from aiforensics.image.picture import JpegFacts
from aiforensics.image.raw import develop
from aiforensics.image.sniff import claimed_size
from aiforensics.image.structure import (
    check_chunks,
    check_parts_of_jpeg,
    cut_short,
    gif_frames,
    mend_texts,
    unapplied_curve,
)

_PLUGINS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "TIFF": ("aiforensics.image.tiff", "StoredTiff"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
}
_FAILURES = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What decoders are known to raise on damaged files; raised by our own stages, most would be slips of ours."""
_UNCONVERTED = (OSError, ValueError)
"""What Pillow raises of a conversion that it cannot make."""
_TAGS_SIZE = ((256, 257), (322, 323))
"""Width and height of the picture, and of its tiles, which can be larger."""
_TAG_BITS, _TAG_COMPRESSION, _TAG_PHOTOMETRIC, _TAG_STRIPS, _TAG_SAMPLE_FORMAT = 258, 259, 262, 273, 339
_JPEGS = (6, 7)
"""Compressions of a TIFF by JPEG, the old and the new."""
_TAGS_PARTS = ((273, 279), (324, 325))
"""Offsets and lengths of strips, and of tiles."""
_PLAIN, _WHITE_IS_ZERO, _UNSIGNED = 1, 0, 1
_UNKNOWN_KINDS = ("unsupported", "not yet supported", "cannot handle", "unknown data organization")
"""In the words of decoders on a sound file of a kind that they do not know."""
_COMPLAINED = "the decoder reported errors: parts of the picture may be wrong"
_CEILINGS = {"AVIF": (1 << 28, 1 << 15), "HEIF": (1 << 30, 1 << 30)}
"""Pixels, and pixels on a side, above which libavif and libheif take no picture whatever `Limits` allow."""
_MOST_PLAIN_SCANS = 4
"""A component stands in one scan of a JPEG that is not progressive (ITU-T T.81, B.2.3), and there are four at most."""
_MAX_EXIF = 8 << 20
"""Bytes of EXIF in one JPEG; Pillow joins its segments in a time that grows with their square."""
# Filters of warnings and Pillow's switches belong to the whole process, so only one decoder runs at a time; workers are
# processes.
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):  # a fork waits for a decoder: its child would wait for the lock for ever
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)
# What Pillow logs of a file is for programs that ask for it; for others Python would write it to standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pixels as 8-bit RGB, and what the file says of them; the fields are those of `Picture`."""

    image: Image.Image
    orientation: int = 1
    frames: int = 1
    jpeg: JpegFacts | None = None
    notes: tuple[str, ...] = ()
    transform: Callable[[Image.Image], Image.Image] | None = None
    alpha: Image.Image | None = None
    missing: float = 0.0


def decode_pixels(kind: str, data: bytes, limits: Limits) -> Decoded:
    """Decode the first picture of a file after checking what it claims.

    Parameters
    ----------
    kind
        The format, as `sniff` names it.
    data
        The whole file.
    limits
        What is refused before decoding.

    Raises
    ------
    InputError
        `unsupported`, `unreadable`, `truncated` or `too-large`.
    """
    with _LOCK, _own_switches(limits), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with _translated(kind, data, (MemoryError,)):
            decoded = _decode(kind, data, limits)
    if any(issubclass(w.category, UserWarning) for w in warned):
        note = "the decoder warned of damaged metadata"
        return replace(decoded, notes=(*decoded.notes, note))
    return decoded


@contextmanager
def _own_switches(limits: Limits) -> Iterator[None]:
    """Have Pillow refuse files that are cut short, and pictures above our limit and not its own."""
    kept = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    most = limits.max_pixels // 2 + 1  # it refuses what has more than twice as many
    ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, most
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = kept


@contextmanager
def _translated(kind: str, data: bytes, failures: tuple[type[Exception], ...] = _FAILURES) -> Iterator[None]:
    """Make a refusal of what is raised inside; what else is raised there is a defect, and no word on the file."""
    try:
        yield
    except failures as failure:
        raise _refusal(kind, data, failure) from failure


def _decode(kind: str, data: bytes, limits: Limits) -> Decoded:
    check = partial(check_size, limits=limits)
    if kind == "PNG":
        check_chunks(data, limits)
    claimed = claimed_size(kind, data)
    if claimed is not None:
        check(*claimed)
    if kind == "RAW":
        notes: tuple[str, ...] = ("camera RAW developed by LibRaw, not by the camera",)
        with _translated(kind, data):
            image, complained = overheard(partial(develop, data, check))
        notes += (_COMPLAINED,) if complained else ()
        return Decoded(image, notes=(*notes, missing.BLACK) if missing.is_black(data, 0, 1) else notes)
    if kind == "HEIF":
        with _translated(kind, data):
            image, frames, bits = decode_heif(data, check, partial(check_frames, limits=limits))
        return _finish(kind, data, image, limits, bits=bits, frames=frames, gap=missing.of_items(data))
    if kind == "JPEG":
        return _decode_jpeg(data, limits)
    if kind == "TIFF":
        return _decode_tiff(data, limits)
    frames = gif_frames(data, limits) if kind == "GIF" else 1
    check_frames(frames, limits)
    image = _open(kind, data)
    check(*image.size)
    raw = [tile for tile in image.tile if kind == "BMP" and tile.codec_name == "raw"]
    if any(tile.codec_name == "bmp_rle" for tile in image.tile):
        check_run_lengths(*image.size, len(data), limits)
    if kind != "GIF":  # of a GIF, Pillow would have to decode every frame to know
        with _translated(kind, data):
            frames = int(getattr(image, "n_frames", 1))
        check_frames(frames, limits)
    with _translated(kind, data):
        image.load()
    bits = data[24] if kind == "PNG" else 8
    turn = ifdfacts.orientation(_exif(image))
    notes = ()
    gap = None
    if kind == "AVIF":
        gap = missing.of_items(data)
    elif kind == "WEBP":
        gap = missing.of_webp(data, partial(_decodes, kind))
    elif raw and missing.is_black(data, raw[0].offset, image.height):
        notes = (missing.BLACK,)
    return _finish(kind, data, image, limits, bits=bits, orientation=turn, frames=frames, notes=notes, gap=gap)


def _decode_jpeg(data: bytes, limits: Limits) -> Decoded:
    header = jpegfacts.read_header(data, limits)
    if header.size is not None:
        check_size(*header.size, limits)
    check_frames(header.pictures, limits)
    notes = ("an HDR gain map is ignored",) if header.gain_map else ()
    if header.exif_load > limits.max_metadata or len(header.exif) > _MAX_EXIF:
        # Damaged, or made to fill memory by overlapping values or endless segments: Pillow must not read it.
        data = _without_exif(data, header.end)
        notes = (*notes, "the EXIF claims more than a file can hold and is not read")
        header = jpegfacts.read_header(data, limits)
    width, height = header.size or (1, 1)
    most = most_scans(width * height, limits) if header.progressive else _MOST_PLAIN_SCANS
    scans = jpegfacts.read_scans(data, header, most, limits)
    check_scans(len(scans.heads), most)
    image = _open("JPEG", data)
    check_size(*image.size, limits)
    tables: dict[int, list[int]] = getattr(image, "quantization", {})
    facts = jpegfacts.facts(header, tables)
    if header.frame in jpegfacts.ARITHMETIC:  # of which libjpeg takes no part at a time
        image.decodermaxblock = len(data)
    with _translated("JPEG", data):
        image.load()
    gap = None
    if header.sampling and header.frame in jpegfacts.TRANSFORMED:
        gap = missing.of_scans(scans.heads, len(header.sampling), progressive=header.progressive)
    if len(scans.heads) == 1 and header.frame in jpegfacts.SEQUENTIAL:
        gap = gap or missing.of_jpeg(data, image, header.end, scans.end, partial(_decodes, "JPEG"))
    turn, frames = ifdfacts.orientation(header.exif), max(1, header.pictures)
    return _finish("JPEG", data, image, limits, orientation=turn, frames=frames, jpeg=facts, notes=notes, gap=gap)


def _without_exif(data: bytes, end: int) -> bytes:
    """The same JPEG with the EXIF segments of its header under a name that no reader knows; no byte moves."""
    return data[:end].replace(b"Exif\0\0", b"exif\0\0") + data[end:]


def _decode_tiff(data: bytes, limits: Limits) -> Decoded:
    pages = ifdfacts.pages(data, limits.max_frames + 1)
    check_frames(pages, limits)
    first = ifdfacts.first(data)
    # More than the file has: values overlap to fill memory.
    check_metadata(max(0, first.load - len(data)), limits)
    for across, down in _TAGS_SIZE:
        check_size(first.shorts.get(across) or 1, first.shorts.get(down) or 1, limits)
    image = _open("TIFF", data)
    check_size(*image.size, limits)
    with _translated("TIFF", data):
        tags = getattr(image, "tag_v2", {})
        stored = tags.get(_TAG_BITS, (8,))
        if tags.get(_TAG_COMPRESSION) in _JPEGS:
            places = (zip(tags.get(at, ()), tags.get(size, ()), strict=False) for at, size in _TAGS_PARTS)
            check_parts_of_jpeg(data, chain.from_iterable(places), image.width * image.height, limits)
        _, complained = overheard(image.load)
        bits = int(max(stored)) if isinstance(stored, tuple) and stored else 8
        plain = tags.get(_TAG_COMPRESSION, _PLAIN) == _PLAIN
        start = min(tags.get(_TAG_STRIPS, (len(data),)), default=len(data))
        black = plain and missing.is_black(data, start, image.height)
    return _finish(
        "TIFF",
        data,
        image,
        limits,
        bits=bits,
        orientation=ifdfacts.orientation(data),
        frames=max(1, pages),
        notes=((_COMPLAINED,) if complained else ()) + ((missing.BLACK,) if black else ()),
        unsigned=tags.get(_TAG_SAMPLE_FORMAT, (_UNSIGNED,)) == (_UNSIGNED,),
        negative=tags.get(_TAG_PHOTOMETRIC) == _WHITE_IS_ZERO,
    )


def _open(kind: str, data: bytes) -> ImageFile.ImageFile:
    """Read the header by the format's own plugin of Pillow, so that no other plugin ever sees the bytes."""
    module, name = _PLUGINS[kind]
    plugin = getattr(import_module(module), name)
    with _translated(kind, data):
        try:
            opened: ImageFile.ImageFile = plugin(BytesIO(data))
        except SyntaxError:
            mended = mend_texts(data) if kind == "PNG" else data
            if mended is data:
                raise
            opened = plugin(BytesIO(mended))
    return opened


def _decodes(kind: str, data: bytes) -> bool:
    """Whether these bytes are a whole picture."""
    try:
        with _translated(kind, data):
            _open(kind, data).load()
    except InputError as refusal:
        if refusal.kind == "too-large":  # that says nothing of the file
            raise
        return False
    return True


def _exif(image: Image.Image) -> bytes:
    exif = image.info.get("exif", b"")
    return exif if isinstance(exif, bytes) else b""


def _finish(
    kind: str,
    data: bytes,
    image: Image.Image,
    limits: Limits,
    *,
    bits: int = 8,
    orientation: int = 1,
    frames: int = 1,
    jpeg: JpegFacts | None = None,
    notes: tuple[str, ...] = (),
    unsigned: bool = False,
    negative: bool = False,
    gap: missing.Gap | None = None,
) -> Decoded:
    with _translated(kind, data, _UNCONVERTED):
        colours = to_rgb(image, bits, limits.max_metadata, unsigned=unsigned, negative=negative)
    if frames > 1:
        which = "main one" if kind == "HEIF" else "first"
        notes = (f"the file holds {frames} pictures, the {which} is examined", *notes)
    if (curve := unapplied_curve(kind, data)) is not None:
        notes = (*notes, curve)
    if gap is not None:
        notes = (gap.note, *notes)
    return Decoded(
        _plain(colours.image),
        orientation,
        frames,
        jpeg,
        (*notes, *colours.notes),
        colours.transform,
        colours.alpha,
        gap.share if gap else 0.0,
    )


def _plain(image: Image.Image) -> Image.Image:
    """Keep the pixels, not copied, and leave the plugin behind, which holds the file and its metadata."""
    if type(image) is Image.Image and not image.info:
        return image
    plain = image._new(image.im)
    plain.info = {}
    return plain


def _refusal(kind: str, data: bytes, failure: BaseException) -> InputError:
    words = str(failure).lower()
    pixels, side = _CEILINGS.get(kind, (0, 0))
    width, height = isobmff.largest(data) if pixels else (0, 0)
    if width * height > pixels or max(width, height) > side:
        claim = f"the {kind} claims {width} × {height} pixels, more than its decoder takes"
        return InputError("too-large", f"{claim}: cut out a part at its native size")
    if isinstance(failure, (MemoryError, Image.DecompressionBombError)) or "decompressed data too large" in words:
        return InputError("too-large", f"the {kind} would fill too much memory: cut out a part, without metadata")
    if isinstance(failure, EOFError) or "truncated" in words or cut_short(kind, data):
        return InputError("truncated", f"the {kind} is cut short: get the whole file again from where it came from")
    # Pillow looks modes and compressions up in tables: what stands in none is a kind that it does not know.
    if isinstance(failure.__cause__, KeyError) or any(unknown in words for unknown in _UNKNOWN_KINDS):
        return InputError("unsupported", f"the {kind} is of a kind that cannot be read: save it as 8- or 16-bit PNG")
    return InputError("unreadable", f"the {kind} is damaged and cannot be decoded: get the original file again")
