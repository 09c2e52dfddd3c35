"""Plots of trainings and judgements."""

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")


pytestmark = pytest.mark.train


def test_plots_are_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    from aiforensics.lab.pages.plots import confusion_plot, examples_plot, history_plot

    rows = [{"epoch": 1.0, "loss": 0.7, "val_loss": 0.6, "accuracy": 0.5, "val_accuracy": 0.6, "val_auc": 0.7}] * 2
    history_plot({"cnn": rows}, tmp_path / "history.png")
    examples_plot([[np.zeros((8, 8, 3), np.uint8)] * 2] * 2, ["a", "b"], tmp_path / "examples.png")
    confusion_plot({"real": {"real": 3, "ai": 1}, "ai": {"real": 0, "ai": 4}}, tmp_path / "confusion.svg")
    for name in ("history.png", "examples.png"):
        with Image.open(tmp_path / name) as image:
            assert image.width > 100
    assert "<svg" in (tmp_path / "confusion.svg").read_text()
