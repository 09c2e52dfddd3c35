"""From log-odds to a calibrated probability, an interval and a verdict.

Each delivery condition has its own straight line in the log-odds (Platt scaling, 1999), fitted on scores of sources
that the model had not seen. A verdict is given only outside the band between two thresholds, which are set by false
alarms on real pictures and by errors among the answers (selective prediction, Geifman & El-Yaniv, arXiv 1705.08500).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["ai", "real", "inconclusive"]
INTERVAL = 0.9
"""Share of what may be expected that an interval holds."""
NORMAL_95 = 1.645
"""Standard deviations on each side that hold `INTERVAL` of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Line:
    """One condition's calibration: p = sigmoid(slope · log-odds + offset).

    `spread`, a standard deviation in calibrated log-odds, is the part of the interval that all its pictures share: what
    hangs on the choice of sources and, in a fusion, on how a picture was delivered.
    """

    slope: float
    offset: float
    spread: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of a bundle.

    Attributes
    ----------
    conditions
        A line for each condition; that of `compressed` stands in for `large-compressed`, and so on, where a bundle has
        no such line; `good` is always there and stands in for every other name.
    real_below, ai_from
        Thresholds of p: `real` below the first, `ai` from the second on, `inconclusive` between.
    """

    conditions: Mapping[str, Line]
    real_below: float
    ai_from: float

    def line(self, condition: str) -> Line:
        """The line of a condition."""
        known = (name for name in (condition, condition.removeprefix("large-")) if name in self.conditions)
        return self.conditions[next(known, "good")]

    def probability(self, log_odds: float, condition: str) -> float:
        """Calibrated probability of `ai`, in [0, 1]."""
        line = self.line(condition)
        return _sigmoid(line.slope * log_odds + line.offset)

    def interval(self, log_odds: float, spread: float, condition: str) -> tuple[float, float]:
        """90 % interval of p: where another delivery of the same picture is expected (JPEG again, another crop).

        Parameters
        ----------
        log_odds
            The head's answer.
        spread
            Standard deviation of the network's log-odds over ensemble members and windows. It stands for that of the
            whole answer, because the other features have no members to ask.
        condition
            The condition that the picture is judged under.
        """
        line = self.line(condition)
        centre = line.slope * log_odds + line.offset
        half = NORMAL_95 * math.hypot(line.slope * spread, line.spread)
        return _sigmoid(centre - half), _sigmoid(centre + half)

    def verdict(self, p_ai: float) -> Verdict:
        """The verdict at the shipped thresholds."""
        if p_ai >= self.ai_from:
            return "ai"
        return "real" if p_ai < self.real_below else "inconclusive"

    def to_dict(self) -> dict[str, Any]:
        """For `bundle.json`."""
        return {
            "conditions": {name: asdict(line) for name, line in self.conditions.items()},
            "real_below": self.real_below,
            "ai_from": self.ai_from,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """From `bundle.json`."""
        return cls(
            {name: Line(**line) for name, line in data["conditions"].items()},
            float(data["real_below"]),
            float(data["ai_from"]),
        )


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
