"""One run of the forensic training: its loss, its steps, its looks at `val` and its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everybody writes it

from aiforensics.lab.data.progress import Report
from aiforensics.lab.judge.metrics import roc_auc
from aiforensics.lab.train.checkpoints import generators, keep, recall, restore_generators
from aiforensics.lab.train.cycles import Cycle, FinetuneConfig
from aiforensics.lab.train.descent import Descent, save_weights
from aiforensics.lab.train.loader import to_batch
from aiforensics.lab.train.recipes import DivergedError
from aiforensics_models.networks import Detector


class Run:
    """One training run: a network and its descent, history and checkpoint."""

    def __init__(
        self, network: Detector, out: Path, config: FinetuneConfig, cycle: Cycle, made_with: Mapping[str, Any]
    ) -> None:
        self.network, self.out, self.config, self.cycle = network, out, config, cycle
        self._made_with = {**made_with, "cycle": asdict(cycle)}
        rates = [
            {"params": [p for p in network.backbone.parameters() if p.requires_grad], "lr": cycle.body_rate},
            {"params": network.heads.parameters(), "lr": cycle.head_rate},
        ]
        settings = {"decay": config.weight_decay, "average": config.average, "clip": 2.0}
        self._descent = Descent(network, rates, steps=cycle.steps, **settings)
        self.step, self.best, self.looks_since_best = 0, -math.inf, 0
        self.history: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._right: list[float] = []
        self._checkpoint = out.with_suffix(".checkpoint")

    def learn(self, pixels: Tensor, labels: Tensor, votes: Tensor) -> None:
        """One optimiser step."""
        self.network.train()
        loss, right = batch_loss(self.network, pixels, labels, votes, self.config)
        self._descent.step(loss)
        self.step += 1
        self._losses.append(float(loss.detach()))
        self._right.append(float(right))

    def look(self, views: tuple[NDArray[np.float64], list[NDArray[np.uint8]]]) -> None:
        """Judge the moving average on `val`, keep it if it is to be kept, and write a checkpoint."""
        labels, pixels = views
        log_odds = score(self._descent.averaged, pixels)
        if not np.isfinite(log_odds).all():
            raise DivergedError(
                f"the network diverged by step {self.step}: give other first --weights or another --seed"
            )
        auc = roc_auc(labels, log_odds)
        loss = float(np.mean(np.logaddexp(0.0, np.where(labels > 0.5, -log_odds, log_odds))))
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
            save_weights(self._descent.averaged, self.out)
        keep(
            self._checkpoint,
            {
                "config": self._made_with,
                **self._descent.state(),
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
        if state is None:
            return
        if state["config"] != self._made_with:
            self._checkpoint.unlink()  # or whoever stops before the first look leaves it beside weights not its own
            return
        self._descent.restore(state)
        self.step, self.best = state["step"], state["best"]
        self.looks_since_best, self.history = state["looks_since_best"], state["history"]
        restore_generators(state)


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
