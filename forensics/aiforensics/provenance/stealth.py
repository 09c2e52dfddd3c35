"""Text hidden in the lowest bits of the alpha (or colour) channels, as NovelAI and `stealth pnginfo` write it.

The bits run down the columns: a signature of 15 characters, a 32-bit length in bits, then the text, plain or gzip.
Source: NovelAI metadata utilities (naimeta) and the stealth-pnginfo extension's description.
"""

from __future__ import annotations

import io
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
_LOSSLESS = {"PNG", "WEBP", "TIFF", "BMP"}


def hidden_text(picture: Picture) -> str:
    """Return the hidden text, or an empty one. Bounded by the size of the picture and by `MAX_TEXT`."""
    if picture.format not in _LOSSLESS or not picture.data:
        return ""
    alpha = _alpha(picture)
    if alpha is not None:
        text = _decode(alpha.T.reshape(-1))
        if text:
            return text
    pixels = np.asarray(picture.image, np.uint8)
    columns = pixels[:, : _columns(pixels.shape[0] * 3)].transpose(1, 0, 2).reshape(-1)
    if not _signature(columns):
        return ""
    return _decode(pixels.transpose(1, 0, 2).reshape(-1))


def _alpha(picture: Picture) -> NDArray[np.uint8] | None:
    """Return the alpha channel of the file (the gate composes it away), or None."""
    data = picture.data
    if picture.format == "PNG" and (len(data) < 26 or data[25] not in {4, 6}):
        return None
    if picture.format == "WEBP" and data[12:16] not in {b"VP8L", b"VP8X"}:
        return None
    with Image.open(io.BytesIO(data)) as image:
        if image.mode not in {"RGBA", "LA"} or image.size != picture.image.size:
            return None
        return np.asarray(image.getchannel("A"), np.uint8)


def _columns(bits_per_column: int) -> int:
    return -(-_SIGNATURE_BITS // max(bits_per_column, 1))


def _signature(values: NDArray[np.uint8]) -> bytes:
    """Return the known signature in the lowest bits of the first values, or nothing."""
    if values.size < _SIGNATURE_BITS + 32:
        return b""
    found = np.packbits(values[:_SIGNATURE_BITS] & 1).tobytes()
    return found if found in _SIGNATURES else b""


def _decode(values: NDArray[np.uint8]) -> str:
    signature = _signature(values)
    if not signature:
        return ""
    start = _SIGNATURE_BITS + 32
    length = int.from_bytes(np.packbits(values[_SIGNATURE_BITS:start] & 1).tobytes(), "big")
    length = min(length, values.size - start, 8 * MAX_TEXT) // 8 * 8
    body = np.packbits(values[start : start + length] & 1).tobytes()
    if _SIGNATURES[signature]:
        try:
            body = zlib.decompressobj(31).decompress(body, MAX_TEXT)
        except zlib.error:
            return ""
    return body.decode("utf-8", "replace")
