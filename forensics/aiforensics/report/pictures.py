"""Pictures inside a page: upright, small, without metadata, as `data:` URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

_QUALITIES: Final = (85, 70, 50, 30)
_SMALLEST: Final = 16
_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def data_uri(image: Image.Image, quality: int = 85) -> str:
    """Encode a picture as a JPEG `data:` URI that carries pixels only.

    Parameters
    ----------
    image
        8-bit RGB.
    quality
        JPEG quality, 1 to 100.

    Returns
    -------
    str
        `data:image/jpeg;base64,…`.
    """
    bare = image.convert("RGB").copy()
    bare.info = {}  # Pillow writes a JPEG comment found here into the new file
    stream = io.BytesIO()
    bare.save(stream, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def data_uris(images: Sequence[Image.Image], budget: int) -> tuple[str, ...]:
    """Encode pictures at the best JPEG quality at which all of them together keep to a budget.

    Parameters
    ----------
    images
        8-bit RGB pictures.
    budget
        Characters of all URIs together. When even the lowest quality exceeds it, sides are halved until it holds or
        no picture is larger than 16 pixels.

    Returns
    -------
    tuple of str
        One URI for each picture, in order.
    """
    for quality in _QUALITIES:
        uris = tuple(data_uri(image, quality) for image in images)
        if sum(map(len, uris)) <= budget:
            return uris
    smaller = [image.reduce(2) for image in images]
    if all(max(image.size) <= _SMALLEST for image in smaller):
        return tuple(data_uri(image, _QUALITIES[-1]) for image in smaller)
    return data_uris(smaller, budget)


def upright(pixels: NDArray[np.uint8], orientation: int) -> Image.Image:
    """Turn an array of a picture as stored the way that a person looks at it.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8.
    orientation
        EXIF orientation, 1 to 8; anything else counts as 1.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return image.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else image


def upright_box(box: Box, width: int, height: int, orientation: int) -> Box:
    """Where a box of the stored picture lies in the upright picture.

    Parameters
    ----------
    box
        x, y, width, height in pixels of the stored picture.
    width, height
        Of the stored picture, in pixels.
    orientation
        EXIF orientation, 1 to 8; anything else counts as 1.

    Examples
    --------
    >>> upright_box((0, 0, 2, 1), 10, 6, 6)  # a quarter turn to the right
    (5, 0, 1, 2)
    """
    x, y, w, h = box
    right, below = width - x - w, height - y - h
    return {
        2: (right, y, w, h),
        3: (right, below, w, h),
        4: (x, below, w, h),
        5: (y, x, h, w),
        6: (below, x, h, w),
        7: (below, right, h, w),
        8: (y, right, h, w),
    }.get(orientation, box)
