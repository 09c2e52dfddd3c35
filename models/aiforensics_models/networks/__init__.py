"""Network architectures, one file each, and the one place that builds a detector by name. Needs the `train` extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from aiforensics_models.networks.detector import MEMBERS, Detector
from aiforensics_models.networks.tracenet import TraceNet

__all__ = ["BACKBONES", "Detector", "TraceNet", "build_detector", "load_detector"]

BACKBONES: dict[str, Callable[[], nn.Module]] = {"tracenet": TraceNet}
"""Embedding networks by name: each has `dimension`, `tap_channels` and returns (embedding, last map)."""


def build_detector(architecture: str, members: int = MEMBERS) -> Detector:
    """Build a detector with random weights.

    Raises
    ------
    ValueError
        If there is no architecture of that name.
    """
    if architecture not in BACKBONES:
        raise ValueError(f"there is no network {architecture!r}: choose from {', '.join(BACKBONES)}")
    return Detector(BACKBONES[architecture](), members)


def load_detector(path: Path, manifest: Mapping[str, Any]) -> nn.Module:
    """Build the detector that a bundle's `network` entry describes and load its safetensors."""
    detector = build_detector(str(manifest["architecture"]), int(manifest["members"]))
    detector.load_state_dict(load_file(path))
    return detector
