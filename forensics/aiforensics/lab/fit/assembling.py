"""From trained networks to a fusion's bundle: measure, fit what stands on top, write.

Features of delivered pictures are judged out of fold; the stack, its calibration and thresholds are fitted on them.
What was measured is kept in the work folder, so that a stopped run goes on where it was.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
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
from aiforensics.lab.data.dataset import Sample, learnable, thin
from aiforensics.lab.data.folds import fold_slices, labels_of, origins
from aiforensics.lab.data.overlap import record
from aiforensics.lab.data.progress import Report
from aiforensics.lab.fit.calibrating import Fit, calibrate, tightened
from aiforensics.lab.fit.enlarging import fit_enlargement
from aiforensics.lab.fit.intervals import widened
from aiforensics.lab.fit.kept import Kept
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.fit.measure import RANDOM, VIEWS, Table, measure_all
from aiforensics.lab.fit.outoffold import out_of_fold
from aiforensics.lab.fit.stacking import Stack, StackData, fit_stack
from aiforensics.lab.fit.weighing import row_weights
from aiforensics.lab.train.export import ONNX_FILE, WEIGHTS_FILE, export_detector
from aiforensics_models.bundle import write_manifest
from aiforensics_models.calibration import Calibration
from aiforensics_models.enlargement import Enlargement
from aiforensics_models.heads import EMBEDDING

SLICES = 3
"""Slices of a fold, each judged by a joint perceptron that was fitted on all others."""


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
    kept
        What stands on top of the bundle that the networks go on from, if it is not to be fitted anew.
    """

    left_out: Sequence[Path]
    final: Path
    folds: NDArray[np.int64]
    familiar: int | None = None
    kept: Kept | None = None


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
    before: Mapping[str, Any] | None = None,
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
    before
        Figures of the bundle that was gone on from, on the same strangers.
    report
        Takes a line of progress.

    Returns
    -------
    The out-of-fold figures.
    """
    pictures = learnable(samples)
    indices = chosen(pictures, config)
    kept = trained.kept
    if kept is not None:  # a picture of no fold is there for the handcrafted head, which stays
        indices = indices[trained.folds[indices] >= 0]
    picked, folds = [pictures[i] for i in indices], trained.folds[indices]
    out.mkdir(parents=True, exist_ok=True)
    entry = _enlargement(pictures, out, work, config, report) if kept is None else kept.copy_enlargement(out)
    enlargement = Enlargement.load(out, entry, SCORED) if entry else None
    networks = [folder / ONNX_FILE for folder in trained.left_out]
    # No network is asked of a picture of no fold.
    table = measured(work / "out-of-fold.npz", picked, networks, VIEWS, config, report, enlargement, folds.tolist())
    told = "the heads, their mix, calibration and thresholds" if kept is None else "the joint perceptron further"
    report(f"fitting {told} on out-of-fold scores")
    stack, calibration, figures = fit(table, picked, folds, config, trained.familiar, kept)
    if before is not None:
        figures["before"] = dict(before)
    record(out, samples, earlier)
    network = export_detector(trained.final / WEIGHTS_FILE, config.network.architecture, out)
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
        "reference": _reference(trained.final / ONNX_FILE, work, pictures, out, config, report, enlargement),
        **({"enlargement": entry} if entry else {}),
        "calibration": calibration.to_dict(),
        "training": {"config": asdict(config), **stated, **census(pictures)},
        "metrics": {"out_of_fold": figures},
    }
    write_manifest(out, manifest)
    return figures


def fit(
    table: Table,
    samples: Sequence[Sample],
    folds: NDArray[np.int64],
    config: FusionConfig,
    familiar: int | None = None,
    kept: Kept | None = None,
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
    kept
        What stands on top of the bundle that is gone on from; everything is fitted anew without.
    """
    data = stack_data(table, samples, folds, config, familiar)
    stack = fit_stack(data, config.head, config.seed) if kept is None else kept.stack(data, config.seed)
    left_out = np.flatnonzero((folds >= 0) & (folds != familiar))
    strange, judged = [samples[i] for i in left_out.tolist()], table.of(left_out)
    sources = np.array(origins(strange))[judged.sample].tolist()
    fitted: Fit = partial(calibrate, seed=config.seed) if kept is None else partial(tightened, kept.calibration)
    labels, weights = labels_of(strange)[judged.sample], row_weights(strange, judged)
    calibration = fitted(stack.fused, labels, judged.condition, weights, sources)
    if kept is None:
        calibration = widened(calibration, stack.fused, judged)
    return stack, calibration, out_of_fold(stack.parts, judged, strange, folds[left_out], fitted)


