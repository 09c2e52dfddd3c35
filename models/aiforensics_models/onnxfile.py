"""What an ONNX file holds, as far as has to be known before a runtime opens it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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


def has_external_data(model: bytes) -> bool:
    """Whether a tensor of a model lies in another file, which ONNX Runtime looks for in the current folder.

    Raises
    ------
    ValueError
        If it is no ONNX model, a damaged one, or nested more than 64 deep.
    """
    return _external(memoryview(model), "Model")


def _external(data: memoryview, message: str, depth: int = 0) -> bool:
    """Whether a tensor lies in another file, of a message and those inside it."""
    if depth > 64:
        raise ValueError("its graphs are nested too deeply")
    if message == "Tensor":
        return any(field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value) for field, value in _fields(data))
    return any(
        _external(value, _INSIDE[message][field], depth + 1)
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
