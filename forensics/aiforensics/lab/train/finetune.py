"""The forensic loss: a detector learns to tell AI pictures from real ones on delivered crops."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everybody writes it

from aiforensics.image import read
from aiforensics.lab.data.dataset import Sample, digest
from aiforensics.lab.data.folds import balance, origins
from aiforensics.lab.data.views import CONDITIONS, seeded, window
from aiforensics.lab.judge.metrics import roc_auc
from aiforensics.lab.train.checkpoints import generators, keep, recall, restore_generators
from aiforensics.lab.train.devices import Device, drawing_threads, keep_memory, training_device
from aiforensics.lab.train.loader import CropLoader, middle, padded, to_batch
from aiforensics.lab.train.recipes import DivergedError, first_weights
from aiforensics.lab.train.schedule import one_cycle
from aiforensics_models.networks import Detector, build_detector
from aiforensics_models.weights import start_backbone

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """Knobs of `finetune`; the defaults made the shipped network.

    Attributes
    ----------
    architecture
        Name of the embedding network.
    steps, batch, side
        Optimiser steps of the first cycle at most, crops per step, side of a crop in pixels.
    body_rate, head_rate
        Peak learning rates of AdamW in the first cycle, a one-cycle cosine.
    held_steps, held_blocks, held_rate
        Steps of a second cycle, whose stem and first blocks are held fixed, how many blocks, and its peak learning
        rate; no such cycle at 0 steps.
    free_steps, free_rate
        Steps of a last cycle that holds nothing, and its peak learning rate for the body; no such cycle at 0 steps.
    weight_decay, dropout, smoothing
        Of the weights, of the standardised embedding, and of the labels.
    average
        Decay of the moving average of the weights that is kept.
    check_every, patience
        Steps between two looks at `val`, and looks without a better AUC before the first cycle stops.
    check_pictures
        Pictures of `val` at most that a look uses.
    emphasis
        How many times the crops of a source count, by `label/source`; once where it is not named.
    seed
        Of everything random.
    """

    architecture: str = "tracenet"
    steps: int = 1600
    batch: int = 32
    side: int = 144
    body_rate: float = 6e-4
    head_rate: float = 1e-3
    held_steps: int = 2000
    held_blocks: int = 3
    held_rate: float = 5e-4
    free_steps: int = 0
    free_rate: float = 4e-4
    weight_decay: float = 0.02
    dropout: float = 0.2
    smoothing: float = 0.05
    average: float = 0.997
    check_every: int = 400
    patience: int = 4
    check_pictures: int = 300
    emphasis: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Cycle:
    """One run of the learning rate up and down."""

    title: str
    steps: int
    body_rate: float
    head_rate: float
    held_blocks: int
    keep: Literal["best", "last"]
    seed: int


def finetune(
    train: Sequence[Sample],
    val: Sequence[Sample],
    out: Path,
    config: FinetuneConfig,
    *,
    weights: str = "none",
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
    al., "Robust fine-tuning of zero-shot models", arXiv:2109.01903).

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
    start: Path | None = None
    cycles = _cycles(config)
    for cycle in cycles:
        torch.manual_seed(cycle.seed)
        network = build_detector(config.architecture)
        if start is not None:
            network.load_state_dict(load_file(start))
        else:
            start_backbone(network.backbone, config.architecture, weights)
        network = network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compiled:
            network.backbone.compile()
        made_with = asdict(config) | first_weights(weights) | {"pictures": digest([*train, *val])}
        path = out if cycle is cycles[-1] and cycle.title != "free" else _beside(out, cycle.title)
        told = _train_cycle(network, train, val, path, config, cycle, made_with, fresh=start is None, report=report)
        before = history[-1]["step"] if history else 0.0
        history += [{**row, "step": row["step"] + before} for row in told]
        start = path
    if config.free_steps:
        _mean([_beside(out, cycle.title) for cycle in cycles[-2:]], out)
    return history


def _cycles(config: FinetuneConfig) -> tuple[_Cycle, ...]:
    first = _Cycle("first", config.steps, config.body_rate, config.head_rate, 0, "best", config.seed)
    rate, free = config.held_rate, config.free_rate
    later = (
        _Cycle("held", config.held_steps, rate, rate, config.held_blocks, "last", config.seed + 7),
        _Cycle("free", config.free_steps, free, rate, 0, "last", config.seed + 14),
    )
    return first, *(cycle for cycle in later if cycle.steps)


def _beside(out: Path, title: str) -> Path:
    return out.with_name(f"{out.stem}.{title}{out.suffix}")


def _mean(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of some networks' weights; what is no number with a fraction is the last one's."""
    states = [load_file(path) for path in paths]
    mixed = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if last.is_floating_point() else last
        for name, last in states[-1].items()
    }
    save_file(mixed, out)


