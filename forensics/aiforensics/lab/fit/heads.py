"""Fitting the handcrafted head: trees or a perceptron that read the measurements alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.fit.calibrating import Floats
from aiforensics.lab.fit.perceptrons import PerceptronFit

if TYPE_CHECKING:
    import xgboost

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
    """Fit a head.

    Parameters
    ----------
    rows, labels, weights
        (n, features) measurements, (n,) 1 for `ai`, and (n,) weights.
    kind
        `xgboost` or `deep`.
    seed
        Of what is drawn on the way.
    """
    return XGBoostFit(rows, labels, weights, seed) if kind == "xgboost" else DeepFit(rows, labels, weights, seed)


class Trees:
    """What XGBoost has fitted."""

    def __init__(self, booster: xgboost.Booster) -> None:
        self._booster = booster

    def margin(self, rows: Floats) -> Floats:
        """(n, features) → (n,) log-odds."""
        import xgboost  # noqa: PLC0415 - one to two seconds

        matrix = xgboost.DMatrix(rows.astype(np.float32))
        return np.asarray(self._booster.predict(matrix, output_margin=True), np.float64)

    def save(self, folder: Path) -> str:
        """Write `head.ubj`, in XGBoost's own format."""
        self._booster.save_model(folder / "head.ubj")
        return "head.ubj"


class XGBoostFit(Trees):
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

        matrix = xgboost.DMatrix(rows.astype(np.float32), label=labels, weight=weights)
        super().__init__(xgboost.train({**self.params, "seed": seed}, matrix, num_boost_round=self.rounds))


class XGBoostFurther(Trees):
    """Trees that go on: a few more are fitted to what they leave in the sum that they are a part of.

    Parameters
    ----------
    path
        The trees, as XGBoost wrote them.
    rows, labels, weights
        (n, features), (n,) 1 for `ai`, and (n,) weights.
    log_odds
        (n,) log-odds of everything that answers, these trees included.
    factor
        Weight of the trees' margin in these log-odds.
    way
        How much is taken of what they find; 1 is all of it.
    seed
        Of rows and columns.
    """

    rounds = 40
    params: ClassVar[dict[str, Any]] = {
        "max_depth": 4,
        "eta": 0.08,
        "subsample": 0.5,
        "colsample_bytree": 0.3,
        "nthread": 2,
    }
    least = 20.0
    """Weight and ridge of a leaf, in the units of the sum."""

    def __init__(
        self,
        path: Path,
        rows: Floats,
        labels: Floats,
        weights: Floats,
        log_odds: Floats,
        *,
        factor: float,
        way: float,
        seed: int,
    ) -> None:
        import xgboost  # noqa: PLC0415 - one to two seconds

        factor /= way  # as if they counted for more, so that they say less
        start, values = xgboost.Booster(model_file=path), rows.astype(np.float32)
        alone = start.predict(xgboost.DMatrix(values, base_margin=np.zeros(len(rows))), output_margin=True)
        weights = (weights / weights.mean()).astype(np.float32)
        matrix = xgboost.DMatrix(values, label=labels, weight=weights, base_margin=log_odds / factor - alone)

        def slopes(margin: NDArray[np.float32], _matrix: Any) -> tuple[Floats, Floats]:  # noqa: ANN401 - XGBoost's own
            p = 1.0 / (1.0 + np.exp(-factor * margin.astype(np.float64)))
            return factor * weights * (p - labels), factor**2 * weights * p * (1.0 - p)

        least = self.least * factor**2
        params = {**self.params, "min_child_weight": least, "lambda": least, "seed": seed}
        super().__init__(xgboost.train(params, matrix, num_boost_round=self.rounds, xgb_model=start, obj=slopes))


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
