"""Gradient-boosted trees read from XGBoost's JSON and answered in NumPy, with exact Shapley values.

XGBoost trains the trees. To answer one row of a few hundred shallow trees, its import alone takes a hundred times as
long as the answer, which a scan of one picture cannot hide. Tests hold both answers against XGBoost's own.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TreeEnsemble:
    """Trees as one list of leaves, each with the conditions on the way to it.

    Attributes
    ----------
    base
        Margin of no tree at all, in log-odds.
    value
        (leaves,) margin that a leaf adds.
    feature
        (leaves, depth) index of the feature that a condition asks; a condition that is not there asks feature 0.
    low, high
        (leaves, depth) a condition holds for low ≤ x < high; several conditions on one feature are one interval.
    share
        (leaves, depth) share of the training rows that went this way at those splits; 1 where there is no condition.
    """

    base: float
    value: Floats
    feature: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    share: Floats

    @classmethod
    def from_json(cls, text: str | bytes) -> TreeEnsemble:
        """Read a model that XGBoost saved as JSON (`binary:logistic`, numerical splits).

        Raises
        ------
        ValueError
            If the model is of another kind.
        """
        learner = json.loads(text)["learner"]
        if learner["objective"]["name"] != "binary:logistic":
            raise ValueError(f"a head is binary:logistic, not {learner['objective']['name']}")
        p = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
        leaves = [leaf for tree in learner["gradient_booster"]["model"]["trees"] for leaf in _leaves(tree)]
        depth = max([len(conditions) for _, conditions in leaves], default=1) or 1
        shape = (len(leaves), depth)
        ensemble = cls(
            base=math.log(p / (1.0 - p)),
            value=np.array([value for value, _ in leaves], np.float64),
            feature=np.zeros(shape, np.int64),
            low=np.full(shape, -np.inf, np.float32),
            high=np.full(shape, np.inf, np.float32),
            share=np.ones(shape),
        )
        for row, (_, conditions) in enumerate(leaves):
            for column, (feature, (low, high, share)) in enumerate(conditions.items()):
                ensemble.feature[row, column] = feature
                ensemble.low[row, column], ensemble.high[row, column] = low, high
                ensemble.share[row, column] = share
        return ensemble

    def contributions(self, row: Floats) -> tuple[Floats, float]:
        """Shapley values of every feature, and the margin of an average row.

        A leaf is a product of conditions. Known features pass or fail theirs; a feature that is not known passes with
        the share of training rows that did. The Shapley value of such a product has a closed form over its few
        conditions (path-dependent TreeSHAP; Lundberg et al., doi:10.1038/s42256-019-0138-9), and a condition that is
        not there is a null player, so all leaves can be padded to one depth.

        Parameters
        ----------
        row
            (features,) finite values.

        Returns
        -------
        (features,) Shapley values in log-odds, and the average margin; together they sum to the margin.
        """
        x = row.astype(np.float32)[self.feature]
        passes = ((x >= self.low) & (x < self.high)).astype(np.float64)
        depth = self.share.shape[1]
        shares = np.zeros(len(row))
        for player in range(depth):
            chance = _chance([(self.share[:, other], passes[:, other]) for other in range(depth) if other != player])
            gained = self.value * (passes[:, player] - self.share[:, player]) * chance
            shares += np.bincount(self.feature[:, player], weights=gained, minlength=len(row))
        return shares, self.base + float(self.value @ self.share.prod(axis=1))


def _chance(others: list[tuple[Floats, Floats]]) -> Floats:
    """Mean over random orders of the chance that a leaf's other conditions pass when a player comes in.

    Of each other condition the first number holds while its feature is unknown and the second once it is known. The
    coefficient of t^k in the product of (unknown + known · t) sums over all sets of k known ones, and in a random order
    each such set comes first with the probability k! (n - k)! / (n + 1)!.
    """
    count = len(others)
    sums: list[Floats] = [np.ones_like(others[0][0])] if others else [np.ones(1)]
    for unknown, known in others:
        grown = [coefficient * unknown for coefficient in sums] + [np.zeros_like(unknown)]
        for size, coefficient in enumerate(sums):
            grown[size + 1] += coefficient * known
        sums = grown
    weights = [math.factorial(k) * math.factorial(count - k) / math.factorial(count + 1) for k in range(count + 1)]
    return sum((weight * total for weight, total in zip(weights, sums, strict=True)), np.zeros(1))


_Conditions = dict[int, tuple[float, float, float]]


def _leaves(tree: dict[str, Any]) -> list[tuple[float, _Conditions]]:
    """(value, feature → (low, high, share of rows)) of every leaf of a tree."""
    left, right = tree["left_children"], tree["right_children"]
    rows = tree["sum_hessian"]
    found: list[tuple[float, _Conditions]] = []
    waiting: list[tuple[int, _Conditions]] = [(0, {})]
    while waiting:
        node, conditions = waiting.pop()
        if left[node] == -1:
            found.append((float(tree["base_weights"][node]), conditions))
            continue
        feature, at = int(tree["split_indices"][node]), float(np.float32(tree["split_conditions"][node]))
        low, high, share = conditions.get(feature, (-math.inf, math.inf, 1.0))
        went_left, went_right = (rows[child] / rows[node] for child in (left[node], right[node]))
        waiting.append((left[node], {**conditions, feature: (low, min(high, at), share * went_left)}))
        waiting.append((right[node], {**conditions, feature: (max(low, at), high, share * went_right)}))
    return found
