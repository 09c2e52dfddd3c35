"""Fitting what stands on top of the network: the handcrafted head, and its mix with the network.

Both are fitted on out-of-fold scores: each picture was judged by a network that had not seen its source, so that the
mix holds for strangers' pictures and not for the training set (stacked generalisation,
Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.fit.calibrating import Floats, logistic

HeadKind = Literal["xgboost", "deep"]


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
        (m,) out-of-fold log-odds of each part alone and of both together, for the rows that have a fold.
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
        (n,) 1 for `ai`; the fold that left the picture's source out, or -1 where a network may have seen it and the
        head alone may be fitted on it; weight.
    kind
        `xgboost` or `deep`.
    seed
        Of the head.
    """
    handcrafted = np.zeros(len(labels))
    left_out = folds >= 0
    for fold in np.unique(folds[left_out]):
        out = folds == fold
        handcrafted[out] = fit_head(rows[~out], labels[~out], weights[~out], kind, seed).margin(rows[out])
    both, told = np.stack([embedding, handcrafted], axis=1)[left_out], labels[left_out]
    share, fold_of = _levelled(weights[left_out], told), folds[left_out]
    fused = np.zeros(len(told))
    for fold in np.unique(fold_of):
        out = fold_of == fold
        slope, offset = logistic(both[~out], told[~out], share[~out], bounds=(0.0, np.inf))
        fused[out] = both[out] @ slope + offset
    slope, offset = logistic(both, told, share, bounds=(0.0, np.inf))
    mix = {"embedding": float(slope[0]), "handcrafted": float(slope[1]), "offset": offset}
    return Stack(fit_head(rows, labels, weights, kind, seed), mix, both[:, 0], both[:, 1], fused)


def _levelled(weights: Floats, labels: Floats) -> Floats:
    """The weights with the same total in both classes."""
    ai, real = weights[labels > 0.5].sum(), weights[labels < 0.5].sum()
    levelled: Floats = np.where(labels > 0.5, weights / ai, weights / real) * 0.5 * weights.sum()
    return levelled


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
    rounds = 1150

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
