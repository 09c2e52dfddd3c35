"""What an analyzer is: a Protocol, the exhibit that it examines, and the helper that pools windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window

Pixels = NDArray[np.uint8]
Forecast = Callable[[Pixels], NDArray[np.float64]]
"""(h, w, 3) uint8 → (members,) probabilities of `ai` by an ensemble of heads on the embedding network."""


@dataclass(frozen=True)
class Exhibit:
    """What is examined: the windows of one picture, and the network's forecast where the pipeline has one."""

    windows: tuple[Window, ...]
    forecast: Forecast | None = None


class Analyzer(Protocol):
    """A pure, deterministic function of the decoded picture. It never changes its input and never opens a file."""

    @property
    def name(self) -> str:
        """The prefix of all its features."""
        ...

    @property
    def card(self) -> Card:
        """What the cue looks for, what fakes it, when to ignore it."""
        ...

    @property
    def specs(self) -> tuple[FeatureSpec, ...]:
        """Its features, in order; each full name starts with `name` and a dot."""
        ...

    def measure(self, exhibit: Exhibit) -> Mapping[str, float]:
        """Finite values for every full feature name of `specs`."""
        ...

    def map(self, window: Window) -> Pixels | None:
        """Picture of the cue, (h, w, 3) uint8, over one window for the eye, or None where no map makes sense."""
        ...


def mean_over_windows(exhibit: Exhibit, measure: Callable[[Window], Mapping[str, float]]) -> dict[str, float]:
    """Mean of each feature over the windows of an exhibit."""
    rows = [measure(window) for window in exhibit.windows]
    names = list(rows[0])
    means = np.mean([[row[name] for name in names] for row in rows], axis=0)
    return dict(zip(names, means.tolist(), strict=True))
