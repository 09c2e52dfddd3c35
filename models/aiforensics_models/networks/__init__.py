"""Network architectures, one file each, and the one place that builds them by name. Needs the `train` extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from aiforensics_models.networks.cbam_resnet import build_cbam_resnet
from aiforensics_models.networks.classifier import Classifier
from aiforensics_models.networks.cnn import build_cnn
from aiforensics_models.networks.detector import MEMBERS, Detector
from aiforensics_models.networks.ela import build_ela_cnn, build_ela_resnet50
from aiforensics_models.networks.resnet import build_resnet
from aiforensics_models.networks.resnet18 import build_resnet18
from aiforensics_models.networks.scratch_twin import build_scratch_twin
from aiforensics_models.networks.torchvision_backbone import TorchvisionBackbone
from aiforensics_models.networks.tracenet import TEXTURES, TraceNet
from aiforensics_models.networks.transfer import (
    build_resnet18_finetuned,
    build_resnet18_frozen,
    build_resnet50_transfer,
)

__all__ = [
    "BACKBONES",
    "CLASSIFIERS",
    "Classifier",
    "Detector",
    "TorchvisionBackbone",
    "TraceNet",
    "build_classifier",
    "build_detector",
    "load_detector",
]

BACKBONES: dict[str, Callable[[], nn.Module]] = {
    "tracenet": TraceNet,
    "tracenet-gram": partial(TraceNet, textures=TEXTURES),
}
"""This project's own embedding networks by name: each has `dimension`, `tap_channels`, `last`, and returns (embedding,
last map). torchvision's convolutional networks stand beside them under their own names."""

CLASSIFIERS: dict[str, Callable[[int], Classifier]] = {
    "cnn": build_cnn,
    "resnet": build_resnet,
    "cbam-resnet": build_cbam_resnet,
    "resnet18": build_resnet18,
    "resnet50-transfer": build_resnet50_transfer,
    "ela-cnn": build_ela_cnn,
    "ela-resnet50": build_ela_resnet50,
    "scratch-cnn-numpy": build_scratch_twin,
    "resnet18-frozen": build_resnet18_frozen,
    "resnet18-finetuned": build_resnet18_finetuned,
}
"""Classifiers by name, built for a side in pixels."""
SIDES: dict[str, int] = {"cnn": 32, "ela-cnn": 4}
"""What the side must be a multiple of, where it matters."""


def build_detector(architecture: str, members: int = MEMBERS) -> Detector:
    """Build a detector with random weights.

    Parameters
    ----------
    architecture
        Out of `BACKBONES`, or torchvision's name of a convolutional network, such as `resnet18`.
    members
        Heads of the ensemble.

    Raises
    ------
    ValueError
        If there is no architecture of that name.
    """
    if architecture in BACKBONES:
        return Detector(BACKBONES[architecture](), members)
    try:
        return Detector(TorchvisionBackbone(architecture), members)
    except ValueError as error:
        own = ", ".join(BACKBONES)
        raise ValueError(
            f"{error}; choose {own}, or a convolutional network of torchvision's such as resnet18"
        ) from error


def build_classifier(architecture: str, side: int, filters: int = 8) -> Classifier:
    """Build a classifier with random weights.

    Parameters
    ----------
    architecture
        Out of `CLASSIFIERS`.
    side
        Side of its input in pixels.
    filters
        For `scratch-cnn-numpy` alone.

    Raises
    ------
    ValueError
        If there is no architecture of that name, or it cannot have that side.
    """
    if architecture not in CLASSIFIERS:
        raise ValueError(f"there is no network {architecture!r}: choose from {', '.join(CLASSIFIERS)}")
    if architecture == "scratch-cnn-numpy":
        if side != 32:
            raise ValueError("scratch-cnn-numpy reads pictures of 32 px")
        return build_scratch_twin(side, filters)
    step = SIDES.get(architecture, 1)
    if side % step:
        raise ValueError(f"{architecture} needs a side that is a multiple of {step} px")
    return CLASSIFIERS[architecture](side)


def load_detector(path: Path, manifest: Mapping[str, Any]) -> nn.Module:
    """Build the network that a bundle's `network` entry describes and load its safetensors."""
    name = str(manifest["architecture"])
    network: nn.Module
    if name in CLASSIFIERS:
        network = build_classifier(name, int(manifest["side"]), int(manifest.get("filters", 8)))
    else:
        network = build_detector(name, int(manifest["members"]))
    network.load_state_dict(load_file(path))
    return network
