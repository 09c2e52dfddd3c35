"""A moving average of a network's weights, which is what generators are sampled from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average that soon forgets the random weights it started from.

    With a constant decay of 0.999 they would still be a third of the average after a thousand steps. After n steps the
    decay is min(`decay`, (1 + n) / (10 + n)), as in TensorFlow's `ExponentialMovingAverage` with `num_updates`. Buffers
    such as batch statistics are copied.
    """

    @torch.no_grad()
    def blend(means: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        kept = min(decay, (1 + int(steps)) / (10 + int(steps)))
        for mean, weight in zip(means, weights, strict=True):
            mean.lerp_(weight, 1 - kept)

    averaged = AveragedModel(network, multi_avg_fn=blend)
    return averaged.eval()
