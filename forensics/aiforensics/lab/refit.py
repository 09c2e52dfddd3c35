"""Fitting a bundle's recipe again on a part of the data, for leave-one-source-out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiforensics.lab.dataset import DatasetError, Sample
from aiforensics.lab.detector import Predictor, ScannerDetector, predictor
from aiforensics.lab.leaveout import Fit


def refit(
    manifest: Mapping[str, Any],
    work: Path,
    *,
    backbone: Path | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda _line: None,
) -> Fit:
    """Make a fit out of the recipe that a bundle states in its manifest.

    Parameters
    ----------
    manifest
        The bundle's `bundle.json`; its recipe and the configuration of its training are followed.
    work
        Folder for the bundles that are trained and their checkpoints; a stopped run goes on there.
    backbone
        Pretrained weights of the embedding network, where the bundle was trained from some.
    seed
        Of the delivered windows.
    report
        Takes a line of progress.

    Returns
    -------
    A function from training samples to the trained bundle's predictions, by the whole pipeline.

    Raises
    ------
    DatasetError
        The bundle does not state a recipe that can be followed, or was pretrained and no `backbone` is given.
    """
    recipe, training = str(manifest.get("recipe", "")), manifest.get("training", {})
    if not recipe.startswith("fusion-") or "config" not in training:
        raise DatasetError(f"the bundle's recipe ({recipe or 'none'}) cannot be fitted again: name a fusion bundle")
    if training.get("pretrained") and backbone is None:
        raise DatasetError("the bundle's network was pretrained: name the weights that it started from with --backbone")

    def fit(train: Sequence[Sample]) -> Predictor:
        from aiforensics.lab.finetune import FinetuneConfig  # noqa: PLC0415 - PyTorch, which only training needs
        from aiforensics.lab.fusion import FusionConfig, train_fusion  # noqa: PLC0415
        from aiforensics.pipeline import Scanner  # noqa: PLC0415

        settings = dict(training["config"])
        config = FusionConfig(**{**settings, "network": FinetuneConfig(**settings["network"])})
        folder = work / hashlib.sha256("\n".join(sorted(s.key for s in train)).encode()).hexdigest()[:16]
        if not (folder / "bundle" / "bundle.json").exists():
            train_fusion(train, folder / "bundle", folder / "work", config, backbone=backbone, report=report)
        return predictor(ScannerDetector(Scanner(folder / "bundle", device="cpu")), seed=seed)

    return fit
