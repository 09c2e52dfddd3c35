"""Where PyTorch trains."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from aiforensics.lab.train.cycles import FinetuneConfig  # noqa: E402
from aiforensics.lab.train.devices import check_compiler, drawing_threads, training_device  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError  # noqa: E402
from aiforensics.lab.train.run import batch_loss  # noqa: E402
from aiforensics_models.networks import build_detector  # noqa: E402


@pytest.mark.parametrize(
    ("wanted", "there", "expected"), [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu")]
)
def test_a_gpu_is_taken_unless_somebody_asks_for_the_cpu(wanted, there, expected, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    assert training_device(wanted).type == expected


def test_cuda_without_a_gpu_is_one_line(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(RecipeError, match="sees no CUDA GPU here: use --device cpu"):
        training_device("cuda")


def test_one_thread_draws_for_a_cpu_and_several_for_a_gpu(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert drawing_threads(torch.device("cpu")) == 1
    assert drawing_threads(torch.device("cuda")) == 6


def test_a_missing_compiler_is_one_line(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RecipeError, match="there is no no-such-compiler"):
        check_compiler()


def test_a_step_of_the_fusion_network_stays_on_the_gpu():
    """No GPU is needed: fake tensors know their device, refuse to mix two, and calculate nothing."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        with torch.device("cuda"):
            network = build_detector("tracenet")
        batch = torch.zeros(4, 3, 64, 64), torch.zeros(4), torch.ones(4, 5)
        loss, right = batch_loss(network, *batch, FinetuneConfig())
    assert loss.device.type == right.device.type == "cuda"
