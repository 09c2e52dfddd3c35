"""The open DWT-DCT watermark that Stable Diffusion, SDXL and FLUX programs embed by default.

The embedder (the `invisible-watermark` library, method `dwtDct`) takes the U channel, halves it with a Haar transform,
cuts the approximation into 4 × 4 blocks and, in each, moves the value of largest magnitude after the first to the lower
or upper half of a step of 36, one payload bit a block in row order. The published programs feed it 8-bit or
floating-point pictures, in RGB or BGR order; each way leaves its own U channel, and all four are tried.

Bit i of n belongs to the blocks whose running number is i modulo n. That number follows from the picture's width alone,
so any band of whole block rows can be decoded exactly: at most 2^18 pixels around the centre are read. A crop or a
resize breaks the count, and a re-save as JPEG mostly breaks the bits: absence says nothing.

Source: the `invisible-watermark` library and the payloads in the public programs named in `PAYLOADS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import comb

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.evidence import Claim
from aiforensics.provenance.dossier import Dossier

FALSE_MATCH = 1e-6
"""Bound on the probability that a picture without a watermark matches any payload, for random bits."""

_STEP = 36.0
_BLOCK = 8  # pixels: four approximation values, two pixels each
_MAX_PIXELS = 1 << 18
_MIN_AREA, _MAX_AREA = 256 * 256, 2048 * 2048
"""The programs embed at 0.25 to 4 megapixels; a larger picture was enlarged after, which no such mark survives."""
_LUMA = (0.299, 0.587, 0.114)
_U_SCALE = 0.492


@dataclass(frozen=True, slots=True)
class Payload:
    """A known payload: the bits as they are embedded, and the programs that embed them."""

    bits: str
    programs: str


def _bytes(text: str) -> str:
    return "".join(f"{byte:08b}" for byte in text.encode("ascii"))


PAYLOADS: tuple[Payload, ...] = (
    Payload("101100111110110010010000011110111011000110011110", "Stable Diffusion XL (diffusers, Stability AI)"),
    # The program drops the two leading zeros of its 48-bit number, so 46 bits are embedded.
    Payload("1010101111111010000111100111001111010100101110", "FLUX (Black Forest Labs)"),
    Payload(_bytes("StableDiffusionV1"), "Stable Diffusion 1 (CompVis)"),
    Payload(_bytes("StableDiffusionV1-Inpainting"), "Stable Diffusion 1 inpainting (Runway)"),
    Payload(_bytes("SDV2"), "Stable Diffusion 2 (Stability AI)"),
)
"""Every payload that is looked for."""


def read(dossier: Dossier) -> Iterator[Claim]:
    """Find a claim where a known payload stands in the pixels."""
    image = dossier.picture.stored
    if not _MIN_AREA <= image.width * image.height <= _MAX_AREA:
        return
    columns, rows = image.width // _BLOCK, image.height // _BLOCK
    height = max(1, min(rows, _MAX_PIXELS // (columns * _BLOCK * _BLOCK)))
    first = (rows - height) // 2
    band = image.crop((0, first * _BLOCK, columns * _BLOCK, (first + height) * _BLOCK))
    found = decode(np.asarray(band, np.uint8), first_block=first * columns)
    if found is not None:
        payload, wrong = found
        words = f"the open watermark of {payload.programs}: {len(payload.bits) - wrong} of {len(payload.bits)} bits"
        yield Claim("watermark", f"{words} agree, by chance less often than 1 in 1,000,000", "pixels (DWT-DCT)", "ai")


def decode(pixels: NDArray[np.uint8], first_block: int = 0) -> tuple[Payload, int] | None:
    """Look for the known payloads in a band of whole block rows.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8 RGB, h and w multiples of 8; w is the width of the whole picture, less its last w mod 8 columns.
    first_block
        Running number of the band's first block: its block row times the blocks in a row.

    Returns
    -------
    tuple of Payload and int, or None
        The payload whose wrong bits are within `tolerance`, the likeliest first, with the number of wrong bits.
    """
    best: tuple[float, Payload, int] | None = None
    for values in _approximations(pixels):
        ones = _ones(values)
        for payload in PAYLOADS:
            length = len(payload.bits)
            numbers = (first_block + np.arange(ones.size)) % length
            votes = np.bincount(numbers, minlength=length)
            if votes.min() == 0:
                continue
            shares = np.bincount(numbers, ones, length) / votes
            # Against their mean and not against one half: flat and clipped pictures shift all shares alike.
            wrong = int(np.count_nonzero((shares > shares.mean()) != _expected(payload)))
            chance = _chance(length, wrong)
            if wrong <= tolerance(length) and (best is None or chance < best[0]):
                best = (chance, payload, wrong)
    return best[1:] if best is not None else None


@cache
def tolerance(length: int) -> int:
    """Wrong bits that are let pass, so that random bits match with a probability of at most 1e-8.

    Four ways of reading and five payloads make 20 trials a picture, which keeps the sum under `FALSE_MATCH`.

    >>> tolerance(48)
    5
    """
    return max((k for k in range(length // 2) if _chance(length, k) <= 1e-8), default=-1)


def _chance(length: int, wrong: int) -> float:
    """Probability of at most `wrong` differences between random bits and a payload."""
    return sum(comb(length, k) for k in range(wrong + 1)) * 2.0**-length


@cache
def _expected(payload: Payload) -> NDArray[np.bool_]:
    return np.array([bit == "1" for bit in payload.bits])


def _approximations(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    """(blocks, 15) Haar approximation of U without each block's first value, for each of the four ways of embedding."""
    blue = _U_SCALE * np.array([-_LUMA[0], -_LUMA[1], 1 - _LUMA[2]], np.float32)
    red = _U_SCALE * np.array([1 - _LUMA[2], -_LUMA[1], -_LUMA[0]], np.float32)
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    chroma = cv2.transform(pixels.astype(np.float32), np.stack([blue, red]))
    halved = 2 * cv2.resize(chroma, (width, height), interpolation=cv2.INTER_AREA)
    blocks = halved.reshape(height // 4, 4, width // 4, 4, 2).transpose(4, 0, 2, 1, 3).reshape(2, -1, 16)[:, :, 1:]
    for offset in (256.0, 1.0):  # twice the middle of U: 128 in 8-bit pictures, 0.5 in floating-point ones
        for order in blocks:
            yield np.ascontiguousarray(order + np.float32(offset))


def _ones(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(blocks,) whether the value of largest magnitude lies in the upper half of its step."""
    magnitudes = np.abs(values)
    largest = magnitudes[np.arange(len(magnitudes)), magnitudes.argmax(axis=1)]
    upper: NDArray[np.bool_] = largest % _STEP > _STEP / 2
    return upper
