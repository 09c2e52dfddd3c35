"""Fixtures that several parts of the tests share."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

collect_ignore = ["support"]
"""Modules of worker processes, which find their imports there alone."""


@pytest.fixture
def fakes(monkeypatch):
    """The module of fake scanners, importable by worker processes too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "support"))
    yield importlib.import_module("fake_scanners")
    sys.modules.pop("fake_scanners", None)


@pytest.fixture
def picture(tmp_path):
    """Makes a picture of smooth noise: `picture("a.jpg", 96, 80, seed=1)` gives its path."""

    def make(name="a.png", width=96, height=80, seed=0, **save):
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (9, 11, 3), np.uint8)).resize((width, height), 3)
        noisy = np.clip(np.asarray(coarse, float) + rng.normal(0, 4, (height, width, 3)), 0, 255)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.astype(np.uint8)).save(path, **save)
        return path

    return make
