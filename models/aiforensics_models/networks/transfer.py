"""torchvision's ResNets as bodies, for weights that were trained on ImageNet."""

from __future__ import annotations

from torch import nn

from aiforensics_models.networks.classifier import Classifier, DenseHead, imagenet

_PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


def build_resnet50_transfer(_side: int) -> Classifier:
    """ResNet-50 → 256 → batch norm → dropout 0.5 → 128 → 1; the whole network is trained."""
    return Classifier(body("resnet50"), DenseHead(2048, (256, 128), norm=True, dropout=0.5))


def build_resnet18_frozen(_side: int) -> Classifier:
    """ResNet-18 of which only the last layer is trained."""
    return Classifier(body("resnet18"), DenseHead(512), frozen=("body",))


def build_resnet18_finetuned(_side: int) -> Classifier:
    """ResNet-18 of which `layer4` and the last layer are trained."""
    return Classifier(body("resnet18"), DenseHead(512), frozen=[f"body.{part}" for part in _PARTS[:-1]])


def body(name: str) -> nn.Module:
    """Build `resnet18` or `resnet50` without its last layers, with torchvision's names of the weights."""
    from torchvision import models  # noqa: PLC0415 - three seconds that other recipes need not pay

    network = models.get_model(name, weights=None)
    parts = nn.Sequential()
    parts.add_module("scale", imagenet())
    for part in _PARTS:
        parts.add_module(part, getattr(network, part))
    return parts
