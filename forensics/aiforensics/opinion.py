"""What a network makes of a picture: of every window, and of the first one mirrored as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aiforensics.image import Window
from aiforensics_models.preparation import mirrored
from aiforensics_models.runtime import Network, NetworkOutput


@dataclass(frozen=True)
class Opinion:
    """The network's outputs, and what they come to.

    A picture and its mirror image are made by the same hand, so the first window, which is the most detailed, is read
    both ways and the mean counts (test-time augmentation, Krizhevsky et al. 2012, doi:10.1145/3065386).

    Attributes
    ----------
    outputs
        Of each window.
    mirror
        Of the first window's mirror image.
    """

    outputs: tuple[NetworkOutput, ...]
    mirror: NetworkOutput

    @classmethod
    def of(cls, windows: Sequence[Window], network: Network) -> Self:
        """Ask a network."""
        return cls(tuple(network(window.pixels) for window in windows), network(mirrored(windows[0].pixels)))

    @property
    def log_odds(self) -> float:
        """Mean log-odds of `ai` over the windows."""
        first, *rest = (float(output.logits.mean()) for output in self.outputs)
        return float(np.mean([(first + float(self.mirror.logits.mean())) / 2, *rest]))

    @property
    def embedding(self) -> NDArray[np.float32]:
        """(dimension,) mean embedding over the windows."""
        mean: NDArray[np.float32] = np.stack([output.embedding for output in self.outputs]).mean(axis=0)
        return mean

    @property
    def spread(self) -> float:
        """Standard deviation of the log-odds over ensemble members, and of their mean over windows, together."""
        logits = np.stack([output.logits for output in self.outputs])
        return math.hypot(float(logits.mean(axis=0).std()), float(logits.mean(axis=1).std()) / math.sqrt(len(logits)))
