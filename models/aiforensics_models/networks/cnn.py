"""A plain convolutional network: three convolutions with pooling, a dense layer."""

from __future__ import annotations

from torch import nn

from aiforensics_models.networks.classifier import Classifier, DenseHead, centred

WIDTHS = (32, 64, 128)
GRID = 4
"""Places by side that the dense layer sees."""


def build_cnn(side: int) -> Classifier:
    """Build it for pictures of `side` px, a multiple of 32."""
    layers: list[nn.Module] = [centred()]
    channels = 3
    for width in WIDTHS:
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    layers.append(nn.AvgPool2d(side // 8 // GRID))
    return Classifier(nn.Sequential(*layers), DenseHead(channels * GRID * GRID, (128,), dropout=0.5), flatten=True)
