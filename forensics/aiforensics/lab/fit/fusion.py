"""The recipes `fusion-xgboost` and `fusion-deep`: from labelled pictures to a bundle.

Every stage writes what it made into a work folder and is skipped when that is there, so that a stopped run goes on
where it was. Stages: fold networks (each leaves whole generator families and real sources out), the final network,
features of delivered pictures judged out of fold, the stack with its calibration and thresholds, the bundle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import compress, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from aiforensics import __version__
from aiforensics.analyzers import SCORED
from aiforensics.features import EDITION
from aiforensics.image.picture import WINDOW
from aiforensics.lab.data.census import census
from aiforensics.lab.data.dataset import Sample, thin
from aiforensics.lab.data.folds import family, family_folds, fold_parts, origins
from aiforensics.lab.data.overlap import record
from aiforensics.lab.data.progress import Report
from aiforensics.lab.fit.calibrating import calibrate
from aiforensics.lab.fit.intervals import widened
from aiforensics.lab.fit.measure import RANDOM, VIEWS, Table, measure_all
from aiforensics.lab.fit.outoffold import out_of_fold
from aiforensics.lab.fit.stacking import HeadKind, Stack, StackData, fit_stack
from aiforensics.lab.fit.weighing import row_weights
from aiforensics.lab.train.checkpoints import keep_json, recall_json
from aiforensics.lab.train.cycles import FinetuneConfig
from aiforensics.lab.train.devices import Device
from aiforensics.lab.train.export import ONNX_FILE, export_detector
from aiforensics.lab.train.networks import WEIGHTS, NetworkJob, train_networks
from aiforensics.lab.train.recipes import RecipeError, first_weights
from aiforensics_models.bundle import write_manifest
from aiforensics_models.calibration import Calibration
from aiforensics_models.heads import EMBEDDING

PARTS = 3
"""Parts of a fold, each judged by a joint perceptron that was fitted on all others."""
_MORE = "add sources (folders within real/ and ai/, or the manifest's columns), or train a recipe such as cnn"


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """Knobs of the fusion recipes; the defaults made the shipped bundle.

    Attributes
    ----------
    head
        `xgboost` or `deep`.
    folds
        Networks that each leave a part of the sources out; fewer where a class has fewer sources.
    per_source
        Pictures of each source at most that the stack is fitted on.
    network
        Knobs of the fold networks; its `emphasis` holds for the handcrafted head and the mix, too.
    final_steps, final_held_steps, final_free_steps
        Steps of the three cycles of the final network, which nobody waits for four times.
    workers
        Processes that measure.
    seed
        Of folds, head and calibration.
    """

    head: HeadKind = "xgboost"
    folds: int = 4
    per_source: int = 400
    network: FinetuneConfig = field(default_factory=FinetuneConfig)
    final_steps: int = 2400
    final_held_steps: int = 4000
    final_free_steps: int = 5000
    workers: int = 2
    seed: int = 0

    @classmethod
    def stated(cls, config: Mapping[str, Any]) -> FusionConfig:
        """The knobs that a bundle's manifest states under `training.config`; unknown ones are left out."""
        own, network = (
            {name: value for name, value in stated.items() if name in {one.name for one in fields(kind)}}
            for kind, stated in ((cls, config), (FinetuneConfig, config["network"]))
        )
        return cls(**{**own, "network": FinetuneConfig(**network)})

    def shortened(self, steps: int) -> FusionConfig:
        """The same with so many steps in every cycle of every network."""
        network = replace(self.network, steps=steps, held_steps=steps)
        return replace(self, network=network, final_steps=steps, final_held_steps=steps, final_free_steps=steps)


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
    seen = [sample for sample in samples if sample.split != "test"]
    config = replace(config, folds=fold_count(seen, config.folds))
    work.mkdir(parents=True, exist_ok=True)
    folds = _folds(work / "folds.json", seen, config, report)
    _check_folds(seen, folds)
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
            list(compress(seen, kept.tolist())),
            knobs,
            weights,
            device=device,
            compiled=compiled,
        )
        for title, kept, knobs in (*wanted, ("final", folds >= 0, final))
    ]
    history = train_networks(jobs, config.workers, report)
    for job in jobs:
        export_detector(job.folder / WEIGHTS, config.network.architecture, job.folder)
    trained = Trained([job.folder for job in jobs[:-1]], jobs[-1].folder, folds)
    figures = assemble(samples, trained, out, work, config, name=name, stated=first_weights(weights), report=report)
    return {"history": history, "out_of_fold": figures}


@dataclass(frozen=True, slots=True)
class Trained:
    """The networks of a fusion.

    Attributes
    ----------
    left_out
        Folders of the networks that each left a fold out, by fold.
    final
        Folder of the one that ships.
    folds
        (n,) fold that each training picture was left out with; -1 where every network may have learned from it.
    familiar
        The fold of pictures that are left out while their sources are known, if there is one.
    """

    left_out: Sequence[Path]
    final: Path
    folds: NDArray[np.int64]
    familiar: int | None = None


