"""TraceNet: the embedding network that the shipped bundle carries.

RGB and three fixed high-pass residuals of the luma enter a stack of inverted residual blocks (MobileNetV2, Sandler et
al., CVPR 2018, arXiv 1801.04381) at native resolution. The embedding is the mean and standard deviation over space of
several early and middle stages: traces of generation live in the texture statistics that those stages see, and
statistics over space survive cropping (RECIPES of the field: RINE, arXiv 2402.19091, reads intermediate stages too).
`tracenet-gram` reads how the channels of early stages go together as well (Gram-Net, Liu et al., CVPR 2020, arXiv
2002.00133): its authors found such texture to hold where pictures are reduced or compressed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STAGES: tuple[tuple[int, int, int, int], ...] = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
)
"""Expansion, channels, repeats and first stride of each stage."""
TAPS: tuple[int, ...] = (1, 3, 6, 10, 13, 16)
"""Blocks whose output statistics form the embedding (1 is the first block after the stem)."""
TEXTURES: tuple[int, ...] = (1, 3, 6)
"""Blocks whose channels' correlations stand in front of it in `tracenet-gram`."""


class TraceNet(nn.Module):
    """Stem, 16 inverted residual blocks, and statistics of the tapped blocks.

    Parameters
    ----------
    textures
        Indices of the blocks whose channels' correlations over space stand in front of what `TAPS` gives.
    """

    def __init__(self, textures: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.textures = textures
        self.residuals = HighPass()
        self.stem = ConvBlock(6, 32, kernel=3, stride=2)
        blocks: list[nn.Module] = []
        channels = 32
        for expansion, width, repeats, stride in STAGES:
            for repeat in range(repeats):
                blocks.append(InvertedResidual(channels, width, stride if repeat == 0 else 1, expansion))
                channels = width
        self.blocks = nn.ModuleList(blocks)
        widths = [width for _, width, repeats, _ in STAGES for _ in range(repeats)]
        self.tap_channels: tuple[int, ...] = tuple(widths[tap - 1] for tap in TAPS)
        pairs = (widths[block - 1] * (widths[block - 1] - 1) // 2 for block in textures)
        self.dimension = sum(pairs) + 2 * sum(self.tap_channels)

    @property
    def last(self) -> nn.Module:
        """What makes the map that is returned."""
        return self.blocks[-1]

    def first(self, blocks: int) -> tuple[nn.Module, ...]:
        """What stands before block `blocks + 1`: the residuals, the stem and the first blocks."""
        return self.residuals, self.stem, *self.blocks[:blocks]

    def trunk(self, pixels: Tensor) -> list[Tensor]:
        """(n, 3, h, w) in [0, 255] → the stem's and every block's output, in order."""
        x = self.stem(self.residuals(pixels))
        outputs = [x]
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) in [0, 255] → embedding (n, dimension), and the last tap's map (n, channels, h/16, w/16)."""
        outputs = self.trunk(pixels)
        maps = [outputs[tap] for tap in TAPS]
        texture = [correlations(outputs[block]) for block in self.textures]
        return torch.cat([*texture, *(statistics(m) for m in maps)], dim=1), maps[-1]


class HighPass(nn.Module):
    """RGB scaled to [-1, 1], beside three fixed high-pass residuals of the luma.

    The kernels are the first-order horizontal and vertical and the second-order 5×5 "KV" residuals of the spatial rich
    model (Fridrich & Kodovsky, 2012, doi:10.1109/TIFS.2012.2190402), truncated to ±16 grey levels and divided by 8.
    """

    def __init__(self) -> None:
        super().__init__()
        kernels = torch.zeros(3, 1, 5, 5)
        kernels[0, 0, 2, 2:4] = torch.tensor([-1.0, 1.0])
        kernels[1, 0, 2:4, 2] = torch.tensor([-1.0, 1.0])
        kernels[2, 0] = (
            torch.tensor(
                [
                    [-1.0, 2, -2, 2, -1],
                    [2, -6, 8, -6, 2],
                    [-2, 8, -12, 8, -2],
                    [2, -6, 8, -6, 2],
                    [-1, 2, -2, 2, -1],
                ]
            )
            / 12
        )
        self.register_buffer("kernels", kernels)
        self.register_buffer("luma", torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1))
        self.kernels: Tensor
        self.luma: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 255] → (n, 6, h, w)."""
        luma = (pixels * self.luma).sum(dim=1, keepdim=True)
        residual = F.conv2d(F.pad(luma, (2, 2, 2, 2), mode="replicate"), self.kernels)
        return torch.cat([pixels / 127.5 - 1, residual.clamp(-16, 16) / 8], dim=1)


class ConvBlock(nn.Sequential):
    """Convolution padded as TensorFlow's SAME, batch norm and, unless `linear`, ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        padding = (kernel - 1) // 2 if stride == 1 else 0
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        if stride == 2:
            layers.insert(0, nn.ZeroPad2d((0, 1, 0, 1)))
        if not linear:
            layers.append(nn.ReLU6())
        super().__init__(*layers)


class InvertedResidual(nn.Module):
    """Expand 1×1, depthwise 3×3, project 1×1; a shortcut where shapes agree (arXiv 1801.04381, figure 4)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [ConvBlock(inputs, hidden, kernel=1)]
        layers += [
            ConvBlock(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            ConvBlock(hidden, outputs, kernel=1, linear=True),
        ]
        self.body = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) → (n, outputs, h/stride, w/stride)."""
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


def statistics(maps: Tensor) -> Tensor:
    """(n, c, h, w) → (n, 2c): mean and standard deviation of each channel over space."""
    flat = maps.flatten(2)
    mean = flat.mean(dim=2)
    variance = (flat - mean[:, :, None]).square().mean(dim=2)
    return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


def correlations(maps: Tensor) -> Tensor:
    """(n, c, h, w) → (n, c·(c - 1)/2): Pearson's correlation over space of each pair of channels, in [-1, 1]."""
    flat = maps.flatten(2)
    centred = flat - flat.mean(dim=2, keepdim=True)
    scaled = centred * (centred.square().sum(dim=2, keepdim=True) + 1e-5 * flat.shape[2]).rsqrt()
    channels = maps.shape[1]
    above = [row * channels + column for row in range(channels) for column in range(row + 1, channels)]
    return (scaled @ scaled.transpose(1, 2)).flatten(1)[:, above]
