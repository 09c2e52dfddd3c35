"""torchvision's convolutional networks as embedding networks, for weights that were trained on ImageNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aiforensics_models.networks.classifier import imagenet
from aiforensics_models.networks.tracenet import statistics

_GROUPS = ("features", "layers", "trunk_output")
"""Submodules that hold the stages of a network one by one."""
TOPS = ("avgpool", "fc", "classifier", "AuxLogits", "aux1", "aux2")
"""Submodules that come after the last map, or stand beside the trunk."""
_PROBE = 64
"""Side in pixels of the smallest picture that is examined; it shows where a network halves its maps."""


class TorchvisionBackbone(nn.Module):
    """Mean and standard deviation over space of the last map at each resolution of a torchvision network.

    Parameters
    ----------
    name
        What torchvision calls it, such as `resnet18`, `mobilenet_v3_small`, `efficientnet_b0` or `convnext_tiny`.

    Raises
    ------
    ValueError
        If torchvision has no network of that name, or it is no sequence of convolutional stages.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        from torchvision import models  # noqa: PLC0415 - three seconds that TraceNet need not pay

        if name not in models.list_models(module=models):
            raise ValueError(f"torchvision has no network {name!r}")
        self.scale = imagenet()
        self.model = models.get_model(name, weights=None)
        for top in TOPS:
            if hasattr(self.model, top):
                delattr(self.model, top)
        self.taps, self.tap_channels = _taps(self.scale, self._steps(), name)
        self.dimension = 2 * sum(self.tap_channels)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) in [0, 255] → embedding (n, dimension), and the last tap's map (n, c, h', w')."""
        x = self.scale(pixels)
        found = []
        for index, step in enumerate(self._steps()):
            x = step(x)
            if index in self.taps:
                found.append(statistics(x))  # now: a later step may work in place
        return torch.cat(found, dim=1), x

    @property
    def last(self) -> nn.Module:
        """What makes the map that is returned."""
        return self._steps()[-1]

    def first(self, blocks: int) -> tuple[nn.Module, ...]:
        """What makes the first `blocks` taps."""
        return tuple(self._steps()[: self.taps[min(blocks, len(self.taps)) - 1] + 1])

    def _steps(self) -> list[nn.Module]:
        """The trunk as a sequence; a container of stages counts as its stages."""
        steps: list[nn.Module] = []
        for name, part in self.model.named_children():
            steps += part.children() if name in _GROUPS else [part]
        return steps


@torch.no_grad()
def _taps(scale: nn.Module, steps: list[nn.Module], name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices of the steps whose map is the last of its resolution, and their channels."""
    x = torch.zeros(1, 3, _PROBE, _PROBE)
    shapes: list[tuple[int, int]] = []
    try:
        x = scale(x)
        for step in steps:
            x = step.eval()(x)
            shapes.append((int(x.shape[1]), int(x.shape[2])) if x.ndim == 4 else (0, 0))
            step.train()
    except (RuntimeError, TypeError, ValueError, AssertionError, AttributeError, IndexError) as error:
        raise ValueError(f"{name} is no sequence of convolutional stages: choose another network") from error
    last = [i for i, (_, side) in enumerate(shapes) if i + 1 == len(shapes) or shapes[i + 1][1] < side]
    if not last or any(side < 1 or side >= _PROBE for _, side in shapes[last[-1] :]):
        raise ValueError(f"{name} is no sequence of convolutional stages: choose another network")
    kept = [i for i in last if shapes[i][1] < _PROBE]
    return tuple(kept), tuple(shapes[i][0] for i in kept)