def assemble(
    samples: Sequence[Sample],
    trained: Trained,
    out: Path,
    work: Path,
    config: FusionConfig,
    *,
    name: str | None,
    stated: Mapping[str, Any],
    earlier: Iterable[str] = (),
    report: Report,
) -> dict[str, Any]:
    """Measure, fit what stands on top of the networks, and write the bundle.

    Parameters
    ----------
    samples
        The data set; `test` is never touched.
    trained
        Networks of the other pictures, in their order.
    out, work, config, name
        As in `train_fusion`.
    stated
        What the manifest says of where the networks started.
    earlier
        Short sums of what they had learned from before.
    report
        Takes a line of progress.

    Returns
    -------
    The out-of-fold figures.
    """
    seen = [sample for sample in samples if sample.split != "test"]
    indices = chosen(seen, config)
    picked, folds = [seen[i] for i in indices], trained.folds[indices]
    networks = [folder / ONNX_FILE for folder in trained.left_out]
    # A picture of no fold is only there for the handcrafted head: no network is asked of it.
    table = _measured(work / "out-of-fold.npz", picked, networks, folds.tolist(), VIEWS, config, report)
    report("fitting the heads, their mix, calibration and thresholds on out-of-fold scores")
    stack, calibration, figures = fit(table, picked, folds, config, trained.familiar)
    out.mkdir(parents=True, exist_ok=True)
    record(out, samples, earlier)
    network = export_detector(trained.final / WEIGHTS, config.network.architecture, out)
    manifest = {
        "name": name or out.name,
        "version": __version__,
        "recipe": f"fusion-{config.head}",
        "classes": ["real", "ai"],
        "window": WINDOW,
        "features": [*SCORED, EMBEDDING],
        "edition": EDITION,
        "network": network,
        "head": stack.save(out),
        "reference": _reference(trained.final / ONNX_FILE, work, picked, out, config, report),
        "calibration": calibration.to_dict(),
        "training": {"config": asdict(config), **stated, **census(seen)},
        "metrics": {"out_of_fold": figures},
    }
    write_manifest(out, manifest)
    return figures


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


def fit(
    table: Table, samples: Sequence[Sample], folds: NDArray[np.int64], config: FusionConfig, familiar: int | None = None
) -> tuple[Stack, Calibration, dict[str, Any]]:
    """Fit the stack and its calibration on an out-of-fold table; the figures are out of fold as well.

    Parameters
    ----------
    table
        Features of delivered samples.
    samples, folds
        What the table's `sample` column points at, and the fold that each was left out with; -1 for those that a
        network may have learned from, which the handcrafted head alone is fitted on.
    config
        Knobs.
    familiar
        The fold of new pictures of known sources, which say nothing of strangers and set neither mix nor calibration.
    """
    stack = fit_stack(stack_data(table, samples, folds, config, familiar), config.head, config.seed)
    left_out = np.flatnonzero((folds >= 0) & (folds != familiar))
    strange, table = [samples[i] for i in left_out.tolist()], table.of(left_out)
    sources = np.array(origins(strange))[table.sample].tolist()
    calibration = calibrate(
        stack.fused,
        np.array([sample.label == "ai" for sample in strange], np.float64)[table.sample],
        table.condition,
        row_weights(strange, table),
        sources,
        seed=config.seed,
    )
    calibration = widened(calibration, stack.fused, table)
    return stack, calibration, out_of_fold(stack, table, strange, folds[left_out], seed=config.seed)


def stack_data(
    table: Table, samples: Sequence[Sample], folds: NDArray[np.int64], config: FusionConfig, familiar: int | None = None
) -> StackData:
    """What a stack is fitted on: a row for each of the table's; parameters as in `fit`."""
    return StackData(
        rows=table.columns(SCORED),
        log_odds=table.column(EMBEDDING),
        embedding=table.embedding,
        labels=np.array([sample.label == "ai" for sample in samples], np.float64)[table.sample],
        weights=row_weights(samples, table, config.network.emphasis),
        folds=folds[table.sample],
        parts=fold_parts(samples, folds, PARTS, config.seed)[table.sample],
        strange=((folds >= 0) & (folds != familiar))[table.sample],
    )


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


def chosen(samples: Sequence[Sample], config: FusionConfig) -> NDArray[np.int64]:
    """Indices of at most `per_source` samples of each source."""
    rng = np.random.default_rng([config.seed, 4])
    taken: Counter[tuple[str, str]] = Counter()
    kept = []
    for index in rng.permutation(len(samples)).tolist():
        key = (samples[index].label, samples[index].source)
        if taken[key] < config.per_source:
            taken[key] += 1
            kept.append(index)
    return np.array(sorted(kept), np.int64)


def _measured(
    path: Path,
    samples: Sequence[Sample],
    networks: Sequence[Path],
    network_of: Sequence[int],
    views: Sequence[str],
    config: FusionConfig,
    report: Report,
) -> Table:
    """Measure what the file does not hold yet, and keep everything there: a run may go on with more data."""

    def progress(done: int, total: int) -> None:
        if done == 0:
            conditions = f"{len(views)} delivery condition{'s' * (len(views) > 1)}"
            report(f"measuring {total} pictures under {conditions}; {len(samples) - total} are known already")
        elif done % 800 == 0 or done == total:
            report(f"measured {done}/{total}")

    return measure_all(samples, networks, network_of, views, workers=config.workers, keep=path, progress=progress)


def _reference(
    network: Path, work: Path, samples: Sequence[Sample], out: Path, config: FusionConfig, report: Report
) -> dict[str, Any]:
    """Where the final network puts the training pictures: centre, scale and the distance that 99 % stay within."""
    few = thin(samples, 1200, seed=config.seed)
    table = _measured(work / "reference.npz", few, [network], [0] * len(few), [RANDOM], config, report)
    embedding = table.embedding
    centre, scale = embedding.mean(axis=0), embedding.std(axis=0) + 1e-3
    scores = np.clip((embedding - centre) / scale, -10.0, 10.0)
    usual = float(np.quantile(np.sqrt(np.mean(np.square(scores), axis=1)), 0.99))
    tensors = {"centre": centre.astype(np.float32), "scale": scale.astype(np.float32)}
    (out / "reference.safetensors").write_bytes(save(tensors))
    return {"file": "reference.safetensors", "usual": usual, "pictures": len(few)}
