"""How many times larger a picture is than the detail that it holds."""

import numpy as np
import pytest
from safetensors.numpy import save

from aiforensics_models.enlargement import MOST, Enlargement


@pytest.fixture
def folder(tmp_path):
    """An estimator whose octaves are its first measurement."""
    tensors = {
        "centre": np.zeros(2, np.float32),
        "scale": np.ones(2, np.float32),
        "layer0.weight": np.array([[1.0, 0.0]], np.float16),
        "layer0.bias": np.zeros(1, np.float32),
        "layer1.weight": np.array([[1.0]], np.float16),
        "layer1.bias": np.zeros(1, np.float32),
    }
    (tmp_path / "e.safetensors").write_bytes(save(tensors))
    return tmp_path


@pytest.mark.parametrize(
    ("octaves", "times"), [(-1.0, 1.0), (0.0, 1.0), (0.5, 2**0.5), (1.0, 2.0), (2.0, MOST), (3.5, MOST)]
)
def test_the_factor_is_two_to_the_octaves(folder, octaves, times):
    enlargement = Enlargement.load(folder, {"file": "e.safetensors", "from": 1.35}, "ab")
    assert enlargement(np.array([octaves, 7.0])) == pytest.approx(times)


def test_its_sum_tells_another_one_and_another_least_factor(folder):
    entry = {"file": "e.safetensors", "from": 1.35}
    one = Enlargement.load(folder, entry, "ab")
    assert one.sum == Enlargement.load(folder, entry, "ab").sum
    assert one.sum != Enlargement.load(folder, {**entry, "from": 1.3}, "ab").sum


def test_one_of_other_measurements_is_refused(folder):
    with pytest.raises(ValueError, match="2 inputs"):
        Enlargement.load(folder, {"file": "e.safetensors", "from": 1.35}, "abc")
