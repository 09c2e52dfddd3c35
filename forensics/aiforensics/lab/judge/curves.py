"""Curves of a detector, thinned to what a plot can show."""

from __future__ import annotations

import numpy as np

from aiforensics.lab.judge.calibration import equal_mass_edges
from aiforensics.lab.judge.metrics import Floats, Scores

Curve = dict[str, list[float]]
_POINTS = 200
_BINS = 10
"""Bins of the reliability curve."""


def roc_curve(scores: Scores) -> Curve:
    """Trace false alarm rate and detection rate at every threshold; empty with one class."""
    hits, alarms = _swept(scores)
    if not hits[-1] or not alarms[-1]:
        return {"false_alarms": [], "detections": []}
    keep = _thinned(len(hits))
    return {
        "false_alarms": [0.0, *(alarms[keep] / alarms[-1]).tolist()],
        "detections": [0.0, *(hits[keep] / hits[-1]).tolist()],
    }


def precision_recall_curve(scores: Scores) -> Curve:
    """Recall and precision at every threshold; empty without `ai` pictures."""
    hits, alarms = _swept(scores)
    if not hits[-1]:
        return {"recall": [], "precision": []}
    keep = _thinned(len(hits))
    return {"recall": (hits[keep] / hits[-1]).tolist(), "precision": (hits / (hits + alarms))[keep].tolist()}


def reliability_curve(scores: Scores) -> Curve:
    """Mean probability against the share of `ai`, in bins of equal mass, with the number of pictures in each."""
    place = np.searchsorted(equal_mass_edges(scores.p_ai, _BINS), scores.p_ai, side="right")
    masks = [place == b for b in np.unique(place)]
    return {
        "p_ai": [float(scores.p_ai[m].mean()) for m in masks],
        "share_ai": [float(scores.labels[m].mean()) for m in masks],
        "pictures": [float(m.sum()) for m in masks],
    }


def risk_coverage_curve(scores: Scores) -> Curve:
    """Share answered against the error rate of what is answered, the surest first (|p − 0.5|), ties together.

    Geifman and El-Yaniv, "Selective classification for deep neural networks" (arXiv:1705.08500).
    """
    sureness = np.abs(scores.p_ai - 0.5)
    order = np.argsort(-sureness, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(sureness[order]) != 0, True])
    wrong = np.cumsum(((scores.p_ai >= 0.5) != (scores.labels == 1))[order])[ends]
    keep = _thinned(len(ends))
    return {
        "coverage": ((ends + 1) / len(scores))[keep].tolist(),
        "risk": (wrong / (ends + 1))[keep].tolist(),
    }


def _swept(scores: Scores) -> tuple[Floats, Floats]:
    """Numbers of `ai` and `real` pictures at or above each distinct score, from the highest down."""
    order = np.argsort(-scores.p_ai, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(scores.p_ai[order]) != 0, True])
    ai = (scores.labels[order] == 1).astype(np.float64)
    return np.cumsum(ai)[ends], np.cumsum(1.0 - ai)[ends]


def _thinned(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.unique(np.linspace(0, count - 1, min(count, _POINTS)).round().astype(np.int64))
