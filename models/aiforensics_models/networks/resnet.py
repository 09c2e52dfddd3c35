"""A small residual network: ResNet-20 for small pictures (He et al., CVPR 2016, arXiv 1512.03385)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from aiforensics_models.networks.classifier import Classifier, DenseHead, centred

Attention = Callable[[int], nn.Module]


def build_resnet(_side: int) -> Classifier:
    """Build it for pictures of any side."""
    return Classifier(residual_body((16, 32, 64), 3), DenseHead(64))


def residual_body(widths: Sequence[int], blocks: int, attention: Attention = lambda _width: nn.Identity()) -> nn.Module:
    """Stack a 3×3 stem and stages of residual blocks; every stage but the first halves the side.

    Parameters
    ----------
    widths
        Channels of each stage.
    blocks
        Residual blocks of each stage.
    attention
        Makes what stands at the end of a block's body, before the shortcut is added, from its channels.
    """
    layers: list[nn.Module] = [
        centred(),
        nn.Conv2d(3, widths[0], 3, padding=1, bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(),
    ]
    channels = widths[0]
    for stage, width in enumerate(widths):
        for block in range(blocks):
            layers.append(BasicBlock(channels, width, 2 if stage and not block else 1, attention(width)))
            channels = width
    return nn.Sequential(*layers)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut, which is a 1×1 convolution where shapes differ (option B)."""

    def __init__(self, inputs: int, outputs: int, stride: int, attention: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            attention,
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) → (n, outputs, h/stride, w/stride)."""
        return F.relu(self.body(x) + self.shortcut(x))
