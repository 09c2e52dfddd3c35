"""A bundle that is a network alone, judged without the analyzers that its answer does not need.

Verdict, probability, interval and evidence quality are those of the pipeline, many times faster: of the measurements
only those are taken that evidence quality reads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aiforensics.analyzers import ANALYZERS, Exhibit
from aiforensics.decision import decide
from aiforensics.image import Picture
from aiforensics.lab.judge.detector import Detector, Prediction, ScannerDetector
from aiforensics.opinion import Opinion
from aiforensics.pipeline import Scanner
from aiforensics.quality import READ, assess
from aiforensics_models.bundle import Bundle, Device

_ASSESSED = tuple(analyzer for analyzer in ANALYZERS if analyzer.name in {name.partition(".")[0] for name in READ})


def open_detector(model: str | Path, device: Device = "auto") -> Detector:
    """Open a bundle for an evaluation: the quick way where its head is the network alone, else the whole pipeline.

    Raises
    ------
    aiforensics_models.bundle.BundleError
        If the bundle cannot be used.
    """
    bundle = Bundle.load(model)
    if bundle.manifest["head"]["kind"] == "none" and bundle.reference is None:
        return NetworkDetector(bundle, device)
    return ScannerDetector(Scanner(model, device=device))


class NetworkDetector:
    """A network alone as a detector.

    Parameters
    ----------
    bundle
        A bundle whose head is `none`.
    device
        Where the network runs.
    """

    def __init__(self, bundle: Bundle, device: Device = "auto") -> None:
        self._network = bundle.network(device)
        self._calibration = bundle.calibration
        self._again = bundle.folder, device

    def __reduce__(self) -> tuple[Callable[..., Detector], tuple[Path, Device]]:
        """Travel to another process as what it was made of: it is opened there anew."""
        return open_detector, self._again

    def score(self, picture: Picture) -> Prediction:
        """Judge a picture as the pipeline would."""
        opinion = Opinion.of(picture.windows, self._network)
        exhibit = Exhibit(picture.windows)
        values = {name: value for one in _ASSESSED for name, value in one.measure(exhibit).items()}
        assessment = assess(picture, values, 0.0)
        p_ai = self._calibration.probability(opinion.log_odds, assessment.condition)
        interval = self._calibration.interval(opinion.log_odds, opinion.spread, assessment.condition)
        verdict, _ = decide(self._calibration, p_ai, assessment.quality, interval)
        return Prediction(p_ai, verdict, interval, assessment.quality.level)
