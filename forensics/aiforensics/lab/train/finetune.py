"""The forensic loss: a detector learns to tell AI pictures from real ones on delivered crops."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from aiforensics.image import read
from aiforensics.lab.data.dataset import Sample, digest
from aiforensics.lab.data.folds import balance, labels_of, origins
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.data.views import CONDITIONS, seeded, window
from aiforensics.lab.train.cycles import Cycle, FinetuneConfig, cycles_of, further_cycle
from aiforensics.lab.train.devices import drawing_threads, keep_memory, training_device
from aiforensics.lab.train.loader import CropLoader, middle, padded
from aiforensics.lab.train.recipes import first_weights
from aiforensics.lab.train.run import Run
from aiforensics_models.bundle import Device
from aiforensics_models.networks import Detector, build_detector
from aiforensics_models.weights import start_backbone


def finetune(
    train: Sequence[Sample],
    val: Sequence[Sample],
    out: Path,
    config: FinetuneConfig,
    *,
    weights: str = "none",
    start: Path | None = None,
    device: Device = "auto",
    compiled: bool = False,
    report: Report = lambda _line: None,
) -> list[dict[str, float]]:
    """Train a detector and write the moving average of its weights to `out`.

    Both classes and their sources weigh the same whatever their numbers. Every member of the ensemble weighs the
    sources in its own random way (Poisson bootstrap), so that their disagreement says how much hangs on which sources
    happened to be collected. Checkpoints beside `out` are resumed from.

    A first cycle trains everything and keeps the moment that is best on `val`. A second one holds the stem and the
    first blocks, which halves the cost of a step, and is kept as it ends: `val` is a few pictures of known sources, and
    while it stands still there, the score on unseen families still rises. A last one holds nothing; what is kept is the
    mean of the weights before and after it, which does better than either on new pictures of known sources (Wortsman et
    al., "Robust fine-tuning of zero-shot models", arXiv:2109.01903). A detector that goes on from a trained one runs
    one further cycle that holds nothing.

    Parameters
    ----------
    train, val
        Pictures to fit, and pictures to choose the best moment of the first cycle by.
    out
        safetensors file to write.
    config
        Knobs.
    weights
        First weights of the embedding network: `none`, `imagenet` or a file.
    start
        A trained detector to go on from, instead; its embedding may lack numbers in front of the architecture's.
    device
        Where PyTorch trains.
    compiled
        Compile the network first: half a minute, then faster steps (`benchmarks/training_step.py`).
    report
        Takes a line of progress.

    Returns
    -------
    The history of all cycles: `step`, `loss`, `accuracy` (of the crops since the last look), `val_auc` and `val_loss`.
    """
    where = training_device(device)
    keep_memory()
    history: list[dict[str, float]] = []
    cycles = cycles_of(config) if start is None else (further_cycle(config),)
    before_last = start is None and config.free_steps > 0
    trained = start
    for cycle in cycles:
        torch.manual_seed(cycle.seed)
        network = build_detector(config.architecture)
        if trained is not None:
            unscaled: int | None = network.load_grown(load_file(trained))  # numbers whose spread is not known yet
        else:
            start_backbone(network.backbone, config.architecture, weights)
            unscaled = None
        network = network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compiled:
            network.backbone.compile()
        made_with = asdict(config) | {"pictures": digest([*train, *val])}
        made_with |= {"start": sum_of(trained)} if trained is not None else first_weights(weights)
        path = out if cycle is cycles[-1] and not before_last else _beside(out, cycle.title)
        told = _train_cycle(network, train, val, path, config, cycle, made_with, unscaled=unscaled, report=report)
        before = history[-1]["step"] if history else 0.0
        history += [{**row, "step": row["step"] + before} for row in told]
        trained = path
    if before_last:
        mean_network([_beside(out, cycle.title) for cycle in cycles[-2:]], out)
    return history


def mean_network(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of some networks' weights; what is no number with a fraction is the last one's."""
    states = [load_file(path) for path in paths]
    mixed = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if last.is_floating_point() else last
        for name, last in states[-1].items()
    }
    save_file(mixed, out)


