"""A fusion's own head goes on: what was fitted on many sources is not thrown away for a few new ones.

Fitted anew on little, heads and thresholds fall behind what they replace, on the new sources' own pictures as well
(RESEARCH.md, *What few new sources may change*). So the handcrafted head, the mix and the calibration's lines stay; the
joint perceptron goes on by small steps from where it is; and the thresholds give way in one direction alone: the new
sources can make a verdict rarer.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiforensics.analyzers import SCORED
from aiforensics.features import EDITION
from aiforensics.lab.fit.calibrating import Floats
from aiforensics.lab.fit.heads import HeadKind
from aiforensics.lab.fit.perceptrons import PerceptronConfig, PerceptronFit
from aiforensics.lab.fit.stacking import Stack, StackData, joint_inputs, judged_by_parts
from aiforensics.lab.fit.weighing import levelled
from aiforensics.lab.train.recipes import RecipeError
from aiforensics_models.bundle import Bundle
from aiforensics_models.calibration import Calibration
from aiforensics_models.heads import EMBEDDING, Mix
from aiforensics_models.perceptron import Perceptron

FURTHER = PerceptronConfig(epochs=6, least_steps=100, rate=1e-4)
"""Knobs of a joint perceptron that goes on."""


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

    def stack(self, data: StackData, seed: int) -> Stack:
        """Let the joint perceptron go on, on pictures that neither the bundle's head nor their network had seen.

        Parameters
        ----------
        data
            Pictures; those of no fold are left alone.
        seed
            Of order and dropout.
        """
        data = data.of(data.folds >= 0)
        margin = self.head.margin(data.rows)
        known = self.mix.embedding * data.log_odds + self.mix.handcrafted * margin + self.mix.offset
        share, measured = levelled(data.weights, data.labels), data.rows.shape[1]
        start = self.joint.grown(measured, data.embedding[:, : data.embedding.shape[1] + measured - self.joint.inputs])

        def fit(some: StackData, weights: Floats, before: Floats) -> PerceptronFit:
            return PerceptronFit(joint_inputs(some), some.labels, weights, seed, FURTHER, before, start)

        joint = judged_by_parts(data, share, known, fit)[data.strange]
        return Stack(
            kind=self.head.kind,
            head=self.head,
            joint=fit(data, share, known),
            mix={
                "embedding": self.mix.embedding,
                "handcrafted": self.mix.handcrafted,
                "joint": 1.0,
                "offset": self.mix.offset,
            },
            embedding=data.log_odds[data.strange],
            handcrafted=margin[data.strange],
            known=known[data.strange],
            fused=known[data.strange] + joint,
        )


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

        booster = xgboost.Booster(model_file=self.path)
        return np.asarray(booster.predict(xgboost.DMatrix(rows.astype(np.float32)), output_margin=True), np.float64)

    def save(self, folder: Path) -> str:
        """Copy the file."""
        shutil.copyfile(self.path, folder / self.path.name)
        return self.path.name


def of_today(bundle: Bundle) -> bool:
    """Whether a fusion's head reads this version's measurements."""
    return (bundle.features, bundle.manifest.get("edition")) == ((*SCORED, EMBEDDING), EDITION)
