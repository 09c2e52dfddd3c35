"""One recipe on one data set, whatever its kind: what `train`, `compare` and the study call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from aiforensics.lab.audit.auditing import AnyView
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.progress import Report
from aiforensics.lab.fit.classifiers import train_classifier
from aiforensics.lab.fit.extending import extend_fusion, stranger_folds
from aiforensics.lab.fit.fusion import fold_count, train_fusion
from aiforensics.lab.fit.kept import Kept
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.fit.search import search
from aiforensics.lab.making import Train
from aiforensics.lab.pages.plots import examples_plot
from aiforensics.lab.train.batches import Pictures, audited_view
from aiforensics.lab.train.devices import check_compiler, training_device
from aiforensics.lab.train.learners import make_learner
from aiforensics.lab.train.recipes import ClassifierConfig, Recipe, RecipeError
from aiforensics_models.bundle import Bundle, Device
from aiforensics_models.networks import build_detector
from aiforensics_models.preparation import Preparation
from aiforensics_models.weights import start_backbone

EXAMPLES = 4
"""Pictures whose augmentation is drawn, as many views of each."""


@dataclass(frozen=True, slots=True)
class System:
    """A recipe with its knobs set.

    Attributes
    ----------
    recipe
        The recipe.
    config
        Knobs of its kind.
    weights
        First weights of a fusion's embedding network: `none`, `imagenet` or a file.
    extends
        A bundle that a fusion goes on from, instead; its name or folder.
    refit
        Whether what stands on top of that bundle's network is fitted anew.
    trials
        Pairs of learning rate and batch size that are searched first; 0 for none.
    device
        Where PyTorch trains.
    compiled
        Whether a fusion's networks are compiled first.
    """

    recipe: Recipe
    config: ClassifierConfig | FusionConfig
    weights: str = "none"
    extends: str | None = None
    refit: bool = False
    trials: int = 0
    device: Device = "auto"
    compiled: bool = False

    @property
    def delivered(self) -> bool:
        """Whether it trains under delivery conditions."""
        return isinstance(self.config, FusionConfig) or "delivery" in self.config.augment

    @property
    def view(self) -> AnyView:
        """What it shows its network of a picture."""
        return partial(audited_view, self.delivered)

    def check(self) -> None:
        """Build the network once, so that weights that cannot be had are told before any picture is read.

        Raises
        ------
        aiforensics.lab.train.recipes.RecipeError
            The network cannot have such a side, or go on from that of the bundle, or there is no such device or no
            compiler.
        aiforensics_models.weights.WeightsError
            The first weights cannot be downloaded, read or fitted.
        aiforensics_models.bundle.BundleError
            There is no such bundle to go on from.
        """
        if isinstance(self.config, ClassifierConfig):
            make_learner(self.config, device=self.device)
        elif self.extends is None:
            _check_network(self.config.network.architecture, self.weights)
        else:
            _check_growth(self.config.network.architecture, Bundle.load(self.extends))
        training_device(self.device)
        if self.compiled:
            check_compiler()

    def trainer(self, samples: Sequence[Sample], name: str, report: Report) -> Train:
        """Make the function that trains it on samples and writes a bundle of that name.

        Raises
        ------
        RecipeError
            If the samples have too few sources for a fusion, or too few new ones.
        aiforensics_models.bundle.BundleError
            If there is no such bundle to go on from.
        """
        start = Bundle.load(self.extends) if self.extends is not None else None
        if isinstance(self.config, FusionConfig):  # told before an audit has taken its minutes
            seen = [sample for sample in samples if sample.split != "test"]
            if start is None:
                fold_count(seen, self.config.folds)
            else:
                stranger_folds(seen, start, self.config.seed)
                if not self.refit:
                    Kept.of(start)

        def train(out: Path, work: Path) -> Mapping[str, Any]:
            if isinstance(self.config, FusionConfig):
                made = (
                    partial(train_fusion, weights=self.weights)
                    if start is None
                    else partial(extend_fusion, start=start, refit=self.refit)
                )
                return made(
                    samples,
                    out=out,
                    work=work,
                    config=self.config,
                    name=name,
                    device=self.device,
                    compiled=self.compiled,
                    report=report,
                )
            config = self.config
            if self.trials:
                config = search(samples, work / "search", config, self.trials, device=self.device, report=report)
            draw_examples(samples, config, work / "augmentation.png")
            return train_classifier(
                samples, out, work, config, recipe=self.recipe.name, name=name, device=self.device, report=report
            )

        return train


def _check_network(architecture: str, weights: str) -> None:
    try:
        network = build_detector(architecture)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    start_backbone(network.backbone, architecture, weights)


def _check_growth(architecture: str, start: Bundle) -> None:
    if start.manifest["head"]["kind"] == "none":
        return  # a classifier: the lab tells what can be extended
    entry = start.manifest["network"]
    if "weights" not in entry:
        raise RecipeError(f"{start.name} carries no weights that a training could start from: use one that does")
    try:
        build_detector(architecture).load_grown(load_file(start.folder / entry["weights"]))
    except (ValueError, RuntimeError) as error:
        raise RecipeError(
            f"--network {architecture} cannot go on from {start.name}, whose network is {entry['architecture']}: take "
            "that or, from tracenet, tracenet-gram"
        ) from error


def fusion_config(
    recipe: Recipe,
    *,
    network: str | None = None,
    extends: str | None = None,
    steps: int | None = None,
    workers: int | None = None,
    emphasis: Mapping[str, float] | None = None,
    seed: int = 0,
) -> FusionConfig:
    """Knobs of a fusion recipe with some changed; None keeps the default.

    Parameters
    ----------
    recipe
        Of a fusion.
    network
        Architecture of the embedding network; by default that of what it goes on from.
    extends
        Name or folder of the bundle that it goes on from.
    steps, workers
        Of every network's training, and processes of the measuring.
    emphasis
        `label/source` → how many times as often the network sees its pictures.
    seed
        Of everything random.

    Raises
    ------
    aiforensics_models.bundle.BundleError
        There is no such bundle to go on from.
    """
    config = FusionConfig(head=recipe.head or "xgboost", seed=seed)
    before = (
        config.network.architecture if extends is None else Bundle.load(extends).manifest["network"]["architecture"]
    )
    architecture = network or str(before)
    knobs = replace(config.network, seed=seed, architecture=architecture, emphasis=emphasis or {})
    config = replace(config, network=knobs, workers=workers or config.workers)
    return config.shortened(steps) if steps else config


def draw_examples(samples: Sequence[Sample], config: ClassifierConfig, path: Path) -> None:
    """Draw some training pictures of both classes as the network sees them, augmented anew in each column."""
    train = [sample for sample in samples if sample.split == "train"]
    classes = [[sample for sample in train if sample.label == label] for label in ("real", "ai")]
    shown = [members[at % len(members)] for members in classes for at in (0, 7)]
    pictures = Pictures(shown, Preparation(config.input, config.side), config.augment, config.seed)
    rng = np.random.default_rng(config.seed)
    rows = [[pictures.example(index, rng) for _ in range(EXAMPLES + 2)] for index in range(len(shown))]
    path.parent.mkdir(parents=True, exist_ok=True)
    examples_plot(rows, [f"{sample.label}: {sample.source}" for sample in shown], path)
