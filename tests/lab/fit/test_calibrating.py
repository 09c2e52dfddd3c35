"""Lines and thresholds: true probabilities, kept promises."""

import numpy as np
import pytest

from aiforensics.lab.fit.calibrating import FALSE_ALARMS, MISSES, calibrate, logistic, settled, thresholds, tightened
from aiforensics_models.calibration import Calibration, Line

pytestmark = pytest.mark.train


def test_logistic_recovers_known_slopes():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40_000, 2))
    labels = (rng.random(40_000) < 1 / (1 + np.exp(-(x @ [1.0, -2.0] + 0.5)))).astype(float)
    slopes, offset = logistic(x, labels, np.ones(40_000), ridge=1e-6)
    assert slopes == pytest.approx([1.0, -2.0], abs=0.06)
    assert offset == pytest.approx(0.5, abs=0.06)


def test_thresholds_keep_their_promises(data):
    embedding, labels, weights = data.log_odds, data.labels, data.weights
    p = 1 / (1 + np.exp(-1.5 * embedding))
    real_below, ai_from = thresholds(p, labels, weights)
    assert 0 < real_below <= 0.5 <= ai_from < 1
    assert np.mean(p[labels < 0.5] >= ai_from) <= FALSE_ALARMS < np.mean(p[labels < 0.5] >= ai_from - 0.02)
    assert np.mean(p[labels > 0.5] < real_below) <= MISSES < np.mean(p[labels > 0.5] < real_below + 0.02)


@pytest.mark.parametrize(
    ("real", "ai", "expected"),
    [
        ([0.1, 0.2], [0.9, 0.95], (0.5, 0.5)),
        ([0.1, 0.3], [0.35, 0.4], (0.35, 0.5)),
        ([0.7, 0.8], [0.9, 0.95], (0.5, 0.9)),
    ],
)
def test_ai_is_never_said_below_a_half_nor_real_above_it(real, ai, expected):
    assert thresholds(np.array([*real, *ai]), np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4)) == expected


@pytest.mark.parametrize(("weight", "ai_from"), [(1.0, 0.9), (0.001, 0.5)])
def test_thresholds_follow_the_weights(weight, ai_from):
    p, labels = np.array([0.1, 0.8, 0.9, 0.95]), np.array([0.0, 0.0, 1.0, 1.0])
    assert thresholds(p, labels, np.array([1.0, weight, 1.0, 1.0]))[1] == ai_from


def test_a_model_that_knows_nothing_hardly_answers():
    rng = np.random.default_rng(3)
    labels = (rng.random(2000) < 0.5).astype(float)
    p = rng.uniform(0.3, 0.7, 2000)
    real_below, ai_from = thresholds(p, labels, np.ones(2000))
    assert np.mean((p < real_below) | (p >= ai_from)) < 0.12


def test_calibration_makes_probabilities_true(data):
    embedding, labels, weights = data.log_odds, data.labels, data.weights
    conditions = np.array(["good", "small"] * 450)
    sources = [f"s{i % 30}" for i in range(900)]
    calibration = calibrate(4 * embedding, labels, conditions, weights, sources)
    assert set(calibration.conditions) == {"good", "small"}
    p = np.array([calibration.probability(4 * z, c) for z, c in zip(embedding, conditions, strict=True)])
    for low, high in [(0.0, 0.3), (0.3, 0.7), (0.7, 1.0)]:
        inside = (p >= low) & (p < high)
        assert labels[inside].mean() == pytest.approx(p[inside].mean(), abs=0.1)
    assert calibration.line("good").spread > 0


def test_a_thin_condition_shares_the_line_of_all():
    rng = np.random.default_rng(4)
    labels = (rng.random(1300) < 0.5).astype(float)
    conditions = np.array(["good"] * 600 + ["compressed"] * 600 + ["grey"] * 100)
    log_odds = np.where(conditions == "good", 4.0, 0.5) * (labels - 0.5) + rng.normal(size=1300)
    sources = [f"s{i % 9}" for i in range(1300)]
    found = calibrate(log_odds, labels, conditions, np.ones(1300), sources)
    alone = calibrate(log_odds, labels, np.full(1300, "good"), np.ones(1300), sources)
    assert found.line("grey") == alone.line("good")
    assert found.line("compressed").slope < found.line("grey").slope < found.line("good").slope


@pytest.mark.parametrize(
    ("log_odds", "expected"),
    [
        ([-4.0, -3.0, 3.0, 4.0], (0.2, 0.9)),  # they would allow laxer thresholds
        ([-4.0, 3.0, -3.0, 4.0], (0.047, 0.953)),  # a real one stands at 0.9526, and an AI one at 0.0474
    ],
)
def test_new_sources_make_thresholds_stricter_alone(log_odds, expected):
    kept = Calibration({"good": Line(1.0, 0.0, 0.5)}, 0.2, 0.9)
    labels, names = np.array([0.0, 0.0, 1.0, 1.0]), np.full(4, "good")
    free = settled(kept, np.array(log_odds), labels, names, np.ones(4))
    assert (free.real_below, free.ai_from) == pytest.approx(
        thresholds(1 / (1 + np.exp(-np.array(log_odds))), labels, np.ones(4))
    )
    found = tightened(kept, np.array(log_odds), labels, names, np.ones(4))
    assert found.conditions == kept.conditions
    assert found.real_below == pytest.approx(expected[0], abs=1e-3)
    assert found.ai_from == pytest.approx(expected[1], abs=2e-3)
    assert found.real_below <= 0.2
    assert found.ai_from >= 0.9


def test_how_many_of_a_condition_are_ai_says_nothing():
    """Both conditions are equally hard; one holds three AI pictures to a real one, the other the reverse."""
    rng = np.random.default_rng(8)
    conditions = np.repeat(["good", "small"], 4000)
    labels = (rng.random(8000) < np.where(conditions == "small", 0.75, 0.25)).astype(float)
    log_odds = rng.normal(np.where(labels > 0.5, 1.0, -1.0), 1.4)
    sources = [f"s{i % 40}" for i in range(8000)]
    calibration = calibrate(log_odds, labels, conditions, np.ones(8000), sources)
    for name in ("good", "small"):
        assert calibration.probability(0.0, name) == pytest.approx(0.5, abs=0.03)


def test_alike_sources_leave_a_line_little_spread():
    rng = np.random.default_rng(9)
    labels = np.tile([0.0, 1.0], 3000)
    log_odds = rng.normal(np.where(labels > 0.5, 1.0, -1.0), 1.4)
    sources = [f"s{i % 6}" for i in range(6000)]  # three of each class
    line = calibrate(log_odds, labels, np.full(6000, "good"), np.ones(6000), sources).conditions["good"]
    assert 0 < line.spread < 0.1
