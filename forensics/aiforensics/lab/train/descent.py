"""A network on its way down: AdamW, a learning rate that makes one cycle, and a moving average of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from aiforensics.lab.train.schedule import one_cycle
from aiforensics_models.parts import Parts


class Descent(Parts):
    """What takes a network through so many steps.

    Parameters
    ----------
    network, rates
        What learns, and its parameters with their peak learning rates, as AdamW takes them.
    steps
        Of the whole cycle.
    decay, average, clip
        Weight decay of AdamW, decay of the moving average, and the largest norm of a step's gradient.
    """

    def __init__(
        self, network: nn.Module, rates: list[dict[str, Any]], *, steps: int, decay: float, average: float, clip: float
    ) -> None:
        self._network, self._clip = network, clip
        self._averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(average), use_buffers=True)
        self._optimiser = torch.optim.AdamW(rates, weight_decay=decay)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimiser, lambda step: one_cycle(step / steps))
        learned = {"network": network, "averaged": self._averaged}
        self.parts = {**learned, "optimiser": self._optimiser, "schedule": self._schedule}

    @property
    def averaged(self) -> nn.Module:
        """The network with the moving average of its weights, which is what a training gives."""
        return self._averaged.module

    def step(self, loss: Tensor) -> None:
        """One step down a loss."""
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._optimiser.step()
        self._schedule.step()
        self._averaged.update_parameters(self._network)


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's weights as safetensors."""
    save_file({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}, path)
