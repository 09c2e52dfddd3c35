"""Pictures inside a page: small, without metadata, as `data:` URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Final

from PIL import Image

_QUALITIES: Final = (85, 70, 50, 30)
_SMALLEST: Final = 16


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
