"""Running a bundle's network: ONNX Runtime on the CPU, PyTorch on a GPU. Both give the same three arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


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


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a window becomes before it enters the network.

    Attributes
    ----------
    input
        `window`: as it is, at native resolution; `resize`: squeezed to `side` × `side` pixels.
    side
        Side in pixels for `resize`.
    """

    input: str
    side: int

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """(h, w, 3) uint8 → (1, 3, h', w') float32 in [0, 255]."""
        if self.input == "resize" and pixels.shape[:2] != (self.side, self.side):
            import cv2  # noqa: PLC0415 - only for classifiers of fixed size

            pixels = np.asarray(cv2.resize(pixels, (self.side, self.side), interpolation=cv2.INTER_AREA), np.uint8)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


class OnnxNetwork:
    """ONNX Runtime on one CPU thread, so that the same window gives the same bits everywhere in a batch."""

    def __init__(self, path: Path, prepare: Preparation) -> None:
        import onnxruntime  # noqa: PLC0415 - 0.2 s that listing bundles need not pay

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            path.read_bytes(), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._prepare = prepare

    def __call__(self, pixels: Pixels) -> NetworkOutput:
        """(h, w, 3) uint8, RGB → what the network says of it."""
        logits, embedding, activation = self._session.run(
            ["logits", "embedding", "activation"], {"pixels": self._prepare(pixels)}
        )
        return NetworkOutput(np.asarray(logits[0], np.float64), embedding[0], activation[0])
