"""The quality of the last JPEG compression, estimated from pixels that no longer carry their tables."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.image.jpegfacts import STANDARD_LUMINANCE, scaled

QUALITIES = np.arange(50, 100)
_SIGMA = 0.6
"""Standard deviation of a coefficient's error after rounding the pixels and converting their colours."""
_LOW = tuple(row * 8 + column for row in range(5) for column in range(5) if 0 < row + column < 5)
"""Low frequencies, whose steps are small enough for many coefficients to survive."""
_BLOCKS = 256


def last_quality(pixels: NDArray[np.uint8]) -> float:
    """Estimate the IJG quality of a grid that starts at the upper left corner.

    The quality whose quantisation steps make the low-frequency DCT coefficients of 8 × 8 blocks most likely, against
    coefficients that were never quantised (after Fan and de Queiroz, doi:10.1109/TIP.2002.807361).

    Parameters
    ----------
    pixels
        (h, w, 3) uint8, RGB.

    Returns
    -------
    50 to 99, or NaN where no quality explains the coefficients, as in pictures that were not JPEGs last.
    """
    height, width = (side // 8 * 8 for side in pixels.shape[:2])
    if not height or not width:
        return float("nan")
    luma = pixels[:height, :width] @ np.array([0.299, 0.587, 0.114], np.float32) - np.float32(128)
    blocks = luma.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    blocks = blocks[:: max(1, len(blocks) // _BLOCKS)]
    low = np.stack([cv2.dct(np.ascontiguousarray(block)).ravel()[list(_LOW)] for block in blocks])
    alive = np.abs(low) > 2.5  # smaller ones were rounded to nothing and fit every coarse step
    if alive.sum() < 20:
        return float("nan")
    steps = _steps()[:, None, :]
    error = low - steps * np.rint(low / steps)
    density = steps * np.exp(-(error**2) / (2 * _SIGMA**2)) / (_SIGMA * np.sqrt(2 * np.pi))
    gain = np.log(0.9 * density + 0.1)  # one in ten may be off: clipped colours, resized blocks
    likelihood = (gain * alive).sum((1, 2)) / alive.sum()
    best = int(np.argmax(likelihood))
    return float(QUALITIES[best]) if likelihood[best] > 0 else float("nan")


@lru_cache(maxsize=1)
def _steps() -> NDArray[np.float32]:
    """(qualities, low frequencies): quantisation steps of libjpeg's scaled tables."""
    return scaled(np.array(STANDARD_LUMINANCE)[list(_LOW)], QUALITIES).astype(np.float32)
