"""How much each row of a table counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.folds import balance
from aiforensics.lab.fit.measure import LARGE_VIEWS, Table


def row_weights(
    samples: Sequence[Sample], table: Table, emphasis: Mapping[str, float] | None = None
) -> NDArray[np.float64]:
    """Weigh the rows of large views and the others each as `balance` does.

    Few files are large, and a class or a source may have more of them: weighed all together, the size of a picture
    would speak for a class.

    Parameters
    ----------
    samples
        What the table's `sample` column points at.
    table
        Features of delivered samples.
    emphasis
        As of `aiforensics.lab.data.folds.balance`.

    Returns
    -------
    (n,) weights; 0 for large views where a class has none.
    """
    weights = np.zeros(len(table.sample))
    large = np.isin(table.view, sorted(LARGE_VIEWS))
    for rows in (large, ~large):
        there, place = np.unique(table.sample[rows], return_inverse=True)
        shown = [samples[i] for i in there.tolist()]
        if len({sample.label for sample in shown}) == 2:
            weights[rows] = balance(shown, emphasis)[place]
    return weights


def levelled(weights: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) weights with the same total in both classes, of (n,) labels, 1 for `ai`; both classes are there."""
    ai, real = weights[labels > 0.5].sum(), weights[labels < 0.5].sum()
    even: NDArray[np.float64] = np.where(labels > 0.5, weights / ai, weights / real) * 0.5 * weights.sum()
    return even
