"""The recipes `fusion-xgboost` and `fusion-deep`: from labelled pictures to a bundle.

Every stage writes what it made into a work folder and is skipped when that is there, so that a stopped run goes on
where it was. Stages: fold networks (each leaves whole generator families and real sources out), the final network, and
what `aiforensics.lab.fit.assembling` makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.data.dataset import Sample, learnable
from aiforensics.lab.data.folds import family, family_folds
from aiforensics.lab.data.progress import Report
from aiforensics.lab.fit.assembling import Trained, assemble
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.train.checkpoints import keep_json, recall_json
from aiforensics.lab.train.export import WEIGHTS_FILE, export_detector
from aiforensics.lab.train.networks import NetworkJob, train_networks
from aiforensics.lab.train.recipes import RecipeError, first_weights
from aiforensics_models.bundle import Device

_MORE = "add sources (folders within real/ and ai/, or the manifest's columns), or train a recipe such as cnn"


def train_fusion(
    samples: Sequence[Sample],
    out: Path,
    work: Path,
    config: FusionConfig,
    *,
    weights: str = "none",
    name: str | None = None,
    device: Device = "auto",
    compiled: bool = False,
    report: Report = lambda _line: None,
) -> dict[str, Any]:
    """Train a fusion bundle on the splits `train` and `val`; `test` is never touched.

    Parameters
    ----------
    samples
        The data set.
    out
        The bundle's folder, written at the end.
    work
        Folder of checkpoints and of everything that a resumed run need not do again.
    config
        Knobs.
    weights
        First weights of the embedding network: `none`, `imagenet` or a file.
    name
        The bundle's name; the folder's without.
    device, compiled
        Where PyTorch trains the networks, and whether it compiles them first.
    report
        Takes a line of progress.

    Returns
    -------
    `history` of every network, and `out_of_fold` figures of each part alone and fused.

    Raises
    ------
    RecipeError
        Too few sources to leave some out.
    """
    pictures = learnable(samples)
    config = replace(config, folds=fold_count(pictures, config.folds))
    work.mkdir(parents=True, exist_ok=True)
    folds = _folds(work / "folds.json", pictures, config, report)
    _check_folds(pictures, folds)
    config = replace(config, folds=int(folds.max()) + 1)
    final = replace(
        config.network,
        steps=config.final_steps,
        held_steps=config.final_held_steps,
        free_steps=config.final_free_steps,
    )
    wanted = [(f"fold-{fold}", folds != fold, config.network) for fold in range(config.folds)]
    jobs = [
        NetworkJob(
            title,
            work / title,
            list(compress(pictures, kept.tolist())),
            knobs,
            weights,
            device=device,
            compiled=compiled,
        )
        for title, kept, knobs in (*wanted, ("final", folds >= 0, final))
    ]
    history = train_networks(jobs, config.workers, report)
    for job in jobs:
        export_detector(job.folder / WEIGHTS_FILE, config.network.architecture, job.folder)
    trained = Trained([job.folder for job in jobs[:-1]], jobs[-1].folder, folds)
    figures = assemble(samples, trained, out, work, config, name=name, stated=first_weights(weights), report=report)
    return {"history": history, "out_of_fold": figures}


def fold_count(samples: Sequence[Sample], wanted: int) -> int:
    """Folds that the sources of some training pictures allow: `wanted`, or fewer where a class has fewer families.

    Raises
    ------
    RecipeError
        A class has a single family: nothing of it would be left to learn from.
    """
    counts = {label: len({family(s) for s in samples if s.label == label}) for label in ("ai", "real")}
    if min(counts.values()) < 2:
        raise RecipeError(
            "a fusion is judged on sources that it has not seen, which takes two AI generators and two real sources: "
            f"there are {counts['ai']} and {counts['real']}; {_MORE}"
        )
    return min(wanted, *counts.values())


def _folds(path: Path, samples: Sequence[Sample], config: FusionConfig, report: Report) -> NDArray[np.int64]:
    """Fold of every sample; families that have one keep it, so that a run may go on with more data."""
    known = recall_json(path, report) or {}
    there = {family(sample) for sample in samples}
    count = max(config.folds, *(fold + 1 for name, fold in known.items() if name in there), 1)
    folds = family_folds(samples, count, config.seed, known)
    fold_of = known | {family(sample): fold for sample, fold in zip(samples, folds.tolist(), strict=True)}
    keep_json(path, fold_of, indent=1, sort_keys=True)
    return folds


def _check_folds(samples: Sequence[Sample], folds: NDArray[np.int64]) -> None:
    """Check that what every fold keeps can be fitted and looked at."""
    for fold in sorted(set(folds.tolist())):
        kept = {(s.label, s.split) for s, of in zip(samples, folds.tolist(), strict=True) if of != fold}
        for label, split in product(("ai", "real"), ("train", "val")):
            if (label, split) not in kept:
                left_out = {family(s) for s, of in zip(samples, folds.tolist(), strict=True) if of == fold}
                names = ", ".join(sorted(name for name in left_out if name.startswith(f"{label}:")))
                raise RecipeError(f"without {names} the split {split} has no {label} picture: {_MORE}")
