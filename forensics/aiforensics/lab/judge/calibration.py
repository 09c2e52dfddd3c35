"""The expected calibration error, and what chance alone makes of it on as many pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 15
"""Equal-mass bins of the expected calibration error."""
REDRAWN = 200
"""Draws of labels that show what a calibrated detector would get."""


def calibration_error(labels: NDArray[np.int64] | Floats, p: Floats, w: Floats) -> Floats:
    """Measure the expected calibration error over bins of equal mass (Nguyen & O'Connor, doi:10.18653/v1/D15-1182).

    Parameters
    ----------
    labels
        (n,) 0 or 1, or a row of them for each draw.
    p
        (n,) probabilities of 1.
    w
        (draws, n) weights.

    Returns
    -------
    (draws,) errors; the least that is seen of few pictures is above 0, because the noise of every bin counts as error.
    """
    edges = equal_mass_edges(p)
    starts = np.flatnonzero(np.r_[True, np.diff(np.searchsorted(edges, np.sort(p), side="right")) != 0])
    order = np.argsort(p, kind="stable")
    gap = np.add.reduceat(w[:, order] * (p - labels)[..., order], starts, axis=1)
    return np.asarray(np.abs(gap).sum(1) / w.sum(1))


def equal_mass_edges(p: Floats, bins: int = BINS) -> Floats:
    """Inner edges of bins that hold equally many scores; equal scores are never divided."""
    return np.unique(np.quantile(p, np.arange(1, bins) / bins))


def errors_if_calibrated(
    labels: NDArray[np.int64], p: Floats, groups: NDArray[np.str_], draws: int = REDRAWN, seed: int = 0
) -> Floats:
    """(draws,) calibration errors of a detector whose every probability is right: with labels drawn from them.

    Pictures of a group that share their label are drawn together, since they err together.

    Parameters
    ----------
    labels, p, groups
        (n,) 0 or 1, probabilities of 1, and groups.
    draws, seed
        Of the labels.
    """
    _, place = np.unique(groups, return_inverse=True)
    ai, size = np.bincount(place, labels), np.bincount(place)
    alone = ((ai > 0) & (ai < size))[place]
    _, unit = np.unique(np.where(alone, len(size) + np.arange(len(p)), place), return_inverse=True)
    rng, weight = np.random.default_rng(seed), np.ones((1, len(p)))
    lots = (rng.random(int(unit.max()) + 1) for _ in range(draws))
    return np.array([calibration_error((lot[unit] < p).astype(np.float64), p, weight)[0] for lot in lots])


def error_interval(error: float, low: float, high: float, drawn: Floats, by_chance: Floats) -> tuple[float, float]:
    """Correct the interval of a calibration error for the noise of the bins.

    Drawing adds that noise once more, by which the whole interval moves. The low end loses what chance makes of no
    error at all, and is 0 where the error lies within its reach: then a calibrated detector may have got it as well.

    Parameters
    ----------
    error
        As measured.
    low, high
        Of the bootstrap.
    drawn
        Errors in the bootstrap's draws.
    by_chance
        What `errors_if_calibrated` gives.
    """
    bias = float(np.median(drawn)) - error if len(drawn) else 0.0
    least = 0.0 if error <= np.percentile(by_chance, 97.5) else low - bias - float(by_chance.mean())
    return max(0.0, min(least, error)), max(high - bias, error)
