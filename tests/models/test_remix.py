"""The mix of a finished fusion, fitted once more."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from aiforensics.lab.fit.calibrating import logistic

pytestmark = pytest.mark.train
SCRIPT = Path(__file__).parents[2] / "models/training/remix.py"


@pytest.fixture(scope="module")
def remix():
    spec = importlib.util.spec_from_file_location("remix", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def world(worth):
    """Labels, sources, and two good parts beside one that tells as much as it is worth."""
    rng = np.random.default_rng(4)
    labels, owner = np.tile([0.0, 1.0], 2000), np.arange(4000) // 100
    signal = 2.0 * labels[:, None] - 1.0
    return rng.normal(signal * np.array([1.0, 1.0, worth]), 1.5), labels, owner


@pytest.mark.parametrize("worth", [0.0, 0.02])
def test_a_part_that_hardly_helps_gets_no_weight(remix, worth):
    parts, labels, owner = world(worth)
    slopes, _ = remix.sparing(parts, labels, np.ones(4000), owner)
    assert slopes[-1] == pytest.approx(0.0, abs=1e-6)
    assert (slopes[:2] > 0.5).all()


def test_a_part_that_helps_keeps_most_of_its_weight(remix):
    parts, labels, owner = world(1.0)
    slopes, offset = remix.sparing(parts, labels, np.ones(4000), owner)
    best, _ = logistic(parts, labels, np.ones(4000), bounds=(0.0, np.inf))
    assert 0.5 * best[-1] < slopes[-1] < best[-1]
    assert abs(offset) < 0.2
