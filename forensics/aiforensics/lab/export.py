"""From a trained detector to the network files of a bundle."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from aiforensics_models.networks import build_detector

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
    detector = build_detector(architecture, members).eval()
    detector.load_state_dict(state)
    with warnings.catch_warnings():
        # The exporter warns of its own successor, and of shapes that are constants here by design.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            detector,
            (torch.zeros(1, 3, 128, 160),),
            folder / ONNX_FILE,
            input_names=["pixels"],
            output_names=["logits", "embedding", "activation"],
            dynamic_axes={"pixels": {2: "height", 3: "width"}},
            opset_version=OPSET,
            dynamo=False,
        )
    if weights.resolve() != (folder / WEIGHTS_FILE).resolve():
        shutil.copyfile(weights, folder / WEIGHTS_FILE)
    return {
        "architecture": architecture,
        "members": members,
        "input": "window",
        "onnx": ONNX_FILE,
        "weights": WEIGHTS_FILE,
        "parameters": sum(tensor.numel() for tensor in state.values()),
    }
