"""Verdicts and their sentences: thresholds, weak answers."""

import pytest

from aiforensics.decision import decide
from aiforensics.evidence import Quality
from aiforensics_models.calibration import Calibration, Line


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.6, "The probability 60% lies between 23% and 91%,"),
        (0.9125, "The probability 91.2% lies between 22.9% and 91.4%,"),
        (0.91396, "The probability 91.396% lies between 22.900% and 91.400%,"),
        (0.2289999, "The probability 22.89999% is below 22.90000%,"),
        (0.004, "The probability <1% is below 23%,"),
        (0.997, "The probability >99% is at or above 91%,"),
    ],
)
def test_a_decision_tells_the_probability_from_the_thresholds(p, said):
    calibration = Calibration({"good": Line(1.0, 0.0, 0.1)}, 0.229, 0.914)
    _, decision = decide(calibration, p, Quality("good"), (max(0.0, p - 0.01), min(1.0, p + 0.01)))
    assert decision.startswith(said)


def test_thresholds_near_certainty_are_told_apart_from_it():
    calibration = Calibration({"good": Line(1.0, 0.0, 0.1)}, 0.004, 0.999)
    _, decision = decide(calibration, 0.006, Quality("good"), (0.001, 0.02))
    assert decision.startswith("The probability 0.6% lies between 0.4% and 99.9%,")


@pytest.mark.parametrize(
    ("p", "interval", "verdict", "weak"),
    [
        (0.95, (0.93, 0.97), "ai", False),
        (0.95, (0.90, 0.97), "ai", True),
        (0.05, (0.01, 0.10), "real", False),
        (0.05, (0.01, 0.25), "real", True),
        (0.50, (0.01, 0.99), "inconclusive", False),
    ],
)
def test_an_answer_whose_range_crosses_its_line_is_called_weak(p, interval, verdict, weak):
    calibration = Calibration({"good": Line(1.0, 0.0, 0.1)}, 0.229, 0.914)
    found, decision = decide(calibration, p, Quality("good"), interval)
    assert (found, "weak answer" in decision) == (verdict, weak)
