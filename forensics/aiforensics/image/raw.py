"""Camera RAW through the optional library rawpy (the `raw` extra); nothing else imports it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from PIL import Image

from aiforensics.evidence import InputError


def develop(data: bytes, check: Callable[[int, int], None]) -> Image.Image:
    """Develop a RAW file by LibRaw to 8-bit sRGB: camera white balance, no automatic brightness, not rotated.

    Parameters
    ----------
    data
        The whole file.
    check
        Called with the claimed width and height in pixels before anything is developed.

    Raises
    ------
    InputError
        `unsupported` without the extra, `truncated` or `unreadable` when LibRaw refuses the file.
    """
    try:
        import rawpy  # noqa: PLC0415 - an optional library
    except ImportError:
        raise InputError(
            "unsupported", "camera RAW files need an extra: pip install '.[raw]' in the checkout"
        ) from None
    try:
        with rawpy.imread(BytesIO(data)) as opened:
            check(opened.sizes.raw_width, opened.sizes.raw_height)
            pixels = opened.postprocess(use_camera_wb=True, no_auto_bright=True, output_bps=8, user_flip=0)
    except rawpy.LibRawIOError:
        raise InputError(
            "truncated", "the RAW file is cut short: get the whole file again from where it came from"
        ) from None
    except rawpy.LibRawError:
        raise InputError(
            "unreadable", "the RAW file is damaged or of an unknown camera: export it as TIFF or JPEG and give that"
        ) from None
    return Image.fromarray(pixels)
