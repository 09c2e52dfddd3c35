"""Label-free pretraining: TraceNet learns to see as a teacher sees, on any pictures.

The last block of each stage of the student regresses the same block of the teacher on the same delivered crop, so that
the student has learned the textures of natural pictures before it sees a label. Its weights start at random and are its
own. The idea is feature distillation (FitNets, Romero et al., arXiv 1412.6550), with every stage as a hint.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.train.checkpoints import keep, recall
from aiforensics.lab.train.descent import Descent, save_weights
from aiforensics.lab.train.devices import drawing_threads, keep_memory
from aiforensics.lab.train.loader import CropLoader
from aiforensics.lab.train.recipes import DivergedError
from aiforensics.lab.train.teacher import Teacher
from aiforensics_models.networks.tracenet import TraceNet

RECENT = 100
"""Last steps whose mean says how much the student does not explain."""
HINTS = (1, 3, 6, 8, 10, 13, 16)
"""The blocks that are compared: the last of each stage, and one in the middle of the longest."""


@dataclass(frozen=True, slots=True)
class PretrainConfig:
    """Knobs of `pretrain`; the defaults made the shipped network.

    Attributes
    ----------
    steps, batch, side
        Optimiser steps, crops per step, side of a crop in pixels.
    peak_rate
        Peak learning rate of AdamW under a one-cycle cosine.
    average
        Decay of the moving average of the weights that is saved.
    seed
        Of the weights and the crops.
    """

    steps: int = 2200
    batch: int = 40
    side: int = 112
    peak_rate: float = 3e-3
    average: float = 0.997
    seed: int = 0


def pretrain(
    pictures: Sequence[Path],
    teacher: Teacher,
    out: Path,
    config: PretrainConfig,
    report: Report = lambda _line: None,
) -> dict[str, float]:
    """Distil `teacher` into a new TraceNet and write its weights to `out`.

    A checkpoint stands beside `out` and is resumed from where it belongs to the same knobs, teacher and files.

    Parameters
    ----------
    pictures
        Files to learn from; their labels are never asked.
    teacher
        What to imitate; the student trains where it is.
    out
        safetensors file to write.
    config
        Knobs.
    report
        Takes a line of progress.

    Returns
    -------
    The mean unexplained variance per block of the last 100 steps, by block (`block_3`: 0.1 means R² = 0.9).

    Raises
    ------
    InputError
        A picture cannot be read; the line names it.
    DivergedError
        The student answers with what is no number.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    keep_memory()
    torch.manual_seed(config.seed)
    device = teacher.device
    network = TraceNet().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    rates = [{"params": network.parameters(), "lr": config.peak_rate}]
    descent = Descent(network, rates, steps=config.steps, decay=1e-4, average=config.average, clip=5.0)
    checkpoint = out.with_suffix(".checkpoint")
    sums = "\n".join(sum_of(path) for path in pictures)
    made_with = {
        **asdict(config),
        "pictures": hashlib.sha256(sums.encode()).hexdigest(),
        "teacher": teacher.sha256,
    }
    first, history = 0, list[NDArray[np.float64]]()
    state = recall(checkpoint, report)
    if state is not None and state["config"] == made_with:
        descent.restore(state)
        first, history = state["step"], list(state["recent"].numpy())
    started = time.monotonic()
    loader = CropLoader(
        pictures,
        lambda rng: rng.integers(len(pictures), size=config.batch),
        config.side,
        config.seed,
        drawing_threads(device),
    )
    for step, (_, crops) in enumerate(loader.batches(first, config.steps), start=first):
        pixels = crops.to(device, non_blocking=True)
        targets = teacher(pixels)
        outputs = network.trunk(pixels)
        losses = _unexplained([outputs[tap] for tap in HINTS], [targets[tap] for tap in HINTS])
        descent.step(losses.mean())
        history.append(losses.detach().cpu().numpy().astype(np.float64))
        if (step + 1) % 100 == 0:
            unexplained = np.mean(history[-RECENT:], axis=0)
            spent = time.monotonic() - started
            report(
                f"step {step + 1}/{config.steps}  unexplained {unexplained.mean():.3f}  "
                f"last block {unexplained[-1]:.3f}  {spent / (step + 1 - first) * 1000:.0f} ms/step"
            )
        if (step + 1) % 500 == 0 or step + 1 == config.steps:
            if not np.isfinite(history[-1]).all():
                raise DivergedError(f"the student diverged by step {step + 1}: give another --seed or --teacher")
            # Before the checkpoint: a run that is killed in between must not pass for one that is done.
            save_weights(descent.averaged, out)
            recent = torch.from_numpy(np.array(history[-RECENT:]))
            keep(checkpoint, {"config": made_with, **descent.state(), "step": step + 1, "recent": recent})
    unexplained = np.mean(history[-RECENT:], axis=0).tolist()
    return {f"block_{block}": value for block, value in zip(HINTS, unexplained, strict=True)}


def _unexplained(student: list[Tensor], teacher: list[Tensor]) -> Tensor:
    """Mean squared error of each block, in units of the teacher's variance per channel: (blocks,)."""
    losses = []
    for mine, theirs in zip(student, teacher, strict=True):
        centre = theirs.mean(dim=(0, 2, 3), keepdim=True)
        variance = (theirs - centre).square().mean(dim=(0, 2, 3), keepdim=True)
        scale = variance + 0.05 * variance.mean()  # a channel that hardly moves must not dominate
        losses.append(((mine - theirs).square() / scale).mean())
    return torch.stack(losses)
