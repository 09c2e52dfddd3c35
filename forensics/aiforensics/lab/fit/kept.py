"""A fusion's own head goes on: what was fitted on many sources is not thrown away for a few new ones.

Fitted anew on little, heads and thresholds fall behind what they replace, on the new sources' own pictures as well
(RESEARCH.md, *What few new sources may change*). So the handcrafted head, the mix and the calibration's lines stay; the
joint perceptron goes on by small steps from where it is; and the thresholds give way in one direction alone: the new
sources can make a verdict rarer. Several hundred new sources move the handcrafted head's trees as well.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers import SCORED
from aiforensics.features import EDITION
from aiforensics.lab.fit.calibrating import Floats
from aiforensics.lab.fit.heads import FittedHead, HeadKind, Trees, XGBoostFurther
from aiforensics.lab.fit.perceptrons import PerceptronConfig, PerceptronFit
from aiforensics.lab.fit.stacking import Stack, StackData, joint_inputs, judged_by_slices
from aiforensics.lab.fit.weighing import levelled
from aiforensics.lab.train.recipes import RecipeError
from aiforensics_models.bundle import Bundle
from aiforensics_models.calibration import Calibration
from aiforensics_models.heads import EMBEDDING, Mix
from aiforensics_models.perceptron import Perceptron

FURTHER = PerceptronConfig(epochs=6, least_steps=100, rate=1e-4)
"""Knobs of a joint perceptron that goes on."""
HALF_WAY = 0.5
"""How far of the way head and perceptron go on several hundred sources.

