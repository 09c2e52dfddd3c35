"""Fitting a bundle's recipe again on a part of the data, for leave-one-source-out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiforensics.lab.data.dataset import DatasetError, Sample, digest, learnable
from aiforensics.lab.data.progress import Report
from aiforensics.lab.judge.detector import Detector, Predictor, ScannerDetector, predictor
from aiforensics.lab.judge.leaveout import Fit
from aiforensics.lab.train import recipes
from aiforensics.lab.train.recipes import NAMED_WEIGHTS, weights_sum


def retrained(
    manifest: Mapping[str, Any],
    work: Path,
    *,
    weights: str | None = None,
    seed: int = 0,
    report: Report = lambda _line: None,
) -> Fit:
    """Make a fit out of the recipe that a bundle states in its manifest.

    Parameters
    ----------
    manifest
        The bundle's `bundle.json`; its recipe and the configuration of its training are followed.
    work
        Folder for the bundles that are trained and their checkpoints; a stopped run goes on there. What another recipe,
        other knobs, other first weights or other pictures made there is never taken up.
    weights
        File of the first weights, where the bundle was trained from one.
    seed
        Of the delivered windows.
    report
        Takes a line of progress.

    Returns
    -------
    A function from training samples to the trained bundle's predictions, as the pipeline would give them.

    Raises
    ------
    DatasetError
        The bundle does not state a recipe that can be followed, went on from another or was adapted whole, is a fusion
        of which the head alone was fitted, or started from a file of weights and none is there.
    """
    recipe, training = str(manifest.get("recipe", "")), manifest.get("training", {})
    first = _start_of(manifest, recipe, weights)
    head_only = bool(training.get("head_only"))

    # Everything that a fit depends on: another recipe, other knobs or other weights never find its bundle.
    made_with = [
        recipe,
        json.dumps(training["config"], sort_keys=True),
        weights_sum(first),
        *(["head only"] if head_only else []),
    ]

    def fit(train: Sequence[Sample]) -> Predictor:
        pictures = digest(sorted(train, key=lambda sample: sample.key))
        folder = work / hashlib.sha256("\n".join([*made_with, pictures]).encode()).hexdigest()[:16]
        if not (folder / "bundle" / "bundle.json").exists():
            if recipe.startswith("fusion-"):
                _fusion(train, folder, training["config"], first, report)
            else:
                _classifier(train, folder, recipe, training["config"], first, report, head_only=head_only)
        return predictor(_detector(folder / "bundle", recipe), seed=seed)

    return fit


def check_cuts(manifest: Mapping[str, Any], learned: Iterable[Sequence[Sample]]) -> None:
    """Refuse what some fit of a fusion would learn from where it has too few sources, before the first fit.

    Parameters
    ----------
    manifest
        The bundle's `bundle.json`, as of `retrained`.
    learned
        Training samples of each fit.

    Raises
    ------
    aiforensics.lab.train.recipes.RecipeError
        With what is there, and what to do.
    """
    if not str(manifest["recipe"]).startswith("fusion-"):
        return
    from aiforensics.lab.fit.fusion import fold_count  # noqa: PLC0415 - PyTorch, which only training needs

    for train in learned:
        fold_count(learnable(train), manifest["training"]["config"]["folds"])


def _start_of(manifest: Mapping[str, Any], recipe: str, weights: str | None) -> str:
    """The first weights that a bundle's recipe is fitted again from; a bundle that cannot be is refused."""
    training = manifest.get("training", {})
    if not recipe or "config" not in training:
        raise DatasetError(f"the bundle's recipe ({recipe or 'none'}) cannot be fitted again: it does not state how")
    if "extended" in training:
        raise DatasetError(
            f"the bundle went on from {training['extended']['from']}, and what it was before cannot be fitted again "
            "from its recipe: leave sources out of that one"
        )
    if manifest.get("adapted", {}).get("strategy") == "full":
        raise DatasetError(
            f"the bundle's network started from that of {manifest['adapted']['from']}, which had learned from sources "
            "that would be left out: leave sources out of that one"
        )
    if training.get("head_only") and recipe.startswith("fusion-"):
        raise DatasetError(
            "only the head of the bundle's fusion was fitted on its data, and its network cannot be fitted again so: "
            "leave sources out of the bundle that it was adapted from"
        )
    stated = training.get("weights", "none")
    if weights is None and stated not in NAMED_WEIGHTS:
        raise DatasetError(f"the bundle's network started from {stated}: name that file with --weights")
    first = weights or str(stated)
    if first not in NAMED_WEIGHTS and not Path(first).is_file():
        raise DatasetError(f"{first}: no such file of weights")
    return first


def _detector(bundle: Path, recipe: str) -> Detector:
    if recipe.startswith("fusion-"):
        from aiforensics.pipeline import Scanner  # noqa: PLC0415 - the libraries of scanning

        return ScannerDetector(Scanner(bundle, device="cpu"))
    from aiforensics.lab.judge.quick import open_detector  # noqa: PLC0415 - as above

    return open_detector(bundle, "cpu")


def _fusion(
    train: Sequence[Sample],
    folder: Path,
    stated: Mapping[str, Any],
    weights: str,
    report: Report,
) -> None:
    from aiforensics.lab.fit.fusion import train_fusion  # noqa: PLC0415 - PyTorch, which only training needs
    from aiforensics.lab.fit.knobs import FusionConfig  # noqa: PLC0415 - as above

    config = FusionConfig.stated(stated)
    train_fusion(train, folder / "bundle", folder / "work", config, weights=weights, report=report)


def _classifier(
    train: Sequence[Sample],
    folder: Path,
    recipe: str,
    stated: Mapping[str, Any],
    weights: str,
    report: Report,
    *,
    head_only: bool,
) -> None:
    from aiforensics.lab.fit.classifiers import train_classifier  # noqa: PLC0415 - PyTorch, which only training needs

    config = replace(recipes.stated(stated), weights=weights)
    train_classifier(
        train, folder / "bundle", folder / "work", config, recipe=recipe, head_only=head_only, report=report
    )
