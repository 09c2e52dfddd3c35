"""The exported network against PyTorch."""

import numpy as np
import pytest

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")

from aiforensics.lab.train.export import export_detector  # noqa: E402
from aiforensics_models.networks import build_detector  # noqa: E402
from aiforensics_models.preparation import Preparation  # noqa: E402
from aiforensics_models.runtime import OnnxNetwork  # noqa: E402


@pytest.fixture(scope="module")
def samples(lattices):
    return lattices


@pytest.mark.parametrize("architecture", ["tracenet", "tracenet-gram", "mobilenet_v3_small"])
def test_onnx_and_torch_agree(architecture, trained, tmp_path):
    """Parity of the exported network, at several sizes, against PyTorch."""
    from safetensors.torch import load_file, save_file

    weights = trained[0] / "network.safetensors"
    detector = build_detector(architecture).eval()
    if architecture != "tracenet":
        weights = tmp_path / "random.safetensors"
        save_file(detector.state_dict(), weights)
    export_detector(weights, architecture, tmp_path)
    network = OnnxNetwork(tmp_path / "network.onnx", Preparation("window", 0))
    detector.load_state_dict(load_file(weights))
    rng = np.random.default_rng(1)
    for size in ((64, 64), (256, 256), (100, 173)):
        pixels = rng.integers(0, 256, (*size, 3), np.uint8)
        with torch.no_grad():
            expected = detector(torch.from_numpy(pixels).permute(2, 0, 1)[None].float())
        found = network(pixels)
        for one, other in zip(expected, (found.logits, found.embedding, found.activation), strict=True):
            assert np.abs(one[0].numpy() - other).max() < 2e-3