Half of it gains nearly all that there is to gain on new sources of known generators, and costs much less on generators
that are not among them (RESEARCH.md, *143 sources more*; Wortsman et al. 2022, arXiv:2109.01903).
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands on top of a bundle's network.

    Attributes
    ----------
    head
        The handcrafted head.
    joint
        The joint perceptron, its margin times its weight in the mix.
    mix
        The weights.
    calibration
        Lines and thresholds.
    enlargement
        The manifest's entry of what tells enlarged pictures, where the bundle has it; its file lies beside the head's.
    """

    head: KeptHead
    joint: Perceptron
    mix: Mix
    calibration: Calibration
    enlargement: Mapping[str, Any] | None

    @classmethod
    def of(cls, bundle: Bundle) -> Kept:
        """Read it from a fusion's bundle.

        Raises
        ------
        RecipeError
            It was fitted to other measurements than this version's, or has no joint perceptron.
        """
        head, folder = bundle.manifest["head"], bundle.folder
        if not of_today(bundle) or "joint" not in head:
            raise RecipeError(f"{bundle.name} is of another version, whose head cannot go on: train it with this one")
        mix, groups = Mix.from_dict(head["mix"]), ["measurements"] * len(SCORED)
        joint = Perceptron.load(folder / head["joint"]["file"], groups, EMBEDDING).times(mix.joint)
        enlargement = bundle.manifest.get("enlargement")
        return cls(KeptHead(head["kind"], folder / head["file"]), joint, mix, bundle.calibration, enlargement)

    def copy_enlargement(self, folder: Path) -> Mapping[str, Any] | None:
        """Copy what tells enlarged pictures into a bundle's folder; the manifest's entry, None where there is none."""
        if self.enlargement is not None:
            shutil.copyfile(self.head.path.parent / self.enlargement["file"], folder / self.enlargement["file"])
        return self.enlargement

    def stack(self, data: StackData, seed: int, *, many: bool = False) -> Stack:
        """Let the joint perceptron go on, on pictures that neither the bundle's head nor their network had seen.

        Parameters
        ----------
        data
            Pictures; those of no fold are left alone.
        seed
            Of order and dropout, and of the trees.
        many
            The pictures are of several hundred sources: the handcrafted head goes on as well where it is trees with
            a weight in the mix, and both go half of the way.
        """
        data = data.of(data.folds >= 0)
        margin = self.head.margin(data.rows)
        standing = self.mix.embedding * data.log_odds + self.mix.handcrafted * margin + self.mix.offset
        even = levelled(data.weights, data.labels)
        fit = partial(Further, self, seed=seed, many=many)
        gained = judged_by_slices(data, even, standing, fit)[data.strange]
        whole = fit(data, even, standing)
        weight = self.mix.handcrafted  # without one the head adds nothing, and stays
        return Stack(
            kind=self.head.kind,
            head=whole.head,
            joint=whole.joint,
            mix=asdict(replace(self.mix, joint=1.0)),
            network=data.log_odds[data.strange],
            handcrafted=(margin + (whole.gained / weight if weight > 0 else 0.0))[data.strange],
            standing=(standing + whole.gained)[data.strange],
            fused=standing[data.strange] + gained,
        )


class Further:
    """What goes on together: the joint perceptron, and on many sources the trees before it.

    Parameters
    ----------
    kept
        As they were.
    data, weights, standing
        n pictures, all of a fold, their weights, and the log-odds of what is not the perceptron's.
    seed, many
        As of `Kept.stack`.

    Attributes
    ----------
    head, joint
        What has gone on.
    gained
        (n,) what the trees' going on adds to the log-odds, each fold's by trees that went on without it; 0 where they
        stay.
    """

    def __init__(
        self, kept: Kept, data: StackData, weights: Floats, standing: Floats, seed: int, *, many: bool
    ) -> None:
        inputs, measured = joint_inputs(data), data.rows.shape[1]
        start = kept.joint.grown(measured, data.embedding[:, : inputs.shape[1] - kept.joint.inputs])
        self._kept, self._measured = kept, measured
        self.head: FittedHead = kept.head
        self.gained = np.zeros(len(standing))
        way = HALF_WAY if many else FURTHER.way
        if many and kept.head.kind == "xgboost" and kept.mix.handcrafted > 0:
            log_odds = standing + start.margin(inputs.astype(np.float64))
            self.head, self.gained = self._boosted(data, weights, log_odds, way, seed)
        knobs = replace(FURTHER, way=way)
        self.joint = PerceptronFit(inputs, data.labels, weights, seed, knobs, standing + self.gained, start)

    def margin(self, rows: NDArray[np.float32]) -> Floats:
        """(n, features + dimension) → (n,) what there is to add to the log-odds that are not the perceptron's."""
        return self.joint.margin(rows) + self._more(self.head, rows[:, : self._measured].astype(np.float64))

    def _boosted(
        self, data: StackData, weights: Floats, log_odds: Floats, way: float, seed: int
    ) -> tuple[FittedHead, Floats]:
        """Let the trees go on from (n,) log-odds of everything: these trees, and `gained`."""

        def trees(rows: NDArray[np.bool_]) -> XGBoostFurther:
            some = data.rows[rows], data.labels[rows], weights[rows], log_odds[rows]
            factor = self._kept.mix.handcrafted
            return XGBoostFurther(self._kept.head.path, *some, factor=factor, way=way, seed=seed)

        gained = np.zeros(len(log_odds))
        for fold in np.unique(data.folds):
            out = data.folds == fold
            gained[out] = self._more(trees(~out), data.rows[out])
        return trees(np.ones(len(log_odds), np.bool_)), gained

    def _more(self, head: FittedHead, rows: Floats) -> Floats:
        """(n,) what a head adds to the log-odds beyond what the one before it did."""
        if head is self._kept.head:
            return np.zeros(len(rows))
        return self._kept.mix.handcrafted * (head.margin(rows) - self._kept.head.margin(rows))


@dataclass(frozen=True, slots=True)
class KeptHead:
    """The handcrafted head of a bundle, as it is.

    Attributes
    ----------
    kind
        `xgboost` or `deep`.
    path
        Its file.
    """

    kind: HeadKind
    path: Path

    def margin(self, rows: Floats) -> Floats:
        """(n, features) → (n,) log-odds."""
        if self.kind == "deep":
            return Perceptron.load(self.path, ["measurements"] * rows.shape[1]).margin(rows)
        import xgboost  # noqa: PLC0415 - one to two seconds

        return Trees(xgboost.Booster(model_file=self.path)).margin(rows)

    def save(self, folder: Path) -> str:
        """Copy the file."""
        shutil.copyfile(self.path, folder / self.path.name)
        return self.path.name


def of_today(bundle: Bundle) -> bool:
    """Whether a fusion's head reads this version's measurements."""
    return (bundle.features, bundle.manifest.get("edition")) == ((*SCORED, EMBEDDING), EDITION)
