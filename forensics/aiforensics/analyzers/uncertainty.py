"""Predictive uncertainty: how sure the network stays over windows, ensemble members and small changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.numerics import binary_entropy, feature_specs
from aiforensics.analyzers.protocol import Exhibit, Forecast, Pixels
from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window
from aiforensics_models.preparation import mirrored

_EDGE = 1e-4
"""Probabilities are kept this far from 0 and 1, so that log-odds stay within ±9.2."""


class Uncertainty:
    """Entropy, mutual information and stability of the forecasts that the pipeline hands over.

    One forecast per window and one for each of two changes of the first window, which is the most detailed. Without
    a forecast every feature is 0, `available` among them.

    Source: Nie et al., "Epistemic Uncertainty for Generated Image Detection", arXiv 2412.05897 (generated pictures
    make a model of natural ones less certain; one that learned both kinds, as here, need not be); Houlsby et al. 2011,
    arXiv 1112.5745 (mutual information of an ensemble).
    """

    name = "uncertainty"
    card = Card(
        title="Uncertainty of the network",
        looks_for="Whether the network's opinion holds when the picture is mirrored or given a trace of noise, "
        "and whether the members of its ensemble and the windows of the picture agree.",
        fooled_by="Rare subjects, unusual cameras and strong editing make the network unsure of real pictures too; a "
        "generator that it knows well leaves it sure.",
        ignore_when="On its own. It says how far to trust the network's opinion, more than what the picture is.",
        source="Nie 2024, arXiv 2412.05897; Houlsby 2011, arXiv 1112.5745",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            ("available", "0 or 1", "whether the network's forecast was there to be examined; not scored"),
            ("entropy", "bits", "entropy of the mean probability of each window"),
            ("member_entropy", "bits", "mean entropy of the members of the ensemble"),
            ("mutual_information", "bits", "doubt that stems from disagreement between the members"),
            ("member_spread", "log-odds", "deviation between the members"),
            ("window_spread", "log-odds", "deviation between the windows; 0 for one window"),
            ("flip_change", "log-odds", "change of opinion when the first window is mirrored"),
            ("noise_change", "log-odds", "change of opinion under noise of two grey levels"),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Uncertainty of the forecasts; all zeros where there is none."""
        values = dict.fromkeys((spec.name.partition(".")[2] for spec in self.specs), 0.0)
        if exhibit.forecast is not None:
            values |= _doubt(exhibit.forecast, exhibit.windows)
        return {f"{self.name}.{short}": value for short, value in values.items()}

    def map(self, window: Window) -> None:
        """No map: the forecast belongs to a whole window."""
        return


def perturbed(pixels: Pixels) -> dict[str, Pixels]:
    """Two changes of a window: mirrored, and with fixed noise of two grey levels."""
    height, width = pixels.shape[:2]
    noisy = cv2.add(pixels, _noise()[:height, :width], dtype=cv2.CV_8U)
    return {
        "flip": mirrored(pixels),
        "noise": np.asarray(noisy, np.uint8),
    }


def _doubt(forecast: Forecast, windows: tuple[Window, ...]) -> dict[str, float]:
    opinions = [_members(forecast, window.pixels) for window in windows]
    entropies = [float(binary_entropy(p.mean())) for p in opinions]
    within = [float(binary_entropy(p).mean()) for p in opinions]
    log_odds = [float(_log_odds(p.mean())) for p in opinions]
    values = {
        "available": 1.0,
        "entropy": float(np.mean(entropies)),
        "member_entropy": float(np.mean(within)),
        "mutual_information": max(float(np.mean(entropies)) - float(np.mean(within)), 0.0),
        "member_spread": float(np.mean([_log_odds(p).std() for p in opinions])),
        "window_spread": float(np.std(log_odds)),
    }
    for kind, pixels in perturbed(windows[0].pixels).items():
        values[f"{kind}_change"] = abs(float(_log_odds(_members(forecast, pixels).mean())) - log_odds[0])
    return values


def _members(forecast: Callable[[Pixels], NDArray[np.float64]], pixels: Pixels) -> NDArray[np.float64]:
    return np.clip(np.asarray(forecast(pixels), np.float64).ravel(), _EDGE, 1.0 - _EDGE)


def _log_odds(p: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(np.log(p / (1.0 - p)), np.float64)


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.int16]:
    """(256, 256, 3) int16 normal noise of deviation 2, the same in every run."""
    return np.rint(np.random.default_rng(20241205).normal(0.0, 2.0, (256, 256, 3))).astype(np.int16)
