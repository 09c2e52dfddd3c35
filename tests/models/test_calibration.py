"""Calibration: monotone, honest about its spread, and the same after a round trip."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiforensics_models.calibration import Calibration, Line

CALIBRATION = Calibration({"good": Line(1.2, -0.3, 0.4), "small": Line(0.5, 0.1, 0.8)}, 0.2, 0.85)
log_odds = st.floats(-50, 50)


@given(log_odds, log_odds, st.sampled_from(["good", "small", "never seen"]))
def test_more_log_odds_never_mean_less_probability(one, other, condition):
    low, high = sorted((one, other))
    assert CALIBRATION.probability(low, condition) <= CALIBRATION.probability(high, condition)


@given(log_odds, st.floats(0, 10), st.sampled_from(["good", "small"]))
def test_the_interval_holds_the_probability_and_grows_with_the_spread(z, spread, condition):
    low, high = CALIBRATION.interval(z, spread, condition)
    wider = CALIBRATION.interval(z, spread + 1, condition)
    assert 0 <= wider[0] <= low <= CALIBRATION.probability(z, condition) <= high <= wider[1] <= 1


def test_a_bundle_without_lines_for_large_pictures_judges_them_as_the_others():
    assert CALIBRATION.line("large-good") == CALIBRATION.line("good")
    assert CALIBRATION.line("large-small") == CALIBRATION.line("small")
    own = Calibration({**CALIBRATION.conditions, "large-good": Line(2.0, 0.0, 0.1)}, 0.2, 0.85)
    assert own.line("large-good").slope == 2.0


def test_an_unknown_condition_is_judged_as_good():
    assert CALIBRATION.probability(1.0, "never seen") == CALIBRATION.probability(1.0, "good")


@pytest.mark.parametrize(
    ("p", "verdict"),
    [(0.0, "real"), (0.199, "real"), (0.2, "inconclusive"), (0.849, "inconclusive"), (0.85, "ai"), (1.0, "ai")],
)
def test_verdicts_at_the_thresholds(p, verdict):
    assert CALIBRATION.verdict(p) == verdict


def test_a_round_trip_through_json_changes_nothing():
    assert Calibration.from_dict(json.loads(json.dumps(CALIBRATION.to_dict()))) == CALIBRATION


@pytest.mark.parametrize("log_odds", [-1e4, 1e4])
def test_no_log_odds_are_too_large(log_odds):
    assert CALIBRATION.probability(log_odds, "good") == float(log_odds > 0)


def test_an_interval_by_hand():
    found = Calibration({"good": Line(2.0, 0.5, 0.3)}, 0.2, 0.8).interval(1.0, 0.2, "good")
    reach = 1.645 * math.hypot(2.0 * 0.2, 0.3)
    assert found == pytest.approx([1 / (1 + math.exp(-z)) for z in (2.5 - reach, 2.5 + reach)])
