"""What is evaluated: a Protocol from picture to prediction, and the shipped pipeline behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aiforensics.evidence import Finding, QualityLevel, Verdict
from aiforensics.image import Picture, decode, read
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.views import View, seeded


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a detector says of one picture.

    Attributes
    ----------
    p_ai
        Calibrated probability of `ai` in [0, 1].
    verdict
        `ai`, `real` or `inconclusive`, at the detector's own thresholds.
    interval
        Low and high of `p_ai`.
    quality
        Evidence quality.
    """

    p_ai: float
    verdict: Verdict
    interval: tuple[float, float] = (0.0, 1.0)
    quality: QualityLevel = "good"


class Detector(Protocol):
    """Anything that judges a picture."""

    def score(self, picture: Picture) -> Prediction:
        """Judge a picture, whose `data` are the bytes as delivered; may raise `InputError`."""
        ...


class Scans(Protocol):
    """The part of `aiforensics.pipeline.Scanner` that is needed here."""

    def scan_bytes(self, data: bytes, path: str = "-") -> Finding:
        """Scan the bytes of a file."""
        ...


@dataclass(frozen=True)
class ScannerDetector:
    """The shipped pipeline as a detector: every picture goes through it as a file, as a user's would."""

    scanner: Scans

    def score(self, picture: Picture) -> Prediction:
        """Scan the picture's bytes."""
        found = self.scanner.scan_bytes(picture.data, picture.path)
        return Prediction(found.p_ai, found.verdict, found.interval, found.quality.level)


Predictor = Callable[[Sequence[Sample], View], Sequence[Prediction]]
"""Predictions for samples under a view, in order."""


def deliver(sample: Sample, view: View, *, seed: int = 0) -> Picture:
    """Read a sample and deliver it under a view; its window depends on the sample's key and the seed alone."""
    return redeliver(read(sample.path), sample, view, seed=seed)


def redeliver(picture: Picture, sample: Sample, view: View, *, seed: int = 0) -> Picture:
    """Deliver a picture that was read already; conditions of one seed share one window."""
    pixels = np.asarray(picture.image, np.uint8)
    return decode(view.file(pixels, seeded(sample.key, seed)), sample.path.name)


def predictor(detector: Detector, *, seed: int = 0) -> Predictor:
    """Turn a detector into a predictor over samples."""
    return lambda samples, view: [detector.score(deliver(sample, view, seed=seed)) for sample in samples]
