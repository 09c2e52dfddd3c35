"""The gate: bytes in, decoded picture out. Limits are checked first; nothing downstream opens a file.

Notes
-----
The same bytes give the same pixels. Decoders are chosen by the first bytes, never by the name; every way in which they
fail ends here as one `InputError`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from aiforensics.evidence import InputError
from aiforensics.image.decoders import decode_pixels
from aiforensics.image.limits import Limits, check_bytes
from aiforensics.image.picture import Picture
from aiforensics.image.sniff import named_otherwise, sniff

__all__ = ["Limits", "decode", "from_array", "read"]

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read(source: str | Path, limits: Limits = Limits()) -> Picture:  # noqa: B008 - frozen
    """Read and decode a file.

    Raises
    ------
    InputError
        `not-found`, `unsupported`, `unreadable`, `truncated` or `too-large`, with one line that says what to do.
    """
    if source == "":  # which as a path is the current folder
        raise InputError("not-found", "this name is empty: name a file")
    path = Path(source)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError("unsupported", "this is a directory: name a picture in it, or use batch for all of them")
        if not stat.S_ISREG(status.st_mode):
            raise InputError("unsupported", "this is a device or a pipe: give a file, or - for standard input")
        check_bytes(status.st_size, limits)
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)
    except FileNotFoundError:
        raise InputError("not-found", _missing(os.fspath(source))) from None
    except PermissionError:
        raise InputError("unreadable", "the file may not be read: check its permissions") from None
    except (OSError, ValueError) as error:
        raise InputError("not-found", f"the path cannot be opened ({type(error).__name__}): check it") from None
    return decode(data, os.fspath(source), limits)


def decode(data: bytes, path: str = "-", limits: Limits = Limits()) -> Picture:  # noqa: B008 - frozen
    """Decode the bytes of a file.

    Parameters
    ----------
    data
        The whole file.
    path
        How the user named it; used for the finding and for a note about a wrong extension.
    limits
        What is refused before decoding.

    Raises
    ------
    InputError
        `unsupported`, `unreadable`, `truncated` or `too-large`, with one line that says what to do.
    """
    data = bytes(data)
    check_bytes(len(data), limits)
    kind = sniff(data)
    decoded = decode_pixels(kind, data, limits)
    notes = decoded.notes
    if (note := named_otherwise(path, kind)) is not None:
        notes = (note, *notes)
    return Picture(
        path=path,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        format=kind,
        stored=decoded.image,
        orientation=decoded.orientation,
        frames=decoded.frames,
        jpeg=decoded.jpeg,
        notes=notes,
        transform=decoded.transform,
        alpha=decoded.alpha,
        missing=decoded.missing,
    )


def from_array(pixels: NDArray[np.uint8], path: str = "array") -> Picture:
    """Make a picture of pixels in memory.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8, RGB in sRGB.
    path
        A name for the finding.

    Returns
    -------
    Picture
        Its `sha256` is that of the pixels in row-major order.

    Raises
    ------
    InputError
        `unsupported` for another shape or type.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise InputError("unsupported", "an array must be (height, width, 3) of uint8 and not empty")
    rows = np.ascontiguousarray(pixels)
    return Picture(path, b"", hashlib.sha256(rows.data).hexdigest(), "ARRAY", Image.fromarray(rows))


def _missing(path: str) -> str:
    """Say why a path leads nowhere; an address is what people paste first."""
    if path.startswith(("http:/", "https:/")):
        return "this is a web address, and nothing is downloaded: save the picture and name the file"
    return "there is no such file: check the path"
