"""What the tests of fitting share."""

import numpy as np
import pytest

from aiforensics.lab.fit.stacking import StackData


@pytest.fixture(scope="module")
def data():
    """900 made-up pictures: features and embeddings that know a little, and log-odds of a network."""
    rng = np.random.default_rng(0)
    labels = (rng.random(900) < 0.5).astype(float)
    rows = rng.normal(size=(900, 6))
    rows[:, 0] += 1.2 * labels
    log_odds = 1.5 * (labels - 0.5) + rng.normal(size=900)
    folds = rng.integers(0, 3, 900)
    embedding = rng.normal(size=(900, 4)).astype(np.float32)
    embedding[:, 1] += (np.where(rows[:, 1] > 0, 2.0, -2.0) * (labels - 0.5)).astype(np.float32)
    parts = folds * 2 + rng.integers(0, 2, 900)
    return StackData(rows, log_odds, embedding, labels, np.ones(900), folds, parts, np.ones(900, np.bool_))
