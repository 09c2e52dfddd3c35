"""HEIC and HEIF through the optional library pillow-heif (the `heif` extra); nothing else imports it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from PIL import Image

from aiforensics.evidence import InputError


def decode_heif(
    data: bytes, check: Callable[[int, int], None], count: Callable[[int], None]
) -> tuple[Image.Image, int, int]:
    """Decode the primary picture, turned and cropped by libheif as coded: pillow-heif has no way to load it as stored.

    Parameters
    ----------
    data
        The whole file.
    check
        Called with the claimed width and height in pixels before anything is decoded, and
    count
        with the number of pictures in the file.

    Returns
    -------
    tuple
        The picture, the number of pictures in the file, and the bits per channel that are stored.

    Raises
    ------
    InputError
        `unsupported` without the extra.
    """
    try:
        import pillow_heif  # noqa: PLC0415 - an optional library
    except ImportError:
        raise InputError("unsupported", "HEIC pictures need an extra: pip install '.[heif]' in the checkout") from None
    opened = pillow_heif.open_heif(BytesIO(data))
    count(len(opened))
    check(*opened.size)
    frame = opened[opened.primary_index]
    bits = frame.info.get("bit_depth")
    return frame.to_pillow(), len(opened), bits if isinstance(bits, int) else 8