def _beside(out: Path, title: str) -> Path:
    return out.with_name(f"{out.stem}.{title}{out.suffix}")


def _train_cycle(
    network: Detector,
    train: Sequence[Sample],
    val: Sequence[Sample],
    out: Path,
    config: FinetuneConfig,
    cycle: Cycle,
    made_with: Mapping[str, Any],
    *,
    unscaled: int | None,
    report: Report,
) -> list[dict[str, float]]:
    network.hold(cycle.held_blocks)
    device = next(network.parameters()).device
    labels = labels_of(train).astype(np.float32)
    chances = balance(train, config.emphasis)
    chances /= chances.sum()
    loader = CropLoader(
        [sample.path for sample in train],
        lambda rng: rng.choice(len(train), size=config.batch, p=chances),
        config.side,
        cycle.seed,
        threads=drawing_threads(device),
    )
    votes = _member_weights(origins(train), network.heads.out_features, cycle.seed)
    views = _validation_views(val, config)
    run = Run(network, out, config, cycle, made_with)
    run.resume(report)
    if cycle.keep == "best" and run.looks_since_best >= config.patience:
        return run.history  # it had stopped early, and goes no further when the run is taken up again
    if unscaled != 0 and run.step == 0:
        _standardise(network, loader, unscaled)
    started, first = time.monotonic(), run.step
    for indices, pixels in loader.batches(run.step, cycle.steps):
        run.learn(pixels, torch.from_numpy(labels[indices]), torch.from_numpy(votes[indices]))
        if run.step % config.check_every == 0 or run.step == cycle.steps:
            run.look(views)
            latest = run.history[-1]
            spent = (time.monotonic() - started) / (run.step - first)
            report(
                f"{cycle.title} cycle, step {run.step}/{cycle.steps}  loss {latest['loss']:.3f}  "
                f"accuracy {latest['accuracy']:.3f}  val AUC {latest['val_auc']:.3f}  {1000 * spent:.0f} ms/step"
            )
            if cycle.keep == "best" and run.looks_since_best >= config.patience:
                report(f"no better AUC on val in {config.patience} looks: stopped early")
                break
    return run.history


def _member_weights(sources: Sequence[str], members: int, seed: int) -> NDArray[np.float32]:
    """(n, members): how much each member weighs a picture; one Poisson draw for each source and member."""
    rng = np.random.default_rng([seed, 1])
    drawn = {source: rng.poisson(1.0, members) + 0.25 for source in sorted(set(sources))}
    return np.array([drawn[source] for source in sources], np.float32)


def _validation_views(
    val: Sequence[Sample], config: FinetuneConfig
) -> tuple[NDArray[np.float64], list[NDArray[np.uint8]]]:
    """Labels (n,) and one delivered view of each picture; the conditions take turns."""
    rng = np.random.default_rng([config.seed, 2])
    chances = balance(val)
    count = min(config.check_pictures, len(val))
    chosen = rng.choice(len(val), size=count, replace=False, p=chances / chances.sum())
    labels = np.array([val[i].label == "ai" for i in chosen], np.float64)
    views = [
        CONDITIONS[turn % len(CONDITIONS)](middle(read(val[i].path)), seeded(val[i].path.name))
        for turn, i in enumerate(chosen)
    ]
    return labels, [padded(window(view, seeded("val"), 192), 64) for view in views]


@torch.no_grad()
def _standardise(network: Detector, loader: CropLoader, first: int | None) -> None:
    """Set centre and scale of the embedding's `first` numbers, or of all, from 20 batches: the heads' even ground."""
    network.eval()
    device = next(network.parameters()).device
    embeddings = [network.backbone(pixels.to(device))[0] for _, pixels in loader.batches(0, 20)]
    network.set_reference(torch.cat(embeddings), first)