def _train_cycle(
    network: Detector,
    train: Sequence[Sample],
    val: Sequence[Sample],
    out: Path,
    config: FinetuneConfig,
    cycle: _Cycle,
    made_with: Mapping[str, Any],
    *,
    fresh: bool,
    report: Report,
) -> list[dict[str, float]]:
    network.hold(cycle.held_blocks)
    device = next(network.parameters()).device
    labels = np.array([sample.label == "ai" for sample in train], np.float32)
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
    run = _Run(network, out, config, cycle, made_with)
    run.resume(report)
    if cycle.keep == "best" and run.looks_since_best >= config.patience:
        return run.history  # it had stopped early, and goes no further when the run is taken up again
    if fresh and run.step == 0:
        _standardise(network, loader)
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


def score(network: nn.Module, views: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(n,) mean log-odds over the members for (h, w, 3) uint8 views."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        return np.array([float(network(to_batch([view]).to(device))[0].mean()) for view in views])


def batch_loss(
    network: Detector, pixels: Tensor, labels: Tensor, votes: Tensor, config: FinetuneConfig
) -> tuple[Tensor, Tensor]:
    """Loss of a batch where the network is, and the share of the batch that is called right.

    Parameters
    ----------
    network
        The detector.
    pixels, labels, votes
        (n, 3, h, w) in [0, 255]; (n,) 1 for `ai`; (n, members) how much each member weighs each picture.
    config
        Knobs.
    """
    device = next(network.parameters()).device
    pixels, labels, votes = (tensor.to(device, non_blocking=True) for tensor in (pixels, labels, votes))
    embedding, _ = network.backbone(pixels)
    logits = network.heads(F.dropout(network.standardise(embedding), config.dropout))
    targets = labels[:, None] * (1 - config.smoothing) + config.smoothing / 2
    losses = F.binary_cross_entropy_with_logits(logits, targets.expand_as(logits), reduction="none")
    right = (logits.detach().mean(dim=1) > 0) == (labels > 0.5)
    return (losses * votes).sum() / votes.sum().clamp_min(1.0), right.float().mean()


class _Run:
    """One training run: network, moving average, optimiser, schedule, history and checkpoint."""

    def __init__(
        self, network: Detector, out: Path, config: FinetuneConfig, cycle: _Cycle, made_with: Mapping[str, Any]
    ) -> None:
        self.network, self.out, self.config, self.cycle = network, out, config, cycle
        self._made_with = dict(made_with) | asdict(cycle)
        self.averaged = torch.optim.swa_utils.AveragedModel(
            network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.average), use_buffers=True
        )
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in network.backbone.parameters() if p.requires_grad], "lr": cycle.body_rate},
                {"params": network.heads.parameters(), "lr": cycle.head_rate},
            ],
            weight_decay=config.weight_decay,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: one_cycle(step / cycle.steps))
        self.step, self.best, self.looks_since_best = 0, -math.inf, 0
        self.history: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._right: list[float] = []
        self._checkpoint = out.with_suffix(".checkpoint")

    def learn(self, pixels: Tensor, labels: Tensor, votes: Tensor) -> None:
        """One optimiser step."""
        self.network.train()
        loss, right = batch_loss(self.network, pixels, labels, votes, self.config)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        self.step += 1
        self._losses.append(float(loss.detach()))
        self._right.append(float(right))

    def look(self, views: tuple[NDArray[np.float64], list[NDArray[np.uint8]]]) -> None:
        """Judge the moving average on `val`, keep it if it is to be kept, and write a checkpoint."""
        labels, pixels = views
        odds = score(self.averaged.module, pixels)
        if not np.isfinite(odds).all():
            raise DivergedError(
                f"the network diverged by step {self.step}: give other first --weights or another --seed"
            )
        auc = roc_auc(labels, odds)
        loss = float(np.mean(np.logaddexp(0.0, np.where(labels > 0.5, -odds, odds))))
        self.history.append(
            {
                "step": float(self.step),
                "loss": float(np.mean(self._losses)),
                "accuracy": float(np.mean(self._right)),
                "val_auc": auc,
                "val_loss": loss,
            }
        )
        self._losses, self._right = [], []
        self.looks_since_best += 1
        if auc > self.best:
            self.best, self.looks_since_best = auc, 0
        if self.cycle.keep == "last" or not self.looks_since_best:
            state = self.averaged.module.state_dict()
            save_file({name: tensor.contiguous().cpu() for name, tensor in state.items()}, self.out)
        keep(
            self._checkpoint,
            {
                "config": self._made_with,
                "network": self.network.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict(),
                "step": self.step,
                "best": self.best,
                "looks_since_best": self.looks_since_best,
                "history": self.history,
                **generators(),
            },
        )

    def resume(self, report: Report) -> None:
        """Go on from the checkpoint, where there is one of this run."""
        state = recall(self._checkpoint, report)
        if state is None or state["config"] != self._made_with:
            return
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.best = state["step"], state["best"]
        self.looks_since_best, self.history = state["looks_since_best"], state["history"]
        restore_generators(state)


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
def _standardise(network: Detector, loader: CropLoader) -> None:
    """Set centre and scale of the embedding from 20 batches, so that the heads start on even ground."""
    network.eval()
    device = next(network.parameters()).device
    embeddings = [network.backbone(pixels.to(device))[0] for _, pixels in loader.batches(0, 20)]
    network.set_reference(torch.cat(embeddings))
