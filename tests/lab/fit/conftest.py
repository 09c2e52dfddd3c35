"""What the tests of fitting share."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def data():
    """Rows, log-odds of a network, labels, folds and weights of 900 made-up pictures."""
    rng = np.random.default_rng(0)
    labels = (rng.random(900) < 0.5).astype(float)
    rows = rng.normal(size=(900, 6))
    rows[:, 0] += 1.2 * labels
    embedding = 1.5 * (labels - 0.5) + rng.normal(size=900)
    folds = rng.integers(0, 3, 900)
    return rows, embedding, labels, folds, np.ones(900)
