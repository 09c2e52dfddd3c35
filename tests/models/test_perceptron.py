"""A perceptron's file: what does not fit, or is no number, is told when it is opened and never answers."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from aiforensics_models.perceptron import Perceptron


def zeros(*shape):
    return np.zeros(shape, np.float32)


SOUND = {
    **{"centre": zeros(3), "scale": zeros(3) + 1},
    **{"layer0.weight": zeros(4, 3), "layer0.bias": zeros(4), "layer1.weight": zeros(1, 4), "layer1.bias": zeros(1)},
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": zeros(1) + 1}, "its scale is of"),
        ({"layer0.bias": zeros(1)}, "a layer of"),
        ({"layer0.weight": zeros(4, 2)}, "a layer of"),
        ({"layer1.weight": zeros(2, 4), "layer1.bias": zeros(2)}, "not one output"),
        ({"layer1.bias": zeros(1) + np.nan}, "no number"),
        ({"scale": zeros(3)}, "not above 0"),
        ({"scale": zeros(3) + np.inf}, "no number"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(tmp_path, changes, words):
    path = tmp_path / "head.safetensors"
    save_file(SOUND, path)
    assert Perceptron.load(path, ["a", "a", "b"]).margin(np.ones((2, 3))).tolist() == [0.0, 0.0]
    save_file(SOUND | changes, path)
    with pytest.raises(ValueError, match=words):
        Perceptron.load(path, ["a", "a", "b"])
