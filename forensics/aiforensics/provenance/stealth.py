"""Text hidden in the lowest bits of the alpha (or colour) channels, as NovelAI and `stealth pnginfo` write it.

The bits run down the columns: a signature of 15 characters, a 32-bit length in bits, then the text, plain or gzip.
Source: NovelAI metadata utilities (naimeta) and the stealth-pnginfo extension's description.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiforensics.image.picture import Picture
from aiforensics.provenance.contents import MAX_TEXT

_SIGNATURES = {
    b"stealth_pnginfo": False,
    b"stealth_pngcomp": True,
    b"stealth_rgbinfo": False,
    b"stealth_rgbcomp": True,
}
_SIGNATURE_BITS = 15 * 8
_HEAD_BITS = _SIGNATURE_BITS + 32
_LOSSLESS = {"PNG", "WEBP", "TIFF", "BMP"}


def hidden_text(picture: Picture) -> str:
    """Return the hidden text, or an empty one. Bounded by the size of the picture and by `MAX_TEXT`."""
    if picture.format not in _LOSSLESS or not picture.data:
        return ""
    for layer in (picture.alpha, picture.stored):
        if layer is None:
            continue
        columns = -(-_HEAD_BITS // (layer.height * len(layer.getbands())))
        head = layer.crop((0, 0, min(layer.width, columns), layer.height))
        if _signature(_by_columns(head)):
            return _decode(_by_columns(layer))
    return ""


def _by_columns(layer: Image.Image) -> NDArray[np.uint8]:
    """All values of a layer, column by column."""
    return np.asarray(layer, np.uint8).swapaxes(0, 1).reshape(-1)


def _signature(values: NDArray[np.uint8]) -> bytes:
    """Return the known signature in the lowest bits of the first values, or nothing."""
    if values.size < _HEAD_BITS:
        return b""
    found = np.packbits(values[:_SIGNATURE_BITS] & 1).tobytes()
    return found if found in _SIGNATURES else b""


def _decode(values: NDArray[np.uint8]) -> str:
    signature = _signature(values)
    if not signature:
        return ""
    length = int.from_bytes(np.packbits(values[_SIGNATURE_BITS:_HEAD_BITS] & 1).tobytes(), "big")
    length = min(length, values.size - _HEAD_BITS, 8 * MAX_TEXT) // 8 * 8
    body = np.packbits(values[_HEAD_BITS : _HEAD_BITS + length] & 1).tobytes()
    if _SIGNATURES[signature]:
        try:
            body = zlib.decompressobj(31).decompress(body, MAX_TEXT)
        except zlib.error:
            return ""
    return body.decode("utf-8", "replace")