def stack_data(
    table: Table, samples: Sequence[Sample], folds: NDArray[np.int64], config: FusionConfig, familiar: int | None = None
) -> StackData:
    """What a stack is fitted on: a row for each of the table's.

    Parameters
    ----------
    table
        Features of the samples' views.
    samples, folds
        The pictures, and the fold of each; those of a fold below 0 are left alone.
    config
        Emphasis and seed.
    familiar
        The fold whose pictures the network has seen: they teach the heads, and are no strangers.
    """
    return StackData(
        rows=table.columns(SCORED),
        log_odds=table.column(EMBEDDING),
        embedding=table.embedding,
        labels=labels_of(samples)[table.sample],
        weights=row_weights(samples, table, config.network.emphasis),
        folds=folds[table.sample],
        slices=fold_slices(samples, folds, SLICES, config.seed)[table.sample],
        strange=((folds >= 0) & (folds != familiar))[table.sample],
    )


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


def measured(
    path: Path,
    samples: Sequence[Sample],
    networks: Sequence[Path],
    views: Sequence[str],
    config: FusionConfig,
    report: Report,
    enlargement: Enlargement | None,
    network_of: Sequence[int] | None = None,
) -> Table:
    """Measure what the file does not hold yet, and keep everything there: a run may go on with more data.

    Parameters
    ----------
    path
        The table's file.
    samples, networks, views
        As of `aiforensics.lab.fit.measure.measure_all`.
    config, report
        Knobs, of which `workers` counts here, and what takes a line of progress.
    enlargement
        What tells enlarged pictures, where the bundle has it.
    network_of
        As of `measure_all`; without, the first network judges all.
    """

    def progress(done: int, total: int) -> None:
        if done == 0:
            conditions = f"{len(views)} delivery condition{'s' * (len(views) > 1)}"
            report(f"measuring {total} pictures under {conditions}; {len(samples) - total} are known already")
        elif done % 800 == 0 or done == total:
            report(f"measured {done}/{total}")

    return measure_all(
        samples,
        networks,
        [0] * len(samples) if network_of is None else network_of,
        views,
        enlargement=enlargement,
        workers=config.workers,
        keep=path,
        progress=progress,
    )


def _enlargement(
    samples: Sequence[Sample], out: Path, work: Path, config: FusionConfig, report: Report
) -> dict[str, Any]:
    """Fit what tells enlarged pictures in a work folder and copy it into the bundle's; the manifest's entry."""
    entry = fit_enlargement(samples, work, workers=config.workers, seed=config.seed, report=report)
    shutil.copyfile(work / entry["file"], out / entry["file"])
    return entry


def _reference(
    network: Path,
    work: Path,
    samples: Sequence[Sample],
    out: Path,
    config: FusionConfig,
    report: Report,
    enlargement: Enlargement | None,
) -> dict[str, Any]:
    """Where the final network puts the training pictures: centre, scale and the distance that 99 % stay within."""
    few = thin(samples, 1200, seed=config.seed)
    table = measured(work / "reference.npz", few, [network], [RANDOM], config, report, enlargement)
    embedding = table.embedding
    centre, scale = embedding.mean(axis=0), embedding.std(axis=0) + 1e-3
    scores = np.clip((embedding - centre) / scale, -10.0, 10.0)
    usual = float(np.quantile(np.sqrt(np.mean(np.square(scores), axis=1)), 0.99))
    tensors = {"centre": centre.astype(np.float32), "scale": scale.astype(np.float32)}
    (out / "reference.safetensors").write_bytes(save(tensors))
    return {"file": "reference.safetensors", "usual": usual, "pictures": len(few)}
