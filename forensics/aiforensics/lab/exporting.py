"""From a trained classifier to the network files of a bundle."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from aiforensics.lab.recipes import ClassifierConfig
from aiforensics_models.networks import build_classifier

ONNX_FILE, WEIGHTS_FILE = "network.onnx", "network.safetensors"
OPSET = 17


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
    network = build_classifier(config.network, config.side, config.filters).eval()
    network.load_state_dict(load_file(weights))
    with warnings.catch_warnings():
        # The exporter warns of its own successor, and of shapes that are constants here by design.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, config.side, config.side),),
            folder / ONNX_FILE,
            input_names=["pixels"],
            output_names=["logits", "embedding", "activation"],
            dynamic_axes={name: {0: "n"} for name in ("pixels", "logits", "embedding", "activation")},
            opset_version=OPSET,
            dynamo=False,
        )
    if weights.resolve() != (folder / WEIGHTS_FILE).resolve():
        shutil.copyfile(weights, folder / WEIGHTS_FILE)
    return {
        "architecture": config.network,
        "members": 1,
        "input": config.input,
        "side": config.side,
        "filters": config.filters,
        "onnx": ONNX_FILE,
        "weights": WEIGHTS_FILE,
        "parameters": sum(weight.numel() for weight in network.parameters()),
    }
