"""Running a bundle's network: ONNX Runtime on the CPU, PyTorch on a GPU. Both give the same three arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
EXTENDED = 64
"""Side in pixels that the gate extends smaller windows to, by reflection."""
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}
"""Messages of ONNX that lead to tensors, with the fields that do (onnx.proto3 of ONNX 1.23)."""


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
        `window`: as it is, at native resolution; `resize`: squeezed to `side` × `side` pixels; `ela`: its error level
        picture, squeezed likewise.
    side
        Side in pixels for `resize` and `ela`.
    """

    input: str
    side: int

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """(h, w, 3) uint8 → (1, 3, h', w') float32 in [0, 255]."""
        return np.ascontiguousarray(self.picture(pixels).transpose(2, 0, 1)[None], np.float32)

    def picture(self, pixels: Pixels) -> Pixels:
        """(h, w, 3) uint8 → (h', w', 3) uint8: what the network sees."""
        if self.input == "window":
            return pixels
        import cv2  # noqa: PLC0415 - only for classifiers of fixed size

        pixels = cut_back(pixels)
        if self.input == "ela":
            pixels = error_level(pixels)
        if pixels.shape[:2] != (self.side, self.side):
            shrinks = min(pixels.shape[:2]) >= self.side
            kernel = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            pixels = np.asarray(cv2.resize(pixels, (self.side, self.side), interpolation=kernel), np.uint8)
        return pixels

    def over_window(self, pixels: Pixels, activation: NDArray[np.float32]) -> NDArray[np.float32]:
        """(h', w') activation → extended by reflection as far as the window was, so that it lies over all of it."""
        if self.input == "window" or EXTENDED not in pixels.shape[:2]:
            return activation
        seen = cut_back(pixels)
        sides = zip(activation.shape, pixels.shape, seen.shape, strict=False)
        room = [(0, round(mine * (whole / part - 1))) for mine, whole, part in sides]
        return np.pad(activation, room, mode="symmetric")


def cut_back(pixels: Pixels) -> Pixels:
    """Take back the reflection that extends a window to 64 px: a small picture is not seen with its mirror image.

    Examples
    --------
    >>> small = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    >>> cut_back(np.pad(small, ((0, 32), (0, 24), (0, 0)), mode="symmetric")).shape
    (32, 40, 3)
    """
    for axis in (0, 1):
        if pixels.shape[axis] == EXTENDED:
            pixels = _cut_axis(pixels, axis)
    return pixels


def mirrored(pixels: Pixels) -> Pixels:
    """Mirror image of a window; one that the gate extended is mirrored as the picture was, and extended again.

    Examples
    --------
    >>> mirrored(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))[0, 0]
    array([3, 4, 5], dtype=uint8)
    """
    seen = cut_back(pixels)
    room = [(0, whole - part) for whole, part in zip(pixels.shape, seen.shape, strict=True)]
    return np.ascontiguousarray(np.pad(seen[:, ::-1], room, mode="symmetric"))


def error_level(pixels: Pixels, quality: int = 90) -> Pixels:
    """Error level analysis as a picture: the difference from a JPEG copy, stretched so that the largest is 255.

    Krawetz, "A picture's worth: digital image analysis and forensics", Black Hat 2007.
    """
    import cv2  # noqa: PLC0415 - only for ELA networks

    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    copy = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)[..., ::-1]
    error = np.abs(pixels - copy)
    return np.asarray(np.rint(error * (255.0 / max(1.0, float(error.max())))), np.uint8)


def _cut_axis(pixels: Pixels, axis: int) -> Pixels:
    for length in range(1, EXTENDED):
        first = pixels[:length] if axis == 0 else pixels[:, :length]
        room = [(0, 0), (0, 0), (0, 0)]
        room[axis] = (0, EXTENDED - length)
        if np.array_equal(np.pad(first, room, mode="symmetric"), pixels):
            return np.ascontiguousarray(first)
    return pixels


class OnnxNetwork:
    """ONNX Runtime on one CPU thread, so that the same window gives the same bits everywhere in a batch."""

    def __init__(self, path: Path, prepare: Preparation) -> None:
        import onnxruntime  # noqa: PLC0415 - 0.2 s that listing bundles need not pay

        model = path.read_bytes()
        if _has_external_data(memoryview(model), "Model"):
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


def _has_external_data(data: memoryview, message: str, depth: int = 0) -> bool:
    """Whether a tensor of a model lies in another file, which ONNX Runtime looks for in the current folder."""
    if depth > 64:
        raise ValueError("its graphs are nested too deeply")
    if message == "Tensor":
        return any(field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value) for field, value in _fields(data))
    return any(
        _has_external_data(value, _INSIDE[message][field], depth + 1)
        for field, value in _fields(data)
        if field in _INSIDE[message] and isinstance(value, memoryview)
    )


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Fields of a protobuf message by number: bytes, or a number; https://protobuf.dev/programming-guides/encoding."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        value: memoryview | int = 0
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in (1, 2, 5):
            size, at = _varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
            value, at = data[at : at + size], at + size
        if kind not in (0, 1, 2, 5) or tag >= 1 << 32 or at > len(data):
            raise ValueError("it is no ONNX model, or a damaged one")
        yield tag >> 3, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    number = 0
    for place, byte in enumerate(data[at : at + 10]):
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at + place + 1
    raise ValueError("it is no ONNX model, or a damaged one")
