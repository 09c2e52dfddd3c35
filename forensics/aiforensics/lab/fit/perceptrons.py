"""Fitting a perceptron with one hidden layer, in the form that `aiforensics_models.perceptron` answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.perceptron import CUT, Perceptron

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
_BATCH = 256


@dataclass(frozen=True, slots=True)
class PerceptronConfig:
    """Knobs.

    Attributes
    ----------
    hidden
        Units.
    epochs, least_steps
        Times that every row is seen; more often where that would be fewer steps.
    dropout
        Share of the units that each step goes without; of the inputs a fifth.
    rate, decay
        Learning rate, which falls to 0 along a cosine, and weight decay of AdamW.
    way
        How far of the way from a `start` to where the steps lead its weights go; 1 is all of it.
    """

    hidden: int = 48
    epochs: int = 60
    least_steps: int = 0
    dropout: float = 0.4
    rate: float = 2e-3
    decay: float = 0.1
    way: float = 1.0


class PerceptronFit:
    """A perceptron on standardised rows.

    Parameters
    ----------
    rows
        (n, inputs).
    labels, weights
        (n,) 1 for `ai`; weight of each row.
    seed
        Of first weights, order and dropout.
    config
        Knobs.
    standing
        (n,) log-odds that stand already: the perceptron is fitted to what they leave; by default 0.
    start
        A perceptron of one hidden layer to go on from: its width and standardisation stay, and the weights decay
        towards its own, not towards 0 (Li et al. 2018, "Explicit inductive bias for transfer learning",
        arXiv:1802.01483).
    """

    def __init__(
        self,
        rows: NDArray[np.floating],
        labels: Floats,
        weights: Floats,
        seed: int,
        config: PerceptronConfig | None = None,
        standing: Floats | None = None,
        start: Perceptron | None = None,
    ) -> None:
        import torch  # noqa: PLC0415 - three seconds
        from torch import nn  # noqa: PLC0415

        config = config or PerceptronConfig()
        torch.manual_seed(seed)
        self._centre = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._scale = rows.std(axis=0, dtype=np.float64).astype(np.float32) + np.float32(1e-6)
        if start is not None:
            self._centre, self._scale = start.centre.astype(np.float32), start.scale.astype(np.float32)
        self._torch = torch
        x = self._standard(rows)
        y, w = torch.from_numpy(labels).float(), torch.from_numpy(weights / weights.mean()).float()
        before = torch.from_numpy(np.zeros(len(labels)) if standing is None else standing).float()
        hidden = config.hidden if start is None else len(start.layers[0][1])
        self._network = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(rows.shape[1], hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, 1),
        )
        self._linear = [layer for layer in self._network if isinstance(layer, nn.Linear)]
        home = [] if start is None else self._settle(start)
        self._descend((x, y, w, before), home, config)
        self._network.eval()
        with torch.no_grad():
            for parameter, first in home:
                parameter.lerp_(first, 1.0 - config.way)
            for layer in self._linear:  # what answers here is what is written down, in half of a bundle's room
                layer.weight.copy_(layer.weight.half())

    def margin(self, rows: NDArray[np.floating]) -> Floats:
        """(n, inputs) → (n,) log-odds."""
        with self._torch.no_grad():
            return np.asarray(self._network(self._standard(rows))[:, 0], np.float64)

    def save(self, path: Path) -> str:
        """Write a safetensors file; its name comes back."""
        from safetensors.numpy import save  # noqa: PLC0415

        tensors = {"centre": self._centre, "scale": self._scale}
        for index, layer in enumerate(self._linear):
            tensors[f"layer{index}.weight"] = layer.weight.detach().numpy().astype(np.float16)
            tensors[f"layer{index}.bias"] = layer.bias.detach().numpy()
        path.write_bytes(save(tensors))
        return path.name

    def _descend(self, data: Sequence[Tensor], home: Sequence[tuple[Tensor, Tensor]], config: PerceptronConfig) -> None:
        """Fit to standard rows, labels, weights and standing log-odds; weights decay towards `home`, or towards 0."""
        x, y, w, standing = data
        torch = self._torch
        optimiser = torch.optim.AdamW(self._network.parameters(), lr=config.rate, weight_decay=config.decay)
        epochs = max(config.epochs, math.ceil(config.least_steps / math.ceil(len(x) / _BATCH)))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
        for _ in range(epochs):
            for batch in torch.split(torch.randperm(len(x)), _BATCH):
                log_odds = self._network(x[batch])[:, 0] + standing[batch]
                loss = torch.nn.functional.binary_cross_entropy_with_logits(log_odds, y[batch], weight=w[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                with torch.no_grad():
                    for parameter, first in home:
                        parameter.add_(first, alpha=optimiser.param_groups[0]["lr"] * config.decay)
            schedule.step()

    def _settle(self, start: Perceptron) -> list[tuple[Tensor, Tensor]]:
        """Give the layers the weights of another perceptron; each parameter with a copy of what it is now."""
        tensor = self._torch.from_numpy
        with self._torch.no_grad():
            for layer, (weight, bias) in zip(self._linear, start.layers, strict=True):
                layer.weight.copy_(tensor(weight))
                layer.bias.copy_(tensor(bias))
        return [(parameter, parameter.detach().clone()) for parameter in self._network.parameters()]

    def _standard(self, rows: NDArray[np.floating]) -> Tensor:
        scaled = (rows.astype(np.float32) - self._centre) / self._scale
        return self._torch.from_numpy(np.clip(scaled, -CUT, CUT, out=scaled))
