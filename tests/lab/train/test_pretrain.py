"""The command of the pretraining: what is wrong with its command line is one line."""

import sys

import numpy as np
import pytest

from aiforensics.lab.train import pretrain


@pytest.fixture
def refused(picture, tmp_path, monkeypatch, capsys):
    """Runs the command with a teacher; gives the line that it ends with."""
    picture("pool/a.png")

    def call(teacher):
        words = [tmp_path / "pool", "--teacher", teacher, "--out", tmp_path / "out.safetensors", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["pretrain", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            pretrain.main()
        (line,) = capsys.readouterr().err.splitlines()
        assert caught.value.code == 2
        return line

    return call


def test_a_teacher_that_cannot_be_used_is_one_line(refused, tmp_path):
    pytest.importorskip("torch")
    from safetensors.numpy import save_file

    assert "cannot be read as safetensors" in refused(tmp_path / "missing.safetensors")
    assert "cannot be read as safetensors" in refused(tmp_path / "pool" / "a.png")
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    assert "is not a folded MobileNetV2" in refused(tmp_path / "other.safetensors")


def test_a_missing_extra_is_one_line(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("devices", "distil", "teacher"):
        monkeypatch.delitem(sys.modules, f"aiforensics.lab.train.{name}", raising=False)
    assert refused("x").endswith("this needs the package torch: pip install 'aiforensics-toolkit[train]'")
