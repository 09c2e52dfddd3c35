"""Pictures of the cues, for the eye: where over a window an analyzer or the network found something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers import ANALYZERS
from aiforensics.image import Picture, Window
from aiforensics_models.runtime import NetworkOutput

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Map:
    """A picture of one cue over the examined window at offset (x, y) of the stored picture."""

    analyzer: str
    title: str
    pixels: Pixels = field(repr=False)
    x: int
    y: int


def cue_maps(picture: Picture) -> tuple[Map, ...]:
    """The map of every analyzer that draws one, over every window of a picture."""
    return tuple(
        Map(analyzer.name, analyzer.card.title, pixels, window.x, window.y)
        for analyzer in ANALYZERS
        for window in picture.windows
        if (pixels := analyzer.map(window)) is not None
    )


def activation_maps(
    picture: Picture, outputs: Sequence[NetworkOutput], title: str = "Class activation"
) -> tuple[Map, ...]:
    """Class activation of the network over every window: orange speaks for `ai`, blue for `real`.

    Parameters
    ----------
    picture
        As it was examined.
    outputs
        What the network said of each window; the strongest place of all has the fullest colour.
    title
        What drew the activation.
    """
    reach = max(float(np.abs(output.activation).max()) for output in outputs) or 1.0
    return tuple(
        Map("embedding", title, _tinted(window, output.activation / reach), window.x, window.y)
        for window, output in zip(picture.windows, outputs, strict=True)
    )


def _tinted(window: Window, activation: NDArray[np.float32]) -> Pixels:
    """(h, w, 3) uint8: the window in grey under orange (speaks for `ai`) and blue (speaks for `real`)."""
    import cv2  # noqa: PLC0415 - only for whoever draws a page

    height, width = window.pixels.shape[:2]
    strength = cv2.resize(activation, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    grey = np.repeat(window.luma[..., None], 3, axis=2) * 0.75 + 32.0
    tint = np.where(strength > 0, np.array([230.0, 120.0, 0.0]), np.array([0.0, 110.0, 200.0]))
    weight = np.clip(np.abs(strength), 0.0, 1.0) * 0.65
    return np.clip(grey * (1.0 - weight) + tint * weight, 0, 255).astype(np.uint8)
