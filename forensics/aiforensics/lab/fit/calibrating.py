"""From log-odds to a verdict: a line for each condition, and the thresholds that keep the promises.

What comes in is judged by who had not seen it, so that lines and thresholds hold for strangers' pictures.
Source: Platt 1999, "Probabilistic outputs for support vector machines" (a line on the log-odds).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.fit.weighing import levelled
from aiforensics_models.calibration import Calibration, Line

Floats = NDArray[np.float64]
FALSE_ALARMS = 0.005
"""Share of real pictures that may be called `ai` on unseen sources.

The promise is 5 %, and 10 % on the worst source of photographs, art and portraits. The mean hides sources with many
times as much: RESEARCH.md, *Thresholds and abstention*, has what other shares cost the worst ones.
"""
MISSES = 0.035
"""Share of AI pictures that may be called `real` on unseen sources: 94 to 95 % of the answers are right there."""
Fit = Callable[[Floats, Floats, NDArray[np.str_], Floats, Sequence[str]], Calibration]
"""From n log-odds, labels, conditions, weights and sources to a calibration."""
MIN_CONDITION = 200
"""Pictures of each class that a condition needs before it gets a calibration line of its own."""


def calibrate(
    log_odds: Floats,
    labels: Floats,
    conditions: NDArray[np.str_],
    weights: Floats,
    sources: Sequence[str],
    *,
    seed: int = 0,
) -> Calibration:
    """Fit a line for each condition and set the thresholds, on out-of-fold log-odds.

    A condition with too few pictures, `good` too, shares the line of all. The `spread` of a line is the standard
    deviation of the calibrated log-odds at p = 0.5 under a bootstrap over sources: what hangs on which were collected.

    Parameters
    ----------
    log_odds, labels
        (n,) what heads say of pictures that they were not fitted on, and 1 for `ai`.
    conditions, weights, sources
        (n,) calibration condition, weight and source of each.
    seed
        Of the bootstrap.
    """
    everybody = _line(log_odds, labels, weights, sources, seed)
    lines = dict.fromkeys(sorted({"good", *conditions.tolist()}), everybody)
    for name in lines:
        mine = conditions == name
        if min(labels[mine].sum(), (1 - labels[mine]).sum()) >= MIN_CONDITION:
            lines[name] = _line(log_odds[mine], labels[mine], weights[mine], np.asarray(sources)[mine].tolist(), seed)
    return settled(Calibration(lines, 0.0, 1.0), log_odds, labels, conditions, weights)


def settled(
    kept: Calibration,
    log_odds: Floats,
    labels: Floats,
    conditions: NDArray[np.str_],
    weights: Floats,
    _sources: Sequence[str] = (),
) -> Calibration:
    """The lines of a calibration, with the thresholds at which other pictures keep the promises: a `Fit`.

    Parameters
    ----------
    kept
        The calibration.
    log_odds, labels, conditions, weights
        (n,) of the other pictures, as of `calibrate`.
    """
    real_below, ai_from = thresholds(probabilities(kept, log_odds, conditions), labels, weights)
    return replace(kept, real_below=real_below, ai_from=ai_from)


def tightened(
    kept: Calibration,
    log_odds: Floats,
    labels: Floats,
    conditions: NDArray[np.str_],
    weights: Floats,
    _sources: Sequence[str] = (),
) -> Calibration:
    """As `settled`, where the pictures are few: the old thresholds rest on more sources, so neither is made laxer.

    Parameters
    ----------
    kept, log_odds, labels, conditions, weights
        As of `settled`.
    """
    found = settled(kept, log_odds, labels, conditions, weights)
    return replace(kept, real_below=min(kept.real_below, found.real_below), ai_from=max(kept.ai_from, found.ai_from))


def probabilities(calibration: Calibration, log_odds: Floats, conditions: NDArray[np.str_]) -> Floats:
    """(n,) calibrated probabilities of `ai`, of (n,) log-odds, each under its condition."""
    return np.array([calibration.probability(z, name) for z, name in zip(log_odds, conditions.tolist(), strict=True)])


def thresholds(p: Floats, labels: Floats, weights: Floats) -> tuple[float, float]:
    """The widest answers that keep the promises: `real_below` and `ai_from`.

    `ai` is said from the lowest p that at most `FALSE_ALARMS` of the real pictures reach, and never below 0.5; `real`
    below the highest p that all but `MISSES` of the AI pictures reach, and never above 0.5.
    """
    grid = np.unique(np.round(np.concatenate([p, [0.5]]), 3))
    ai, real = labels > 0.5, labels < 0.5
    missed = np.array([weights[ai & (p < t)].sum() for t in grid]) / weights[ai].sum()
    alarms = np.array([weights[real & (p >= t)].sum() for t in grid]) / weights[real].sum()
    quiet = grid[(alarms <= FALSE_ALARMS) & (grid >= 0.5)]
    safe = grid[(missed <= MISSES) & (grid <= 0.5)]
    return float(safe.max()) if len(safe) else 0.0, float(quiet.min()) if len(quiet) else 1.0


def logistic(
    x: Floats,
    labels: Floats,
    weights: Floats,
    *,
    standing: Floats | float = 0.0,
    ridge: float = 1e-3,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[Floats, float]:
    """Weighted logistic regression with a light ridge.

    Parameters
    ----------
    x, labels, weights
        (n, k) inputs, (n,) 1 for `ai`, and (n,) weights.
    standing
        (n,) log-odds that stand already: what they leave is fitted.
    ridge
        Of the slopes.
    bounds
        Least and greatest slope.

    Returns
    -------
    (k,) slopes, and the offset.

    Raises
    ------
    ValueError
        If the optimiser does not converge.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - 0.3 s that other parts of the lab need not pay

    share = weights / weights.sum()

    def loss(theta: Floats) -> tuple[float, Floats]:
        z = x @ theta[:-1] + theta[-1] + standing
        p = 1.0 / (1.0 + np.exp(-z))
        value = float(share @ np.logaddexp(0.0, np.where(labels > 0.5, -z, z)))
        slope = x.T @ (share * (p - labels)) + ridge * theta[:-1]
        return value + 0.5 * ridge * float(theta[:-1] @ theta[:-1]), np.append(slope, share @ (p - labels))

    start = np.zeros(x.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[bounds] * x.shape[1] + [(None, None)])
    if not found.success:
        raise ValueError(f"logistic regression did not converge: {found.message}")
    return np.asarray(found.x[:-1], np.float64), float(found.x[-1])


def _line(log_odds: Floats, labels: Floats, weights: Floats, sources: Sequence[str], seed: int) -> Line:
    """A line under which both classes weigh alike, or how many of a condition are AI would speak for a class."""
    slope, offset = logistic(log_odds[:, None], labels, levelled(weights, labels), bounds=(0.05, np.inf))
    rng = np.random.default_rng([seed, 3])
    names, owner = np.unique(np.asarray(sources), return_inverse=True)
    middle = -offset / slope[0]
    drawn = []
    for _ in range(50):
        factor = rng.poisson(1.0, len(names))[owner] * weights
        if min(factor[labels > 0.5].sum(), factor[labels < 0.5].sum()) > 0:
            a, b = logistic(log_odds[:, None], labels, levelled(factor, labels), bounds=(0.05, np.inf))
            drawn.append(a[0] * middle + b)
    return Line(float(slope[0]), offset, float(np.std(drawn)))
