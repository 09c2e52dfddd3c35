"""The search over learning rate and batch size, by Optuna (Akiba et al., arXiv 1907.10902)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.progress import Report
from aiforensics.lab.fit.classifiers import fit
from aiforensics.lab.train.batches import train_and_val
from aiforensics.lab.train.learners import make_learner
from aiforensics.lab.train.recipes import ClassifierConfig, DivergedError
from aiforensics_models.bundle import Device

RATES = (1e-5, 1e-2)
BATCHES = (8, 16, 32, 64, 128)
PASSES = 3
"""Passes of each trial at most."""


def search(
    samples: Sequence[Sample],
    work: Path,
    config: ClassifierConfig,
    trials: int,
    *,
    device: Device = "auto",
    report: Report = lambda _line: None,
) -> ClassifierConfig:
    """Find the learning rate and batch size with the lowest loss on `val` after a few passes.

    Parameters
    ----------
    samples
        The data set; `test` is not touched.
    work
        Folder for `search.json`, every trial with its loss.
    config
        The other knobs.
    trials
        Pairs that are tried; hopeless ones stop after their first pass.
    device, report
        As in `train_classifier`.

    Returns
    -------
    The knobs with the best pair.

    Raises
    ------
    DivergedError
        Every trial diverged.
    """
    import optuna  # noqa: PLC0415 - only for a search

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    work.mkdir(parents=True, exist_ok=True)
    train, val = train_and_val(samples, config)

    def objective(trial: Any) -> float:  # noqa: ANN401 - optuna.Trial, imported lazily
        rate = trial.suggest_float("rate", *RATES, log=True)
        batch = trial.suggest_categorical("batch", [size for size in BATCHES if size <= max(len(train) // 2, 8)])
        tried = replace(config, rate=rate, batch=batch, epochs=min(PASSES, config.epochs))
        folder = work / f"trial-{trial.number}"
        folder.mkdir(parents=True, exist_ok=True)
        after = _pruner(optuna, trial, report)
        try:
            history = fit(make_learner(tried, device=device), train, val, folder, tried, after=after)
        except DivergedError as error:
            report(f"{_named(trial)}: diverged")
            raise optuna.TrialPruned from error
        loss = min(row["val_loss"] for row in history)
        report(f"{_named(trial)}, val loss {loss:.4f}")
        return float(loss)

    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=config.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    study.optimize(objective, n_trials=trials)
    if all(trial.value is None or trial.state.name != "COMPLETE" for trial in study.trials):
        raise DivergedError(
            f"each of the {trials} trials of the search diverged: give --search more of them, or another --seed"
        )
    found = [
        {"number": trial.number, **trial.params, "val_loss": trial.value, "state": trial.state.name.lower()}
        for trial in study.trials
    ]
    content = {"best": study.best_params, "val_loss": study.best_value, "trials": found}
    (work / "search.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    report(f"best of {trials}: rate {study.best_params['rate']:.2g}, batch {study.best_params['batch']}")
    return replace(config, rate=study.best_params["rate"], batch=study.best_params["batch"])


def _named(trial: Any) -> str:  # noqa: ANN401 - as above
    return f"trial {trial.number}: rate {trial.params['rate']:.2g}, batch {trial.params['batch']}"


def _pruner(optuna: Any, trial: Any, report: Report) -> Callable[[int, dict[str, float]], None]:  # noqa: ANN401 - as above
    def after(epoch: int, row: dict[str, float]) -> None:
        trial.report(row["val_loss"], epoch)
        if trial.should_prune():
            report(f"{_named(trial)}, val loss {row['val_loss']:.4f}: stopped as hopeless after pass {epoch}")
            raise optuna.TrialPruned

    return after
