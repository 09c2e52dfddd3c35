"""Fitting the handcrafted head: trees or a perceptron that read the measurements alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from aiforensics.lab.fit.calibrating import Floats
from aiforensics.lab.fit.perceptrons import PerceptronFit

HeadKind = Literal["xgboost", "deep"]


class FittedHead(Protocol):
    """A head over handcrafted features that can be asked and written down."""

    def margin(self, rows: Floats) -> Floats:
        """(n, features) → (n,) log-odds."""
        ...

    def save(self, folder: Path) -> str:
        """Write the head into a bundle's folder; the file's name comes back."""
        ...


def fit_head(rows: Floats, labels: Floats, weights: Floats, kind: HeadKind, seed: int) -> FittedHead:
    """Fit a head of that kind on (n, features) rows with (n,) labels, 1 for `ai`, and (n,) weights."""
    return XGBoostFit(rows, labels, weights, seed) if kind == "xgboost" else DeepFit(rows, labels, weights, seed)


class XGBoostFit:
    """Slow boosted trees that see a third of the features and 60 % of the rows at a time."""

    params: ClassVar[dict[str, Any]] = {
        "objective": "binary:logistic",
        "max_depth": 6,
        "eta": 0.05,
        "subsample": 0.6,
        "colsample_bytree": 0.3,
        "min_child_weight": 3,
        "lambda": 3.0,
        "nthread": 2,
    }
    rounds = 1080

    def __init__(self, rows: Floats, labels: Floats, weights: Floats, seed: int) -> None:
        import xgboost  # noqa: PLC0415 - one to two seconds

        self._xgboost = xgboost
        matrix = xgboost.DMatrix(rows.astype(np.float32), label=labels, weight=weights)
        self._booster = xgboost.train({**self.params, "seed": seed}, matrix, num_boost_round=self.rounds)

    def margin(self, rows: Floats) -> Floats:
        """(n, features) → (n,) log-odds."""
        matrix = self._xgboost.DMatrix(rows.astype(np.float32))
        return np.asarray(self._booster.predict(matrix, output_margin=True), np.float64)

    def save(self, folder: Path) -> str:
        """Write `head.ubj`, in XGBoost's own format."""
        self._booster.save_model(folder / "head.ubj")
        return "head.ubj"


class DeepFit:
    """A perceptron over the handcrafted features."""

    def __init__(self, rows: Floats, labels: Floats, weights: Floats, seed: int) -> None:
        self._fit = PerceptronFit(rows, labels, weights, seed)

    def margin(self, rows: Floats) -> Floats:
        """(n, features) → (n,) log-odds."""
        return self._fit.margin(rows)

    def save(self, folder: Path) -> str:
        """Write `head.safetensors`."""
        return self._fit.save(folder / "head.safetensors")
