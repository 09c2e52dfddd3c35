"""A MobileNetV2 teacher read from a safetensors file of folded weights. It teaches; it is never shipped."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - as everybody writes it

from aiforensics.lab.data.sums import sum_of
from aiforensics_models.networks.tracenet import STAGES


class Teacher:
    """MobileNetV2 1.0 up to block 16, with batch norm folded into the convolutions (arXiv 1801.04381, table 2).

    Parameters
    ----------
    path
        safetensors with `f.0.c.weight`, `f.0.c.bias` for the stem and `f.<block>.m.<k>.c.{weight,bias}` for the blocks.
    device
        Where it runs; the CPU without.

    Raises
    ------
    ValueError
        If the file cannot be read, or lacks a tensor of that layout.
    """

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        try:
            self.sha256 = sum_of(path)
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            raise ValueError(f"the teacher {path} cannot be read as safetensors ({error}): name another file") from None
        self.weights = {name: _fast(tensor.float()).to(self.device) for name, tensor in tensors.items()}
        if "f.0.c.weight" not in self.weights or "f.16.m.2.c.weight" not in self.weights:
            raise ValueError(f"{path} is not a folded MobileNetV2: it has no f.0 … f.16 tensors: name another file")

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> list[Tensor]:
        """(n, 3, h, w) in [0, 255] → the stem's and every block's output, in order."""
        x = F.relu6(self._conv(pixels / 127.5 - 1, "f.0", stride=2))
        outputs = [x]
        inputs, block = 32, 1
        for expansion, channels, repeats, first_stride in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                y, layer = x, 0
                if expansion != 1:
                    y = F.relu6(self._conv(y, f"f.{block}.m.0"))
                    layer = 1
                y = F.relu6(self._conv(y, f"f.{block}.m.{layer}", stride=stride, depthwise=True))
                y = self._conv(y, f"f.{block}.m.{layer + 1}")
                x = x + y if stride == 1 and inputs == channels else y
                inputs, block = channels, block + 1
                outputs.append(x)
        return outputs

    def _conv(self, x: Tensor, name: str, *, stride: int = 1, depthwise: bool = False) -> Tensor:
        weight, bias = self.weights[f"{name}.c.weight"], self.weights[f"{name}.c.bias"]
        if stride == 2:
            x = F.pad(x, (0, 1, 0, 1))
        padding = weight.shape[-1] // 2 if stride == 1 else 0
        return F.conv2d(x, weight, bias, stride, padding, groups=weight.shape[0] if depthwise else 1)


def _fast(weight: Tensor) -> Tensor:
    """Channels last, which the CPU's convolutions want."""
    return weight.contiguous(memory_format=torch.channels_last) if weight.ndim == 4 else weight
