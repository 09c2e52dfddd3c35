"""Weights of rows: the size of a picture may not speak for a class."""

from pathlib import Path

import numpy as np
import pytest

from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.folds import balance
from aiforensics.lab.fit.measure import LARGE_VIEWS, Table
from aiforensics.lab.fit.weighing import row_weights

pytestmark = pytest.mark.train
LARGE = min(LARGE_VIEWS)


def table_of(rows):
    """A table of (sample, view) rows."""
    nothing = np.zeros((len(rows), 1))
    names = np.full(len(rows), "good")
    sample, view = np.array([i for i, _ in rows]), np.array([view for _, view in rows])
    return Table(sample, view, names, names, nothing, nothing[:, 0], nothing.astype(np.float32))


def pictures(real, ai):
    return [
        Sample(Path(f"{i}.png"), "real" if i < real else "ai", f"s{i % 3}", "", str(i), "train")
        for i in range(real + ai)
    ]


def test_classes_weigh_the_same_among_large_views_and_among_the_others():
    samples = pictures(20, 10)
    rows = [(i, "clean") for i in range(30)] + [(i, LARGE) for i in (0, 3, 20, 21, 22, 23, 24)]
    weights = row_weights(samples, table_of(rows))
    assert weights[:30] == pytest.approx(balance(samples))
    ai = np.array([samples[i].label == "ai" for i, _ in rows])
    large = np.array([view == LARGE for _, view in rows])
    for some in (large, ~large):
        assert weights[some & ai].sum() == pytest.approx(weights[some & ~ai].sum())
    assert weights[large].sum() == pytest.approx(7.0)


def test_large_views_of_one_class_alone_count_for_nothing():
    samples = pictures(5, 5)
    weights = row_weights(samples, table_of([(i, "clean") for i in range(10)] + [(0, LARGE), (1, LARGE)]))
    assert weights[10:].tolist() == [0.0, 0.0]
    assert weights[:10] == pytest.approx(balance(samples))


def test_emphasis_is_that_of_balance():
    samples = pictures(6, 6)
    weights = row_weights(samples, table_of([(i, "clean") for i in range(12)]), {"ai/s0": 4.0})
    assert weights == pytest.approx(balance(samples, {"ai/s0": 4.0}))
