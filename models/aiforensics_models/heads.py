"""Heads: from a row of named features and an embedding to log-odds of `ai`, with a share for each feature.

Handcrafted measurements and the embedding network meet twice. At score level a head adds the network's log-odds to its
margin over the measurements, each times a fitted weight. And a joint perceptron reads measurements and embedding side
by side: it was fitted on sources that the network had not seen, on what those two leave unexplained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.perceptron import Perceptron
from aiforensics_models.trees import TreeEnsemble

EMBEDDING = "embedding.log_odds"
"""Name of the feature that carries the embedding network's log-odds."""


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
        What it starts from: its answer where every measurement is average and the network's own log-odds are 0.
    """

    log_odds: float
    shares: NDArray[np.float64]
    base: float


class Head(Protocol):
    """Anything that turns a row of named features into log-odds and says which feature gave which share."""

    def __call__(self, row: NDArray[np.float64], embedding: NDArray[np.float32]) -> Answer:
        """(features,) in the bundle's order, and the (dimension,) embedding → the answer."""
        ...


class Margin(Protocol):
    """A part of a head that explains itself: trees or a perceptron."""

    def contributions(self, row: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """(inputs,) → (inputs,) shares of the margin, and the base that makes them up to it."""
        ...


def load_head(folder: Path, manifest: Mapping[str, Any], features: tuple[str, ...]) -> Head:
    """Open the head that a bundle's manifest describes: `none`, `xgboost` or `deep`."""
    kind = manifest["kind"]
    if kind == "none":
        return NetworkHead(features)
    if kind not in ("xgboost", "deep"):
        raise ValueError(f"unknown kind of head: {kind!r}")
    analyzers = [name.partition(".")[0] for name in features if name != EMBEDDING]
    path = folder / manifest["file"]
    margin: Margin = TreeEnsemble.load(path) if kind == "xgboost" else Perceptron.load(path, analyzers)
    joint = None
    if "joint" in manifest:
        joint = Perceptron.load(folder / manifest["joint"]["file"], analyzers, EMBEDDING)
    return FusedHead(margin, joint, Mix.from_dict(manifest["mix"]), features.index(EMBEDDING))


class NetworkHead:
    """The network's own log-odds, for bundles that are a classifier alone."""

    def __init__(self, features: tuple[str, ...]) -> None:
        self._index = features.index(EMBEDDING)

    def __call__(self, row: NDArray[np.float64], embedding: NDArray[np.float32]) -> Answer:
        """The log-odds of the network, which is then the only share."""
        shares = np.zeros(len(row))
        shares[self._index] = row[self._index]
        return Answer(float(row[self._index]), shares, 0.0)


@dataclass(frozen=True, slots=True)
class Mix:
    """Score-level fusion: log-odds = embedding · network + handcrafted · margin + joint · joint margin + offset."""

    embedding: float
    handcrafted: float
    joint: float
    offset: float

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Mix:
        """From `bundle.json`; a bundle without a joint perceptron says nothing of it."""
        return cls(
            float(data["embedding"]), float(data["handcrafted"]), float(data.get("joint", 0.0)), float(data["offset"])
        )


@dataclass(frozen=True, slots=True)
class FusedHead:
    """A margin over the handcrafted features, the network's log-odds and a joint perceptron, each times its weight.

    Attributes
    ----------
    margin
        Trees, or a perceptron.
    joint
        Reads the handcrafted features and, after them, the embedding; None where a bundle has none.
    mix
        The weights.
    index
        Where the network's log-odds stand in a row.
    """

    margin: Margin
    joint: Perceptron | None
    mix: Mix
    index: int

    def __call__(self, row: NDArray[np.float64], embedding: NDArray[np.float32]) -> Answer:
        """The shares of the parts; what the joint perceptron makes of the embedding is the network's share."""
        measured = np.delete(row, self.index)
        shares, base = self.margin.contributions(measured)
        shares = np.insert(self.mix.handcrafted * shares, self.index, self.mix.embedding * row[self.index])
        start = self.mix.handcrafted * base + self.mix.offset
        if self.joint is not None:
            more, base = self.joint.contributions(np.concatenate([measured, embedding.astype(np.float64)]))
            of_network = float(more[len(measured) :].sum())
            shares += self.mix.joint * np.insert(more[: len(measured)], self.index, of_network)
            start += self.mix.joint * base
        return Answer(start + float(shares.sum()), shares, start)
