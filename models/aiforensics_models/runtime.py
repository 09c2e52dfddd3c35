"""Running a bundle's network: ONNX Runtime on the CPU, PyTorch on a GPU. Both give the same three arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.onnxfile import has_external_data
from aiforensics_models.preparation import Pixels, Preparation


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What the network says of a window.

    Attributes
    ----------
    logits
        (members,) log-odds of `ai`, one for each member of the ensemble of linear heads.
    embedding
        (dimension,) the embedding.
    activation
        (h', w') class activation of the last stage: positive where it speaks for `ai`, in log-odds.
    """

    logits: NDArray[np.float64]
    embedding: NDArray[np.float32]
    activation: NDArray[np.float32]


class Network(Protocol):
    """Anything that looks at a window."""

    def __call__(self, pixels: Pixels) -> NetworkOutput:
        """(h, w, 3) uint8, RGB → what the network says of it."""
        ...


def load_network(folder: Path, manifest: Mapping[str, Any], device: Literal["auto", "cpu", "cuda"]) -> Network:
    """Open the network of a bundle.

    Raises
    ------
    RuntimeError
        If `cuda` is asked for and PyTorch with a GPU is not there.
    """
    prepare = Preparation(str(manifest.get("input", "window")), int(manifest.get("side", 0)))
    if device == "cuda":
        from aiforensics_models.torch_runtime import TorchNetwork  # noqa: PLC0415 - torch only where it is asked for

        return TorchNetwork(folder, manifest, prepare)
    return OnnxNetwork(folder / manifest["onnx"], prepare)


class OnnxNetwork:
    """ONNX Runtime on one CPU thread, so that the same window gives the same bits everywhere in a batch."""

    def __init__(self, path: Path, prepare: Preparation) -> None:
        import onnxruntime  # noqa: PLC0415 - 0.2 s that listing bundles need not pay

        model = path.read_bytes()
        if has_external_data(model):
            raise ValueError("it keeps weights in files outside the bundle's sums: export it with all weights inside")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that was looked into
        self._session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
        self._prepare = prepare

    def __call__(self, pixels: Pixels) -> NetworkOutput:
        """(h, w, 3) uint8, RGB → what the network says of it."""
        found = self._session.run(["logits", "embedding", "activation"], {"pixels": self._prepare(pixels)})
        logits, embedding, activation = (np.asarray(part) for part in found)
        shown = self._prepare.over_window(pixels, activation[0])
        return NetworkOutput(np.asarray(logits[0], np.float64), embedding[0], shown)
