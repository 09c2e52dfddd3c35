"""Small windows are looked at twice: upsampled, and continued by their own reflection.

A small window is borders for a good part, and a picture so small has mostly been reduced. The reflection moves the
borders away, upsampling brings the traces back towards their first scale. The mean of both tells AI from real better
than the window as it is, most of all at half size; cuts of 168 px at JPEG 75 lose a little (RESEARCH.md, *Small
pictures are looked at twice*).
"""

from __future__ import annotations

import numpy as np

from aiforensics_models.preparation import Pixels
from aiforensics_models.runtime import Network, NetworkOutput

SMALL = 192
"""Shorter side in pixels below which a window is looked at twice: stated by the bundles that were fitted so."""
UPSAMPLING = 1.5
"""Factor of the one look."""
CONTINUED = 256
"""Sides in pixels up to which the other look continues a window."""


class Twice:
    """A network that looks at small windows twice.

    Parameters
    ----------
    network
        Any network that takes windows of any size.
    small
        Shorter side in pixels below which a window is small.
    """

    def __init__(self, network: Network, small: int = SMALL) -> None:
        self._network = network
        self._small = small

    def __call__(self, pixels: Pixels) -> NetworkOutput:
        """(h, w, 3) uint8, RGB → what the network says of it: of a small one the mean of both looks."""
        if min(pixels.shape[:2]) >= self._small:
            return self._network(pixels)
        near, wide = self._network(upsampled(pixels)), self._network(continued(pixels))
        embedding = (near.embedding + wide.embedding) * np.float32(0.5)
        return NetworkOutput((near.logits + wide.logits) / 2, embedding, near.activation)


def upsampled(pixels: Pixels) -> Pixels:
    """(h, w, 3) uint8 → the same upsampled by `UPSAMPLING`, by bicubic interpolation."""
    import cv2  # noqa: PLC0415 - most pictures are not small

    size = tuple(round(side * UPSAMPLING) for side in pixels.shape[1::-1])
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def continued(pixels: Pixels) -> Pixels:
    """(h, w, 3) uint8 → the same, continued to the right and downwards by its reflection.

    Examples
    --------
    >>> continued(np.zeros((100, 300, 3), np.uint8)).shape
    (256, 300, 3)
    """
    room = [(0, max(0, CONTINUED - side)) for side in pixels.shape[:2]]
    return np.pad(pixels, [*room, (0, 0)], mode="symmetric")
