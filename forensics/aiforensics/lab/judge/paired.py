"""Two detectors on the same pictures: the difference of their figures, with a paired bootstrap interval.

Both judge the same pictures, so that a hard picture is hard for both: of two figures whose own intervals overlap the
difference may be sure, and the other way round. So the same groups are drawn for both, and the interval is that of the
difference (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13: what was observed
together is drawn together).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiforensics.lab.judge import metrics
from aiforensics.lab.judge.evaluate import ByCondition, Judged, scores_of
from aiforensics.lab.judge.metrics import DRAWS, Figure, Floats
from aiforensics.lab.pages.standing import widening

_DIGITS = 12
"""Decimals of a difference: what is nothing must be 0, and not what is left over in a float."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the figures of one detector lie above those of another.

    Attributes
    ----------
    figures
        By name; NaN where a figure is not defined, and without an interval where none can be shown.
    pictures
        Pictures that both judged.
    few
        Whether one of the classes has too few groups for an interval.
    """

    figures: dict[str, Figure]
    pictures: int
    few: bool


def difference(
    first: ByCondition,
    second: ByCondition,
    names: Sequence[str] = ("roc_auc",),
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Subtract figures of the second detector from those of the first, on the pictures that both judged.

    Parameters
    ----------
    first, second
        Judgements by condition; all that both have are pooled.
    names
        Of `metrics.figures`.
    draws, seed
        Of the bootstrap.
    """
    one: Judged = []
    other: Judged = []
    for condition in (name for name in first if name in second):
        said = dict(second[condition])
        pairs = [(sample, mine) for sample, mine in first[condition] if sample in said]
        one += pairs
        other += [(sample, said[sample]) for sample, _ in pairs]
    both = scores_of(one), scores_of(other)

    def apart(weights: Floats) -> dict[str, Floats]:
        if tuple(names) == ("roc_auc",):
            more, less = ({"roc_auc": metrics.weighted_auc(scores, weights)} for scores in both)
        else:
            more, less = (metrics.figures(scores, weights) for scores in both)
        return {name: np.round(more[name] - less[name], _DIGITS) for name in names}

    if not one:
        return Difference({name: Figure(np.nan, np.nan, np.nan) for name in names}, 0, few=True)
    values = apart(np.ones((1, len(one))))
    reach = metrics.bootstrap(both[0], apart, draws=draws, seed=seed)
    found = {name: metrics.of_both(Figure(float(values[name][0]), *reach[name]), both[0]) for name in names}
    few = bool(np.isnan(metrics.of_both(Figure(0.0, 0.0, 0.0), both[0]).low))
    return Difference({name: metrics.moved(one) for name, one in found.items()}, len({s for s, _ in one}), few)


def at_once(one: Figure, number: int) -> Figure:
    """Widen a 95 % interval by `widening`, so that `number` of its kind hold all at once in 95 % of the cases."""
    times = widening(number)
    return Figure(one.value, one.value - times * (one.value - one.low), one.value + times * (one.high - one.value))
