"""Fitting what stands on top of the network: the handcrafted head, the mix, calibration and thresholds.

Everything here is fitted on out-of-fold scores: each picture was judged by a network that had not seen its source, so
that the mix and the thresholds hold for strangers' pictures and not for the training set (stacked generalisation,
Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.calibration import Calibration, Line

Floats = NDArray[np.float64]
HeadKind = Literal["xgboost", "deep"]
FALSE_ALARMS = 0.0025
"""Share of real pictures that may be called `ai` on unseen sources.

The promise is 5 %, and 10 % on the worst source. The mean hides sources with thirty times as much: at 0.25 % the worst
left-out source has 8.3 %, at 0.5 % it has 13.5 %.
"""
MISSES = 0.05
"""Share of AI pictures that may be called `real` on unseen sources."""
MIN_CONDITION = 200
"""Pictures of each class that a condition needs before it gets a calibration line of its own."""


class FittedHead(Protocol):
    """A head over handcrafted features that can be asked and written down."""

    def margin(self, rows: Floats) -> Floats:
        """(n, features) → (n,) log-odds."""
        ...

    def save(self, folder: Path) -> str:
        """Write the head into a bundle's folder; the file's name comes back."""
        ...


@dataclass(frozen=True, slots=True)
class Stack:
    """A fitted stack.

    Attributes
    ----------
    head
        The handcrafted head, fitted on all rows.
    mix
        Weights of the network's log-odds and of the head's margin, and the offset.
    embedding, handcrafted, fused
        (n,) out-of-fold log-odds of each part alone and of both together.
    """

    head: FittedHead
    mix: dict[str, float]
    embedding: Floats
    handcrafted: Floats
    fused: Floats

    @property
    def parts(self) -> dict[str, Floats]:
        """Out-of-fold log-odds by the name of the part."""
        return {"handcrafted": self.handcrafted, "deep": self.embedding, "fused": self.fused}


def fit_stack(
    rows: Floats,
    embedding: Floats,
    labels: Floats,
    folds: NDArray[np.int64],
    weights: Floats,
    kind: HeadKind,
    seed: int,
) -> Stack:
    """Fit the handcrafted head and mix it with the network, both judged out of fold.

    Parameters
    ----------
    rows
        (n, features) handcrafted features.
    embedding
        (n,) out-of-fold log-odds of the network.
    labels, folds, weights
        (n,) 1 for `ai`; the fold that left the picture's source out; weight.
    kind
        `xgboost` or `deep`.
    seed
        Of the head.
    """
    handcrafted = np.zeros(len(labels))
    fused = np.zeros(len(labels))
    for fold in np.unique(folds):
        out = folds == fold
        head = fit_head(rows[~out], labels[~out], weights[~out], kind, seed)
        handcrafted[out] = head.margin(rows[out])
    for fold in np.unique(folds):
        out = folds == fold
        both = np.stack([embedding, handcrafted], axis=1)
        slope, offset = logistic(both[~out], labels[~out], weights[~out], bounds=(0.0, np.inf))
        fused[out] = both[out] @ slope + offset
    both = np.stack([embedding, handcrafted], axis=1)
    slope, offset = logistic(both, labels, weights, bounds=(0.0, np.inf))
    mix = {"embedding": float(slope[0]), "handcrafted": float(slope[1]), "offset": offset}
    return Stack(fit_head(rows, labels, weights, kind, seed), mix, embedding, handcrafted, fused)


def fit_head(rows: Floats, labels: Floats, weights: Floats, kind: HeadKind, seed: int) -> FittedHead:
    """Fit a head of that kind on (n, features) rows with (n,) labels, 1 for `ai`, and (n,) weights."""
    return XGBoostFit(rows, labels, weights, seed) if kind == "xgboost" else DeepFit(rows, labels, weights, seed)


def logistic(
    x: Floats, labels: Floats, weights: Floats, *, ridge: float = 1e-3, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[Floats, float]:
    """Weighted logistic regression with a light ridge: slopes (k,) within `bounds`, and the offset.

    Raises
    ------
    ValueError
        If the optimiser does not converge.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - 0.3 s that other parts of the lab need not pay

    share = weights / weights.sum()

    def loss(theta: Floats) -> tuple[float, Floats]:
        z = x @ theta[:-1] + theta[-1]
        p = 1.0 / (1.0 + np.exp(-z))
        value = float(share @ np.logaddexp(0.0, np.where(labels > 0.5, -z, z)))
        slope = x.T @ (share * (p - labels)) + ridge * theta[:-1]
        return value + 0.5 * ridge * float(theta[:-1] @ theta[:-1]), np.append(slope, share @ (p - labels))

    start = np.zeros(x.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[bounds] * x.shape[1] + [(None, None)])
    if not found.success:
        raise ValueError(f"logistic regression did not converge: {found.message}")
    return np.asarray(found.x[:-1], np.float64), float(found.x[-1])


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
    """
    everybody = _line(log_odds, labels, weights, sources, seed)
    lines = dict.fromkeys(sorted({"good", *conditions.tolist()}), everybody)
    for name in lines:
        mine = conditions == name
        if min(labels[mine].sum(), (1 - labels[mine]).sum()) >= MIN_CONDITION:
            lines[name] = _line(log_odds[mine], labels[mine], weights[mine], np.asarray(sources)[mine].tolist(), seed)
    unset = Calibration(lines, 0.0, 1.0)
    p = np.array([unset.probability(z, name) for z, name in zip(log_odds, conditions.tolist(), strict=True)])
    real_below, ai_from = thresholds(p, labels, weights)
    return Calibration(lines, real_below, ai_from)


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


def _line(log_odds: Floats, labels: Floats, weights: Floats, sources: Sequence[str], seed: int) -> Line:
    slope, offset = logistic(log_odds[:, None], labels, weights, bounds=(0.05, np.inf))
    rng = np.random.default_rng([seed, 3])
    names, owner = np.unique(np.asarray(sources), return_inverse=True)
    middle = -offset / slope[0]
    drawn = []
    for _ in range(50):
        factor = rng.poisson(1.0, len(names))[owner] * weights
        if min(factor[labels > 0.5].sum(), factor[labels < 0.5].sum()) > 0:
            a, b = logistic(log_odds[:, None], labels, factor, bounds=(0.05, np.inf))
            drawn.append(a[0] * middle + b)
    return Line(float(slope[0]), offset, float(np.std(drawn)))


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
    rounds = 1200

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
    """A perceptron with one hidden layer on standardised features, with dropout and weight decay."""

    hidden = 48
    epochs = 60

    def __init__(self, rows: Floats, labels: Floats, weights: Floats, seed: int) -> None:
        import torch  # noqa: PLC0415 - three seconds
        from torch import nn  # noqa: PLC0415

        torch.manual_seed(seed)
        self._centre, self._scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
        self._torch = torch
        x = torch.from_numpy(self._standard(rows)).float()
        y, w = torch.from_numpy(labels).float(), torch.from_numpy(weights / weights.mean()).float()
        self._network = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(rows.shape[1], self.hidden),
            nn.ReLU(),
            nn.Dropout(0.4),
            nn.Linear(self.hidden, 1),
        )
        optimiser = torch.optim.AdamW(self._network.parameters(), lr=2e-3, weight_decay=0.1)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.epochs)
        for _ in range(self.epochs):
            for batch in torch.split(torch.randperm(len(x)), 256):
                odds = self._network(x[batch])[:, 0]
                loss = nn.functional.binary_cross_entropy_with_logits(odds, y[batch], weight=w[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
        self._network.eval()

    def margin(self, rows: Floats) -> Floats:
        """(n, features) → (n,) log-odds."""
        with self._torch.no_grad():
            return np.asarray(self._network(self._torch.from_numpy(self._standard(rows)).float())[:, 0], np.float64)

    def save(self, folder: Path) -> str:
        """Write `head.safetensors`."""
        from safetensors.numpy import save  # noqa: PLC0415

        tensors = {"centre": self._centre.astype(np.float32), "scale": self._scale.astype(np.float32)}
        linear = [layer for layer in self._network if isinstance(layer, self._torch.nn.Linear)]
        for index, layer in enumerate(linear):
            tensors[f"layer{index}.weight"] = layer.weight.detach().numpy()
            tensors[f"layer{index}.bias"] = layer.bias.detach().numpy()
        (folder / "head.safetensors").write_bytes(save(tensors))
        return "head.safetensors"

    def _standard(self, rows: Floats) -> Floats:
        scaled: Floats = np.clip((rows - self._centre) / self._scale, -4.0, 4.0)
        return scaled
