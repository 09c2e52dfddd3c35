"""Fitting what stands on top of the network: the handcrafted head, the joint perceptron, and the mix of all three.

All are fitted on out-of-fold scores: each picture was judged by a network that had not seen its source, so that they
hold for strangers' pictures and not for the training set (stacked generalisation,
Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1). What the network's last layers learned from its own training pictures
is read anew from embeddings of pictures that it had not seen (Kirichenko et al., arXiv:2204.02937).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.fit.calibrating import Floats, logistic
from aiforensics.lab.fit.heads import FittedHead, HeadKind, fit_head
from aiforensics.lab.fit.perceptrons import PerceptronConfig, PerceptronFit
from aiforensics.lab.fit.weighing import levelled


@dataclass(frozen=True, slots=True)
class Stack:
    """A fitted stack.

    Attributes
    ----------
    kind
        `xgboost` or `deep`.
    head
        The handcrafted head, fitted on all rows.
    joint
        The joint perceptron, fitted on the rows that were left out.
    mix
        Weights of the network's log-odds, of the head's margin and of the joint perceptron's, and the offset.
    network, handcrafted, standing, fused
        (m,) out-of-fold log-odds of network and head alone, of these two together, which the joint perceptron is
        fitted on top of, and of all, for strangers.
    """

    kind: HeadKind
    head: FittedHead
    joint: PerceptronFit
    mix: dict[str, float]
    network: Floats
    handcrafted: Floats
    standing: Floats
    fused: Floats

    @property
    def parts(self) -> dict[str, Floats]:
        """Out-of-fold log-odds by the part's name in a manifest, where `deep` is the network, whatever the head."""
        return {"handcrafted": self.handcrafted, "deep": self.network, "fused": self.fused}

    def save(self, folder: Path) -> dict[str, Any]:
        """Write its files into a bundle's folder; what the manifest says of the head comes back."""
        joint = {"file": self.joint.save(folder / "joint.safetensors")}
        return {"kind": self.kind, "file": self.head.save(folder), "joint": joint, "mix": self.mix}


@dataclass(frozen=True, slots=True)
class StackData:
    """What a stack is fitted on: n delivered pictures.

    Attributes
    ----------
    rows
        (n, features) handcrafted features.
    log_odds, embedding
        (n,) out-of-fold log-odds of the network, and (n, dimension) its embeddings.
    labels, weights
        (n,) 1 for `ai`; weight.
    folds, slices
        (n,) the fold that the picture was left out with, or -1 where a network may have learned from it and the head
        alone may be fitted on it; and the slice of the fold: the joint perceptron that judges it is fitted on all other
        slices.
    strange
        (n,) whether its source was left out as well. What judges strangers is weighed on these; from a new picture of a
        known source head and joint perceptron learn alone, so that they do not forget such.
    """

    rows: Floats
    log_odds: Floats
    embedding: NDArray[np.float32]
    labels: Floats
    weights: Floats
    folds: NDArray[np.int64]
    slices: NDArray[np.int64]
    strange: NDArray[np.bool_]

    def of(self, kept: NDArray[np.bool_]) -> StackData:
        """Some of the pictures."""
        return StackData(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))


def fit_stack(data: StackData, kind: HeadKind, seed: int) -> Stack:
    """Fit the handcrafted head and the joint perceptron and mix them with the network, all judged out of fold.

    Parameters
    ----------
    data
        Pictures, judged by networks that had not seen their sources.
    kind
        `xgboost` or `deep`.
    seed
        Of head and perceptron.
    """
    handcrafted = np.zeros(len(data.labels))
    for fold in np.unique(data.folds[data.folds >= 0]):
        out = data.folds == fold
        handcrafted[out] = _head_of(data.of(~out), kind, seed).margin(data.rows[out])
    left_out = data.of(data.folds >= 0)
    both = np.stack([left_out.log_odds, handcrafted[data.folds >= 0]], axis=1)
    strange = left_out.of(left_out.strange)
    standing, _, _ = _mixed(both, left_out)
    even = levelled(left_out.weights, left_out.labels)
    joint = judged_by_slices(left_out, even, standing, partial(fit_joint, seed=seed))
    parts = np.column_stack([both, joint])[left_out.strange]
    fused, slope, offset = _mixed(parts, strange)
    return Stack(
        kind=kind,
        head=_head_of(data, kind, seed),
        joint=fit_joint(left_out, even, standing, seed),
        mix=dict(zip(("embedding", "handcrafted", "joint"), slope.tolist(), strict=True)) | {"offset": offset},
        network=parts[:, 0],
        handcrafted=parts[:, 1],
        standing=standing[left_out.strange],
        fused=fused,
    )


class JointHead(Protocol):
    """What adds to log-odds that stand already, from measurements and embedding."""

    def margin(self, rows: NDArray[np.float32]) -> Floats:
        """(n, features + dimension) → (n,) log-odds."""
        ...


def judged_by_slices(
    data: StackData,
    weights: Floats,
    standing: Floats,
    fit: Callable[[StackData, Floats, Floats], JointHead],
) -> Floats:
    """(n,) margins on strangers, each slice's by what was fitted on all others; else 0.

    Parameters
    ----------
    data
        n pictures, all of a fold.
    weights, standing
        (n,) weight of each, and log-odds that stand already.
    fit
        Fits it on some pictures with their weights and standing log-odds.
    """
    margins = np.zeros(len(standing))
    for one in np.unique(data.slices[data.strange]):
        out = data.slices == one
        margins[out] = fit(data.of(~out), weights[~out], standing[~out]).margin(joint_inputs(data.of(out)))
    return margins


def fit_joint(data: StackData, weights: Floats, standing: Floats, seed: int) -> PerceptronFit:
    """Fit a joint perceptron to what (n,) `standing` log-odds leave unexplained, under (n,) weights."""
    return PerceptronFit(joint_inputs(data), data.labels, weights, seed, _JOINT, standing)


def joint_inputs(data: StackData) -> NDArray[np.float32]:
    """(n, features + dimension): handcrafted features and embeddings side by side."""
    return np.concatenate([data.rows.astype(np.float32), data.embedding], axis=1)


_JOINT = PerceptronConfig(epochs=6, least_steps=600)


def _mixed(log_odds: Floats, data: StackData) -> tuple[Floats, Floats, float]:
    """(n,) log-odds of each fold under a mix that the others' strangers fitted; slopes and offset of all strangers'."""

    def line(rows: NDArray[np.bool_]) -> tuple[Floats, float]:
        labels = data.labels[rows]
        return logistic(log_odds[rows], labels, levelled(data.weights[rows], labels), bounds=(0.0, np.inf))

    mixed = np.zeros(len(log_odds))
    for fold in np.unique(data.folds):
        out = data.folds == fold
        slope, offset = line(data.strange & ~out)
        mixed[out] = log_odds[out] @ slope + offset
    return mixed, *line(data.strange)


def _head_of(data: StackData, kind: HeadKind, seed: int) -> FittedHead:
    return fit_head(data.rows, data.labels, data.weights, kind, seed)
