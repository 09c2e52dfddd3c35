"""From a trained network to the network files of a bundle."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from aiforensics.lab.train.recipes import ClassifierConfig
from aiforensics_models.networks import build_classifier, build_detector
from aiforensics_models.small import SMALL

ONNX_FILE, WEIGHTS_FILE = "network.onnx", "network.safetensors"
OPSET = 17


def export_detector(weights: Path, architecture: str, folder: Path) -> dict[str, Any]:
    """Write a detector's ONNX and safetensors into a bundle's folder.

    Parameters
    ----------
    weights
        safetensors of the detector.
    architecture
        Name of its embedding network.
    folder
        The bundle's folder.

    Returns
    -------
    The bundle's `network` entry.
    """
    state = load_file(weights)
    members = int(state["heads.weight"].shape[0])
    detector = build_detector(architecture, members)
    detector.load_state_dict(state)
    sizes = {"pixels": {2: "height", 3: "width"}}
    facts = _export(detector, weights, torch.zeros(1, 3, 128, 160), sizes, folder)
    return {"architecture": architecture, "members": members, "input": "window", "small": SMALL, **facts}


def export_classifier(weights: Path, config: ClassifierConfig, folder: Path) -> dict[str, Any]:
    """Write a classifier's ONNX and safetensors into a bundle's folder.

    Parameters
    ----------
    weights
        safetensors of the whole classifier.
    config
        The recipe's knobs: network, side, input, filters.
    folder
        The bundle's folder.

    Returns
    -------
    The bundle's `network` entry.
    """
    classifier = build_classifier(config.network, config.side, config.filters)
    classifier.load_state_dict(load_file(weights))
    sizes = {name: {0: "n"} for name in ("pixels", "logits", "embedding", "activation")}
    facts = _export(classifier, weights, torch.zeros(1, 3, config.side, config.side), sizes, folder)
    return {
        "architecture": config.network,
        "members": 1,
        "input": config.input,
        "side": config.side,
        "filters": config.filters,
        **facts,
    }


def _export(
    network: nn.Module, weights: Path, example: Tensor, sizes: Mapping[str, Mapping[int, str]], folder: Path
) -> dict[str, Any]:
    """Write both files, the axes of `sizes` left open; their names, and how many numbers were trained."""
    with warnings.catch_warnings():
        # The exporter warns of its own successor, and of shapes that are constants here by design.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (example,),
            folder / ONNX_FILE,
            input_names=["pixels"],
            output_names=["logits", "embedding", "activation"],
            dynamic_axes={name: dict(axes) for name, axes in sizes.items()},
            opset_version=OPSET,
            dynamo=False,
        )
    if weights.resolve() != (folder / WEIGHTS_FILE).resolve():
        shutil.copyfile(weights, folder / WEIGHTS_FILE)
    parameters = sum(weight.numel() for weight in network.parameters())
    return {"onnx": ONNX_FILE, "weights": WEIGHTS_FILE, "parameters": parameters}
