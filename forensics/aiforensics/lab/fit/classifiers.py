"""The one training loop of the classifier recipes: from labelled pictures to a bundle."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics import __version__
from aiforensics.image.picture import WINDOW
from aiforensics.lab.data.census import census
from aiforensics.lab.data.dataset import Sample, check_classes, digest
from aiforensics.lab.data.folds import balance, origins
from aiforensics.lab.data.overlap import record
from aiforensics.lab.data.progress import Report
from aiforensics.lab.fit.calibrating import calibrate
from aiforensics.lab.judge.metrics import roc_auc
from aiforensics.lab.train.batches import Pictures, train_and_val
from aiforensics.lab.train.checkpoints import keep, recall
from aiforensics.lab.train.devices import keep_memory
from aiforensics.lab.train.export import WEIGHTS_FILE, export_classifier
from aiforensics.lab.train.learners import Learner, make_learner
from aiforensics.lab.train.recipes import ClassifierConfig, DivergedError, first_weights
from aiforensics.lab.train.schedule import one_cycle
from aiforensics_models.bundle import Device, write_manifest
from aiforensics_models.calibration import Calibration
from aiforensics_models.heads import EMBEDDING

Floats = NDArray[np.float64]
History = list[dict[str, float]]

_CHECKPOINT = "checkpoint.pt"
_LOOK = 64
"""Pictures that are scored at once."""


def train_classifier(
    samples: Sequence[Sample],
    out: Path,
    work: Path,
    config: ClassifierConfig,
    *,
    recipe: str,
    name: str | None = None,
    head_only: bool = False,
    device: Device = "auto",
    report: Report = lambda _line: None,
) -> dict[str, Any]:
    """Train a classifier on `train`, choose and calibrate on `val`, and write a bundle; `test` is not touched.

    Parameters
    ----------
    samples
        The data set.
    out, work
        The bundle's folder, and that of checkpoints; a run that was stopped goes on where it was.
    config
        Knobs.
    recipe, name
        What the bundle says of itself; by default it is called like its folder.
    head_only
        Train the head alone, from the weights of `config`.
    device
        Where PyTorch trains.
    report
        Takes a line of progress.

    Returns
    -------
    `history` of the training, and the `seconds` of its passes.

    Raises
    ------
    aiforensics.lab.data.dataset.DatasetError
        A class is missing in `train` or `val`.
    """
    check_classes(samples)
    work.mkdir(parents=True, exist_ok=True)
    train, val = train_and_val(samples, config)
    learner = make_learner(config, head_only=head_only, device=device)
    history = fit(learner, train, val, work, config, head_only=head_only, report=report)
    out.mkdir(parents=True, exist_ok=True)
    record(out, samples)
    network = export_classifier(work / WEIGHTS_FILE, config, out)
    best = make_learner(replace(config, weights=str(work / WEIGHTS_FILE)), device=device)
    calibration = calibrated(best, val, config.seed)
    first = first_weights(config.weights)
    manifest = {
        "name": name or out.name,
        "version": __version__,
        "recipe": recipe,
        "classes": ["real", "ai"],
        "window": WINDOW,
        "features": [EMBEDDING],
        "network": network,
        "head": {"kind": "none"},
        "calibration": calibration.to_dict(),
        "training": {
            "config": {**asdict(config), "weights": first["weights"]},
            **first,
            "head_only": head_only,
            "epochs": len(history),
            **census(samples),
        },
        "metrics": {},
    }
    write_manifest(out, manifest)
    return {"history": {recipe: history}, "seconds": sum(row["seconds"] for row in history)}


def fit(
    learner: Learner,
    train: Pictures,
    val: Pictures,
    work: Path,
    config: ClassifierConfig,
    *,
    head_only: bool = False,
    after: Callable[[int, dict[str, float]], None] = lambda _epoch, _row: None,
    report: Report = lambda _line: None,
) -> History:
    """Train until `val` gets no better, and keep the best weights as `network.safetensors` in the work folder.

    Parameters
    ----------
    learner
        What learns; changed.
    train, val
        Pictures to learn from, and to choose the best moment by.
    work
        Folder of the checkpoint, which is resumed from when settings and data are the same.
    config
        Knobs.
    head_only
        Whether `learner` trains its head alone.
    after
        Told each pass and its figures, those of a resumed run first; may raise to stop.
    report
        Takes a line of progress.

    Returns
    -------
    For each pass: `epoch`, `loss` and `accuracy` of training, `val_loss`, `val_accuracy`, `val_auc`, `seconds`.

    Raises
    ------
    DivergedError
        The network answers with what is no number.
    """
    keep_memory()
    key = _key(config, train, val, head_only=head_only)
    history: History = []
    best, waited = np.inf, 0
    checkpoint = work / _CHECKPOINT
    if state := recall(checkpoint, report):
        if state["key"] == key and _would_come_so_far(state["history"], config):
            learner.restore(state["learner"])
            history, best, waited = state["history"], state["best"], state["waited"]
            report(f"going on after pass {len(history)}")
        else:
            report("the checkpoint belongs to other settings or data: starting anew")
            checkpoint.unlink()  # or whoever stops the first pass leaves it beside weights that are not its own
    for epoch, row in enumerate(history, 1):  # whoever stops a run by its passes stops it at the same one again
        after(epoch, row)
    spent = sum(row["seconds"] for row in history)
    while len(history) < config.epochs and waited < config.patience and not _over(config, spent):
        started = time.monotonic()
        seen = _pass(learner, train, len(history), config, started - spent)
        log_odds = scores(learner, val)
        if not np.isfinite(log_odds).all():
            raise DivergedError(
                f"the training at rate {config.rate:.2g} diverged in pass {len(history) + 1}: give a smaller --rate "
                "(train and adapt have it)"
            )
        row = {
            "epoch": float(len(history) + 1),
            "loss": seen[0],
            "accuracy": seen[1],
            "val_loss": float(
                np.average(np.logaddexp(0.0, np.where(val.labels > 0.5, -log_odds, log_odds)), weights=val.weights)
            ),
            "val_accuracy": float(np.mean((log_odds > 0) == (val.labels > 0.5))),
            "val_auc": roc_auc(val.labels, log_odds),
            "seconds": time.monotonic() - started,
        }
        history.append(row)
        spent += row["seconds"]
        waited += 1
        if row["val_loss"] < best:
            best, waited = row["val_loss"], 0
            learner.save(work / WEIGHTS_FILE)
        keep(checkpoint, {"key": key, "learner": learner.state(), "history": history, "best": best, "waited": waited})
        report(
            f"pass {len(history)}/{config.epochs}  loss {row['loss']:.3f}  accuracy {row['accuracy']:.3f}  "
            f"val loss {row['val_loss']:.3f}  val accuracy {row['val_accuracy']:.3f}  {row['seconds']:.0f} s"
        )
        after(len(history), row)
    if waited >= config.patience:
        report(f"no lower loss on val in {config.patience} passes: stopped early")
    return history


def scores(learner: Learner, pictures: Pictures) -> Floats:
    """(n,) mean log-odds of each picture over its windows, as the pipeline has them; no augmentation."""
    total = np.zeros(len(pictures))
    for owners, shares, pixels in pictures.plain(_LOOK):
        np.add.at(total, owners, shares * learner.log_odds(pixels))
    return total


def calibrated(learner: Learner, val: Pictures, seed: int) -> Calibration:
    """Fit one Platt line for all conditions and the thresholds, on `val`."""
    return calibrate(
        scores(learner, val),
        val.labels.astype(np.float64),
        np.full(len(val), "good"),
        balance(val.samples),
        origins(val.samples),
        seed=seed,
    )


def _pass(learner: Learner, train: Pictures, epoch: int, config: ClassifierConfig, since: float) -> tuple[float, float]:
    """Mean loss and accuracy of one pass, which ends early where the wall time is over."""
    found = []
    steps = -(-len(train) // config.batch)
    for step, (indices, pixels) in enumerate(train.batches(epoch, config.batch)):
        if config.schedule == "one-cycle":
            learner.pace(one_cycle((epoch + step / steps) / config.epochs))
        found.append((*learner.learn(pixels, train.labels[indices], train.weights[indices]), len(indices)))
        if _over(config, time.monotonic() - since):
            break
    loss, right, size = np.array(found).T
    return float(np.average(loss, weights=size)), float(np.average(right, weights=size))


def _would_come_so_far(history: History, config: ClassifierConfig) -> bool:
    """Whether a run ends no sooner: fewer passes, less patience or less time than it had make it another one."""
    best, waited, spent = np.inf, 0, 0.0
    for row in history[:-1]:
        best, waited = (row["val_loss"], 0) if row["val_loss"] < best else (best, waited + 1)
        spent += row["seconds"]
        if waited >= config.patience or _over(config, spent):
            return False
    return len(history) <= config.epochs


def _over(config: ClassifierConfig, seconds: float) -> bool:
    return config.minutes > 0 and seconds >= 60 * config.minutes


def _key(config: ClassifierConfig, train: Pictures, val: Pictures, *, head_only: bool) -> str:
    """Of everything that a checkpoint depends on; more time, and at a constant rate more passes, may be asked for."""
    later = {"minutes", "patience"} | ({"epochs"} if config.schedule == "constant" else set())
    settings = {k: v for k, v in (asdict(config) | first_weights(config.weights)).items() if k not in later}
    seen = digest([*train.samples, *val.samples])
    return hashlib.sha256(json.dumps([settings, head_only, seen]).encode()).hexdigest()
