"""A fusion goes on with sources that it has not seen, and these judge what comes of it.

Once every source went into a network, nothing is left that says how it does on strangers. Networks of folds do, but
they are trained for shorter, and what they say is too little of the one that ships. New sources can say it: they are
cut into folds; for each, a network goes on from the bundle's own, on everything but that fold, and judges it. The mean
of these networks' weights ships (Wortsman et al. 2022, "Model soups", arXiv:2203.05482). What was learned from far more
sources than are new stays (`aiforensics.lab.fit.kept`). Where the new sources are many, several hundred, what stands
on top of the network is fitted anew instead: the handcrafted head on all pictures, the joint perceptron on the new
sources and on pictures of the known ones that no network learned from, mix, calibration and thresholds on the new
sources alone.

Networks that go on without most of what they once saw forget it. So the bundle that is gone on from judges the new
sources as well, which it has not seen either, and both figures are told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import Sample, learnable
from aiforensics.lab.data.folds import family_folds
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.views import CONDITIONS
from aiforensics.lab.fit.assembling import Trained, assemble, chosen, measured, stack_data
from aiforensics.lab.fit.calibrating import probabilities
from aiforensics.lab.fit.kept import Kept, of_today
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.fit.outoffold import AT_THRESHOLDS
from aiforensics.lab.fit.weighing import row_weights
from aiforensics.lab.judge.metrics import Scores
from aiforensics.lab.judge.metrics import figures as figures_of
from aiforensics.lab.train.export import WEIGHTS_FILE, export_detector
from aiforensics.lab.train.finetune import mean_network
from aiforensics.lab.train.networks import History, NetworkJob, train_networks
from aiforensics.lab.train.recipes import RecipeError
from aiforensics_models.bundle import Bundle, Device
from aiforensics_models.lineage import ever, handed_on

FOLDS = 2
"""Networks that go on, each without a part of the new sources."""
BODY_RATE, HEAD_RATE = 5e-5, 1e-4
"""Learning rates of body and heads where little of what the fusion once saw is there: at the usual ones, eight times
and five times as high, the networks forget it."""


def extend_fusion(
    samples: Sequence[Sample],
    start: Bundle,
    out: Path,
    work: Path,
    config: FusionConfig,
    *,
    name: str | None = None,
    refit: bool = False,
    device: Device = "auto",
    compiled: bool = False,
    report: Report = lambda _line: None,
) -> dict[str, Any]:
    """Go on from a fusion on the splits `train` and `val`; `test` is never touched.

    Parameters
    ----------
    samples
        The data set: sources that the fusion has not seen, and of what it was trained on what there is, or it forgets.
    start
        The fusion.
    out, work, name, device, compiled, report
        As in `aiforensics.lab.fit.fusion.train_fusion`.
    config
        Knobs; the networks get `final_free_steps` each. The architecture is the fusion's own, or one whose embedding
        has more numbers in front.
    refit
        Fit heads, mix, calibration and thresholds anew, and train the networks at the usual rates: for several hundred
        new sources and most of the old pictures.

    Returns
    -------
    `history` of every network, and `out_of_fold` figures on the new sources.

    Raises
    ------
    RecipeError
        It is no fusion, does not state what it has seen, fewer than two sources of a class are new, or its head cannot
        go on.
    """
    kept = None if refit else Kept.of(start)
    pictures = learnable(samples)
    folds = stranger_folds(pictures, start, config.seed)
    work.mkdir(parents=True, exist_ok=True)
    knobs = replace(config.network, free_steps=config.final_free_steps)
    if not refit:
        knobs = replace(knobs, free_rate=BODY_RATE, held_rate=HEAD_RATE)
    config = replace(config, folds=FOLDS, network=knobs)
    # Nobody learns from `val`, so known sources are judged there as well, by whichever network.
    familiar = np.array([sample.split == "val" for sample in pictures]) & (folds < 0)
    report(f"{sum(folds >= 0)} pictures of {start.name}'s new sources judge what comes of it, in {FOLDS} folds")
    strange = list(compress(pictures, (folds >= 0).tolist()))
    before = judged_by(start, strange, work, config, report) if of_today(start) else None
    left_out, final, history = _networks(pictures, folds, start, work, config, device, compiled, report)
    trained = Trained([*left_out, left_out[0]], final, np.where(familiar, FOLDS, folds), FOLDS, kept)
    figures = assemble(
        samples,
        trained,
        out,
        work,
        config,
        name=name,
        stated=stated(start, kept=not refit),
        earlier=overlap.seen(start) or (),
        before=before,
        report=report,
    )
    was = f"{_brief(before)} with {start.name}; " if before else ""
    report(f"on the new sources: {was}{_brief(figures)} now, by who had not seen them")
    return {"history": history, "out_of_fold": figures}


def _networks(
    samples: Sequence[Sample],
    folds: NDArray[np.int64],
    start: Bundle,
    work: Path,
    config: FusionConfig,
    device: Device,
    compiled: bool,
    report: Report,
) -> tuple[list[Path], Path, dict[str, History]]:
    """Let networks go on, each without a fold, and take their mean; their folders, that of the mean, histories."""
    weights, knobs = start.folder / start.manifest["network"]["weights"], config.network
    jobs = [
        NetworkJob(
            f"without-{fold}",
            work / f"without-{fold}",
            list(compress(samples, (folds != fold).tolist())),
            knobs,
            start=weights,
            device=device,
            compiled=compiled,
        )
        for fold in range(config.folds)
    ]
    history = train_networks(jobs, config.workers, report)
    folders, final = [job.folder for job in jobs], work / "final"
    final.mkdir(exist_ok=True)
    mean_network([folder / WEIGHTS_FILE for folder in folders], final / WEIGHTS_FILE)
    for folder in (*folders, final):
        export_detector(folder / WEIGHTS_FILE, knobs.architecture, folder)
    return folders, final, history


def judged_by(
    start: Bundle, strange: Sequence[Sample], work: Path, config: FusionConfig, report: Report
) -> dict[str, Any]:
    """Judge strangers' pictures by the bundle that is gone on from, under the matched conditions.

    Parameters
    ----------
    start
        The bundle.
    strange
        Pictures that it has not seen.
    work
        Folder that keeps what was measured.
    config
        Pictures of each source, workers and seed.
    report
        Takes a line of progress.

    Returns
    -------
    `from`, its name, and the figures of `aiforensics.lab.fit.outoffold.out_of_fold` that one number says, at its own
    thresholds; `roc_auc` by part.
    """
    picked = [strange[i] for i in chosen(strange, config)]
    views, onnx = [view.name for view in CONDITIONS], start.folder / start.manifest["network"]["onnx"]
    table = measured(work / "before.npz", picked, [onnx], views, config, report, start.enlargement)
    data = stack_data(table, picked, np.zeros(len(picked), np.int64), config)
    weights, calibration = row_weights(picked, table), start.calibration
    rows = np.column_stack([data.rows, data.log_odds])
    log_odds = np.array([start.head(row, vector).log_odds for row, vector in zip(rows, data.embedding, strict=True)])
    p = probabilities(calibration, log_odds, table.condition)
    verdicts = [calibration.verdict(float(value)) for value in p]
    said = figures_of(Scores.of(data.labels, p, verdicts), weights[None])
    auc = figures_of(Scores.of(data.labels, log_odds), weights[None])["roc_auc"]
    shares = {name: float(said[name][0]) for name in AT_THRESHOLDS}
    return {"from": start.name, "roc_auc": {"fused": float(auc[0])}, **shares}


def _brief(found: Mapping[str, Any]) -> str:
    return (
        f"AUC {found['roc_auc']['fused']:.3f}, {found['coverage']:.0%} answered, "
        f"{found['selective_accuracy']:.1%} of the answers right"
    )


def stated(start: Bundle, *, kept: bool) -> dict[str, Any]:
    """What a manifest says of the fusion that its own went on from: name, sum, first weights and training pictures."""
    training = start.manifest["training"]
    weights = {key: training[key] for key in ("weights", "weights_sha256") if key in training}
    before = {"from": start.name, "sha256": start.sha256, "kept": kept, **weights, **handed_on(training)}
    return {**weights, "extended": before}


def stranger_folds(samples: Sequence[Sample], start: Bundle, seed: int) -> NDArray[np.int64]:
    """(n,) fold of each picture whose source a fusion has not seen, and -1 for the others.

    A source is known by its name, or by any of its pictures.

    Raises
    ------
    RecipeError
        It is no fusion, does not state what it has seen, none of that is there, or fewer than two sources of a class
        are new.
    """
    trained, sums = ever(start.manifest.get("training", {})), overlap.seen(start)
    if start.manifest["head"]["kind"] == "none":
        raise RecipeError(f"{start.name} is a classifier, and only a fusion can be extended: use adapt")
    if sums is None or "sources" not in trained:
        raise RecipeError(f"{start.name} does not state what it has seen, so that no source is known to be new")
    known = {(label, name) for label, names in trained["sources"].items() for name in names}
    known |= {(s.label, s.source) for s in samples if overlap.short_sum(s.path) in sums}
    strange = [(sample.label, sample.source) not in known for sample in samples]
    new = {(sample.label, sample.source) for sample in compress(samples, strange)}
    ai, real = (sum(label == one for label, _ in new) for one in ("ai", "real"))
    if min(ai, real) < FOLDS:
        raise RecipeError(
            f"{start.name} is extended by sources that it has not seen, two of each class at least: there are {ai} new "
            f"AI and {real} new real ones"
        )
    if all(strange):
        raise RecipeError(f"give the pictures that {start.name} was trained on as well, or it forgets them")
    folds = np.full(len(samples), -1)
    # Of one generator, two new sources may stand in two folds: what counts is that neither was seen.
    folds[np.array(strange)] = family_folds(
        [replace(sample, generator="") for sample in compress(samples, strange)], FOLDS, seed
    )
    return folds
