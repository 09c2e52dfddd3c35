"""Networks whose input picture is the error level analysis of the window; the runtime computes it (input `ela`)."""

from __future__ import annotations

from torch import nn

from aiforensics_models.networks.classifier import Classifier, DenseHead, centred
from aiforensics_models.networks.transfer import body

CHANNELS = 32


def build_ela_cnn(side: int) -> Classifier:
    """Two convolutions with pooling, dropout, a dense layer, for pictures of `side` px, a multiple of 4."""
    layers = nn.Sequential(
        centred(),
        nn.Conv2d(3, CHANNELS, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(CHANNELS, CHANNELS, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
    )
    return Classifier(layers, DenseHead(CHANNELS * (side // 4) ** 2, (128,), dropout=0.5), flatten=True)


def build_ela_resnet50(_side: int) -> Classifier:
    """ResNet-50 → 256 → batch norm → dropout 0.5 → 128 → 1 on the error level picture."""
    return Classifier(body("resnet50"), DenseHead(2048, (256, 128), norm=True, dropout=0.5))
