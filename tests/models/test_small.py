"""Small windows are looked at twice, and only where the bundle says so."""

import json

import numpy as np
import pytest

from aiforensics_models.bundle import Bundle, BundleError, write_manifest
from aiforensics_models.runtime import NetworkOutput
from aiforensics_models.small import CONTINUED, SMALL, UPSAMPLING, Twice, continued, upsampled

from .conftest import TOY


class Sizes:
    """Says how large a window is, and keeps what it was shown."""

    def __init__(self):
        self.shown = []

    def __call__(self, pixels):
        self.shown.append(pixels)
        height, width = pixels.shape[:2]
        return NetworkOutput(np.array([height, width], float), np.full(2, float(height)), np.zeros((height, width)))


def noise(height, width):
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(SMALL, SMALL), (256, 256), (SMALL, 250)])
def test_other_windows_are_looked_at_once_and_as_they_are(size):
    network, window = Sizes(), noise(*size)
    Twice(network)(window)
    (shown,) = network.shown
    assert shown is window


@pytest.mark.parametrize("size", [(64, 64), (SMALL - 1, 256), (120, 90)])
def test_a_small_window_gets_the_mean_of_two_looks(size):
    network, window = Sizes(), noise(*size)
    output = Twice(network)(window)
    near, wide = network.shown
    assert near.shape[:2] == tuple(round(side * UPSAMPLING) for side in size)
    assert wide.shape[:2] == (CONTINUED, CONTINUED)
    np.testing.assert_allclose(output.logits, (np.array(near.shape[:2]) + CONTINUED) / 2)
    np.testing.assert_allclose(output.embedding, (near.shape[0] + CONTINUED) / 2)
    assert output.activation.shape == near.shape[:2], "it is drawn over the window, and the continued look is larger"


def test_the_reflection_begins_at_the_border():
    window = noise(100, 256)
    wide = continued(window)
    np.testing.assert_array_equal(wide[:100], window)
    np.testing.assert_array_equal(wide[100:200], window[::-1])


def test_enlarging_moves_nothing():
    slope = np.broadcast_to(np.linspace(20, 220, 120)[None, :, None], (120, 120, 3)).astype(np.uint8)
    larger = upsampled(slope).astype(float)
    assert abs(larger[:, :90].mean() - slope[:, :60].mean()) < 1.0


def test_a_bundle_that_does_not_state_it_is_read_as_it_was_fitted(tmp_path):
    photo = noise(120, 130)
    shipped = Bundle.load("default")
    manifest = {key: value for key, value in shipped.manifest.items() if key not in ("schema", "files")}
    entry = {key: value for key, value in manifest["network"].items() if key != "small"}
    for path in shipped.folder.iterdir():
        if path.name in shipped.manifest["files"]:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    write_manifest(tmp_path, manifest | {"network": entry})
    once = Bundle.load(tmp_path).network("cpu")
    write_manifest(tmp_path, manifest | {"network": entry | {"small": SMALL}})
    twice = Bundle.load(tmp_path).network("cpu")
    expected = (once(upsampled(photo)).logits + once(continued(photo)).logits) / 2
    np.testing.assert_array_equal(twice(photo).logits, expected)
    np.testing.assert_array_equal(twice(noise(SMALL, SMALL)).logits, once(noise(SMALL, SMALL)).logits)


@pytest.mark.parametrize("small", ["192", 1.5, True, None])
def test_a_bundle_that_states_no_number_is_refused(tmp_path, small):
    (tmp_path / "network.onnx").write_bytes(b"")
    write_manifest(tmp_path, json.loads(json.dumps(TOY)) | {"network": {"onnx": "network.onnx", "small": small}})
    with pytest.raises(BundleError, match="whole number"):
        Bundle.load(tmp_path)
