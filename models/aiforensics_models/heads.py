"""Heads: from a row of named features to log-odds of `ai`, with exact shares for each feature.

Handcrafted measurements and the embedding network meet here at score level: a head adds the network's log-odds, times a
fitted weight, to what it makes of the other features. Concatenating the raw embedding did worse on unseen sources.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.trees import TreeEnsemble

EMBEDDING = "embedding.log_odds"
"""Name of the feature that carries the embedding network's log-odds."""
MAX_PLAYERS = 16
"""Analyzers of a deep head at most: it asks every coalition of them, 65,536 of so many."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a head makes of a row.

    Attributes
    ----------
    log_odds
        Uncalibrated log-odds of `ai`.
    shares
        (features,) additive shares of the log-odds, in the order of the row; their sum and `base` give `log_odds`.
    base
        What the head would answer of an average picture.
    """

    log_odds: float
    shares: NDArray[np.float64]
    base: float


class Head(Protocol):
    """Anything that turns a row of named features into log-odds and says which feature gave which share."""

    def __call__(self, row: NDArray[np.float64]) -> Answer:
        """(features,) in the bundle's order → the answer."""
        ...


def load_head(folder: Path, manifest: Mapping[str, Any], features: tuple[str, ...]) -> Head:
    """Open the head that a bundle's manifest describes: `none`, `xgboost` or `deep`."""
    kind = manifest["kind"]
    if kind == "none":
        return NetworkHead(features)
    if kind == "xgboost":
        return XGBoostHead(folder / manifest["file"], manifest, features)
    if kind == "deep":
        return DeepHead(folder / manifest["file"], manifest, features)
    raise ValueError(f"unknown kind of head: {kind!r}")


class NetworkHead:
    """The network's own log-odds, for bundles that are a classifier alone."""

    def __init__(self, features: tuple[str, ...]) -> None:
        self._index = features.index(EMBEDDING)

    def __call__(self, row: NDArray[np.float64]) -> Answer:
        """The log-odds of the network, which is then the only share."""
        shares = np.zeros(len(row))
        shares[self._index] = row[self._index]
        return Answer(float(row[self._index]), shares, 0.0)


class XGBoostHead:
    """Gradient-boosted trees over the handcrafted features, plus the network's log-odds times a weight."""

    def __init__(self, path: Path, manifest: Mapping[str, Any], features: tuple[str, ...]) -> None:
        self._trees = TreeEnsemble.load(path)
        self._mix = Mix.from_dict(manifest["mix"])
        self._embedding = features.index(EMBEDDING)

    def __call__(self, row: NDArray[np.float64]) -> Answer:
        """The trees' margin and its exact Shapley values, mixed with the network's log-odds."""
        shares, base = self._trees.contributions(np.delete(row, self._embedding))
        return self._mix.answer(row, self._embedding, shares, base)


class DeepHead:
    """A small multilayer perceptron over the handcrafted features, plus the network's log-odds times a weight.

    Shares are exact Shapley values of the analyzers as players (Shapley, 1953): every coalition of analyzers is asked,
    the others held at the training mean. An analyzer's share is divided among its features in proportion to what each
    of them alone moves.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any], features: tuple[str, ...]) -> None:
        from safetensors.numpy import load_file  # noqa: PLC0415

        tensors = load_file(path)
        self._layers = [(tensors[f"layer{i}.weight"], tensors[f"layer{i}.bias"]) for i in range(len(tensors) // 2 - 1)]
        self._centre, self._scale = tensors["centre"].astype(np.float64), tensors["scale"].astype(np.float64)
        self._mix = Mix.from_dict(manifest["mix"])
        self._embedding = features.index(EMBEDDING)
        names = [name for name in features if name != EMBEDDING]
        players = list(dict.fromkeys(name.partition(".")[0] for name in names))
        if len(players) > MAX_PLAYERS:
            raise ValueError(f"its features are of {len(players)} analyzers, over {MAX_PLAYERS}")
        self._owner = np.array([players.index(name.partition(".")[0]) for name in names])
        self._weights = _shapley_weights(len(players))
        self._coalitions = np.array(list(itertools.product([False, True], repeat=len(players))))

    def __call__(self, row: NDArray[np.float64]) -> Answer:
        """The perceptron's answer and Shapley values, mixed with the network's log-odds."""
        x = np.clip((np.delete(row, self._embedding) - self._centre) / self._scale, -4.0, 4.0)
        values = self._margin(self._coalitions[:, self._owner] * x)
        shares = np.zeros(len(x))
        for player in range(self._coalitions.shape[1]):
            mine = np.flatnonzero(self._owner == player)
            share = float(self._weights[player] @ values)
            alone = self._margin(np.eye(len(x))[mine] * x) - values[0]
            total = float(np.abs(alone).sum())
            shares[mine] = share * np.abs(alone) / total if total > 0 else share / len(mine)
        return self._mix.answer(row, self._embedding, shares, float(values[0]))

    def _margin(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        for index, (weight, bias) in enumerate(self._layers):
            rows = rows @ weight.T.astype(np.float64) + bias
            if index + 1 < len(self._layers):
                rows = np.maximum(rows, 0.0)
        return rows[:, 0]


@dataclass(frozen=True, slots=True)
class Mix:
    """Score-level fusion: log-odds = embedding · network + handcrafted · margin + offset."""

    embedding: float
    handcrafted: float
    offset: float

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Mix:
        """From `bundle.json`."""
        return cls(float(data["embedding"]), float(data["handcrafted"]), float(data["offset"]))

    def answer(self, row: NDArray[np.float64], index: int, shares: NDArray[np.float64], base: float) -> Answer:
        """Mix the network's log-odds, which stand at `index` of the row, with the others' shares."""
        mixed = np.insert(self.handcrafted * shares, index, self.embedding * row[index])
        start = self.handcrafted * base + self.offset
        return Answer(start + float(mixed.sum()), mixed, start)


def _shapley_weights(players: int) -> NDArray[np.float64]:
    """(players, 2^players): weight of each coalition's value in each player's Shapley value."""
    coalitions = np.array(list(itertools.product([False, True], repeat=players)))
    sizes = coalitions.sum(axis=1)
    weights = np.zeros((players, len(coalitions)))
    for player in range(players):
        inside = coalitions[:, player]
        for index, size in enumerate(sizes):
            others = int(size) - int(inside[index])
            weight = math.factorial(others) * math.factorial(players - others - 1) / math.factorial(players)
            weights[player, index] = weight if inside[index] else -weight
    return weights
