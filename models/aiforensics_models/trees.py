"""Gradient-boosted trees read from XGBoost's UBJSON or JSON and answered in NumPy, with exact Shapley values.

XGBoost trains the trees. To answer one row of a few hundred shallow trees, its import alone takes a hundred times as
long as the answer, which a scan of one picture cannot hide. Tests hold both answers against XGBoost's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics_models import ubjson

Floats = NDArray[np.float64]
_Bounds = NDArray[np.float32]
_DEEPEST = 64


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
    def load(cls, path: Path) -> TreeEnsemble:
        """Read a model that XGBoost saved as `.ubj` or `.json` (`binary:logistic`, numerical splits).

        Raises
        ------
        ValueError
            If the model is of another kind, its trees are none or deeper than 64 splits, or the file is damaged.
        """
        data = path.read_bytes()
        learner = (ubjson.loads(data) if path.suffix == ".ubj" else json.loads(data))["learner"]
        if learner["objective"]["name"] != "binary:logistic":
            raise ValueError(f"a head is binary:logistic, not {learner['objective']['name']}")
        p = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
        return cls(math.log(p / (1.0 - p)), *_leaves(learner["gradient_booster"]["model"]["trees"]))

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
        # A scalar product would be divided between threads, and rounded by their number.
        return shares, self.base + float((self.value * self.share.prod(axis=1)).sum())


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


def _leaves(trees: Sequence[Mapping[str, Any]]) -> tuple[Floats, NDArray[np.int64], _Bounds, _Bounds, Floats]:
    """Value, feature, low, high and share of every leaf; all trees are followed downwards together, a split at a time.

    A path gets one more column at each split, and fills it where the split asks a feature that the path has not asked.
    """
    sizes = [len(tree["left_children"]) for tree in trees]
    first = np.cumsum([0, *sizes])[:-1]

    def joined(name: str, kind: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([np.zeros(0, kind), *(np.asarray(tree[name], kind) for tree in trees)])

    ends = joined("left_children", np.int64) == -1
    left, right = (np.repeat(first, sizes) + joined(f"{side}_children", np.int64) for side in ("left", "right"))
    asked, split = joined("split_indices", np.int64), joined("split_conditions", np.float32)
    start, size = (np.repeat(one, sizes)[~ends] for one in (first, sizes))
    children = np.stack([left[~ends], right[~ends]])
    # Every node but the first has one parent at most: else a way down may be endless, or the ways without number.
    outside = bool(np.any((children <= start) | (children >= start + size)) or np.any(asked[~ends] < 0))
    if outside or np.bincount(children.ravel(), minlength=1).max() > 1:
        raise ValueError("the nodes of a tree do not form a tree")
    # A leaf's margin stands where others have their threshold; its base weight is another number where it was pruned.
    rows, value = joined("sum_hessian", np.float64), split.astype(np.float64)
    node, empty = first, np.zeros((len(first), 0))
    feature, low, high, share = empty.astype(np.int64), empty.astype(np.float32), empty.astype(np.float32), empty
    found: list[tuple[Floats, NDArray[np.int64], _Bounds, _Bounds, Floats]] = []
    while len(node):
        leaf = ends[node]
        if len(found) > _DEEPEST:
            raise ValueError(f"a tree is deeper than {_DEEPEST} splits")
        found.append((value[node[leaf]], feature[leaf], low[leaf], high[leaf], share[leaf]))
        node, feature, low, high, share = node[~leaf], feature[~leaf], low[~leaf], high[~leaf], share[~leaf]
        feature, low, high, share = _wider(feature, low, high, share, feature.shape[1] + 1)
        same = feature == asked[node, None]
        column = np.where(same.any(axis=1), same.argmax(axis=1), (feature >= 0).sum(axis=1))
        at = (np.arange(len(node)), column)
        feature[at] = asked[node]
        above, below, leftward, rightward = low.copy(), high.copy(), share.copy(), share.copy()
        above[at], below[at] = np.maximum(low[at], split[node]), np.minimum(high[at], split[node])
        leftward[at] *= rows[left[node]] / rows[node]
        rightward[at] *= rows[right[node]] / rows[node]
        node, feature = np.concatenate([left[node], right[node]]), np.concatenate([feature, feature])
        low, high = np.concatenate([low, above]), np.concatenate([below, high])
        share = np.concatenate([leftward, rightward])
    width = max((int((feature >= 0).sum(axis=1).max(initial=0)) for _, feature, *_ in found), default=0) or 1
    padded = [(value, *_wider(feature, low, high, share, width)) for value, feature, low, high, share in found]
    # Columns are read one by one: memory in their order halves the time of an answer.
    values, features, lows, highs, shares = (np.asfortranarray(np.concatenate(p)) for p in zip(*padded, strict=True))
    return values, np.maximum(features, 0), lows, highs, shares


def _wider(
    feature: NDArray[np.int64], low: _Bounds, high: _Bounds, share: Floats, width: int
) -> tuple[NDArray[np.int64], _Bounds, _Bounds, Floats]:
    """The same paths in so many columns: filled up with conditions that are not there (feature -1), or cut."""

    def fitted(array: NDArray[Any], fill: float) -> NDArray[Any]:
        more = np.full((len(array), max(0, width - array.shape[1])), fill, array.dtype)
        return np.concatenate([array, more], axis=1)[:, :width]

    return fitted(feature, -1), fitted(low, -np.inf), fitted(high, np.inf), fitted(share, 1.0)
