"""Intervals hold what other deliveries of the same picture say."""

from dataclasses import replace

import numpy as np
import pytest

from aiforensics.lab.fit.intervals import DELIVERIES, widened
from aiforensics.lab.fit.measure import Table
from aiforensics_models.calibration import Calibration, Line

pytestmark = pytest.mark.train
SMALL, LARGE = DELIVERIES


def delivered(pictures, views):
    """The table of so many pictures, each in these views."""
    view = np.tile(views, pictures)
    return Table(
        sample=np.repeat(np.arange(pictures), len(views)),
        view=view,
        origin=np.full(len(view), ""),
        condition=np.where(view == "jpeg75", "compressed", "good"),
        values=np.zeros((len(view), 1)),
        spread=np.full(len(view), 0.1),
        embedding=np.zeros((len(view), 1), np.float32),
    )


@pytest.mark.parametrize("views", [SMALL[:1], ("half",), (*SMALL[:2], "half"), (SMALL[0], LARGE[1])])
def test_pictures_that_lack_a_delivery_are_compared_by_the_others(views):
    log_odds = np.random.default_rng(0).normal(size=20 * len(views))
    narrow = Calibration({"good": Line(1.0, 0.0, 0.05)}, 0.2, 0.9)
    assert (widened(narrow, log_odds, delivered(20, views)) == narrow) == (sum(view in SMALL for view in views) < 2)


def test_an_interval_holds_nine_tenths_of_what_other_deliveries_say():
    rng = np.random.default_rng(5)
    pictures, views = 400, (*SMALL, "half")
    truth = rng.normal(size=pictures)
    log_odds = (truth[:, None] + rng.normal(size=(pictures, len(views))) * 0.6).ravel()
    table = delivered(pictures, views)
    narrow = Calibration({name: Line(1.0, 0.0, 0.05) for name in ("good", "compressed", "small")}, 0.2, 0.9)
    wide = widened(narrow, log_odds, table)
    assert wide.line("small").spread == pytest.approx(wide.line("good").spread, rel=0.1)  # that of all

    def held(calibration):
        rows = log_odds.reshape(pictures, -1)
        inside = [
            low <= calibration.probability(row[other], "good") <= high
            for row in rows
            for one, other in ((0, 1), (1, 0))
            for low, high in [calibration.interval(row[one], 0.1, "good")]
        ]
        return np.mean(inside)

    assert held(narrow) < 0.3
    assert held(wide) == pytest.approx(0.9, abs=0.03)
    assert widened(Calibration({"good": Line(1.0, 0.0, 9.0)}, 0.2, 0.9), log_odds, table).line("good").spread == 9.0


def test_large_pictures_are_compared_with_large_ones():
    rng = np.random.default_rng(6)
    table = delivered(300, (*SMALL, *LARGE))
    large = np.isin(table.view, LARGE)
    table = replace(table, condition=np.where(large, "large-good", "good"))
    truth = np.repeat(rng.normal(size=300), 6)
    log_odds = truth + rng.normal(size=1800) * np.where(large, 0.1, 1.0)
    wide = widened(
        Calibration({name: Line(1.0, 0.0, 0.05) for name in ("good", "large-good")}, 0.2, 0.9), log_odds, table
    )
    assert wide.line("large-good").spread < 0.3 * wide.line("good").spread
