"""The network's file: nothing outside the bundle's sums is read with it."""

from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data as pictures

from aiforensics_models import onnxfile, runtime
from aiforensics_models.bundle import Bundle, BundleError, write_manifest
from aiforensics_models.onnxfile import has_external_data
from aiforensics_models.preparation import Preparation
from aiforensics_models.runtime import OnnxNetwork

from .conftest import TOY


def varint(number):
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def message(*path, inside=b""):
    """Nest bytes in fields, the outermost first."""
    for field in reversed(path):
        inside = varint(field << 3 | 2) + varint(len(inside)) + inside
    return inside


INSIDE = message(8, inside=b"weights") + message(9, inside=bytes(range(256)))
"""A tensor with its numbers in it."""
OUTSIDE = message(13, 1, inside=b"location") + b"\x70\x01"
"""A tensor whose numbers lie in another file."""
PLACES = {
    "initializer": (7, 5),
    "sparse initializer": (7, 15, 1),
    "constant": (7, 1, 5, 5),
    "list of tensors": (7, 1, 5, 10),
    "sparse constant": (7, 1, 5, 22, 2),
    "branch": (7, 1, 5, 6, 5),
    "branch in a branch": (7, 1, 5, 6, 1, 5, 11, 5),
    "function": (25, 7, 5, 5),
    "default of a function": (25, 11, 5),
    "training": (20, 1, 5),
}


@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("outside", [OUTSIDE, b"\x70\x01", b"\x70\x81\x80\x80\x80\x10"])
def test_weights_in_other_files_are_refused(tmp_path, path, outside):
    for tensor in (INSIDE, INSIDE + outside):
        data = b"\x08\x09" + message(*path, inside=INSIDE) + message(*path, inside=tensor) + message(2, inside=OUTSIDE)
        assert has_external_data(data) == (tensor != INSIDE)
    (tmp_path / "network.onnx").write_bytes(data)
    write_manifest(tmp_path, TOY)
    with pytest.raises(BundleError, match="outside the bundle's sums") as caught:
        Bundle.load(tmp_path).network()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 11,
        b"\x3a\x05ab",
        b"\x3b",
        b"\xba\x80\x80\x80\x10\x00",  # the number of the field does not fit into 32 bits: some readers cut it
        b"\x09abc",
        message(7, *[1, 5, 6] * 30),
    ],
)
def test_what_is_no_onnx_is_told(data):
    with pytest.raises(ValueError, match=r"no ONNX model|nested too deeply"):
        has_external_data(data)


@given(st.binary(max_size=80))
def test_any_bytes_end_in_an_answer_or_in_a_value_error(data):
    with suppress(ValueError):
        has_external_data(message(7, 1, 5, inside=data))


def test_the_fields_are_those_of_onnx():
    messages = pytest.importorskip("onnx").onnx_ml_pb2.DESCRIPTOR.message_types_by_name
    for name, fields in onnxfile._INSIDE.items():
        inside = {field.number: field.message_type.name for field in messages[_full(name)].fields if field.message_type}
        leading = {
            number: kind for number, kind in inside.items() if kind in set(map(_full, [*onnxfile._INSIDE, "Tensor"]))
        }
        assert leading == {number: _full(kind) for number, kind in fields.items()}
    numbers = {field.name: field.number for field in messages["TensorProto"].fields}
    assert (numbers["external_data"], numbers["data_location"]) == (onnxfile._EXTERNAL_DATA, onnxfile._DATA_LOCATION)


def _full(name):
    return "TrainingInfoProto" if name == "Training" else f"{name}Proto"


def test_a_file_in_onnx_runtimes_own_format_is_no_network(tmp_path, monkeypatch):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "network.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(
        Bundle.load("default").folder / "network.onnx", sess_options=options, providers=["CPUExecutionProvider"]
    )
    monkeypatch.setattr(runtime, "has_external_data", lambda *_: False)
    with pytest.raises(Exception, match="ONNX"):
        OnnxNetwork(tmp_path / "network.ort", Preparation("window", 0))


def test_an_ela_network_sees_the_error_of_a_jpeg_of_quality_90():
    photo = pictures.astronaut()[:128, :128]
    coded = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    error = np.abs(photo.astype(float) - cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
    seen = Preparation("ela", 128).picture(photo)
    assert np.abs(seen - error * 255 / error.max()).max() <= 0.5
    assert np.array_equal(Preparation("resize", 128).picture(photo), photo)
