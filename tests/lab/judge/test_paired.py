"""The difference of two detectors on the same pictures: what pairing shows, and where it shows nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.judge import metrics
from aiforensics.lab.judge.detector import Prediction
from aiforensics.lab.judge.evaluate import scores_of
from aiforensics.lab.judge.metrics import Figure, Scores
from aiforensics.lab.judge.paired import at_once, difference


def pictures(count: int, each: int = 1) -> list[Sample]:
    """`count` groups of `each` pictures in either class."""
    return [
        Sample(Path(f"{label}{i}.png"), label, "s", "", f"{label}{i // each}", "test")
        for label in ("real", "ai")
        for i in range(count * each)
    ]


def said(samples, log_odds):
    p = 1 / (1 + np.exp(-np.asarray(log_odds, float)))
    return [(s, Prediction(float(one), "ai" if one >= 0.5 else "real")) for s, one in zip(samples, p, strict=True)]


def hard(samples, seed, apart=1.2, noise=0.3):
    """Log-odds in which the pictures differ far more than the detectors."""
    how_hard = np.random.default_rng(0).normal(0, 1, len(samples))
    own = np.random.default_rng(seed).normal(0, noise, len(samples))
    return apart * np.array([s.label == "ai" for s in samples]) + how_hard + own


def test_a_difference_is_sure_where_the_intervals_of_both_overlap() -> None:
    samples = pictures(150)
    better, worse = said(samples, hard(samples, 1, 1.2, 0.3)), said(samples, hard(samples, 2, 0.8, 0.3))
    found = difference({"clean": better}, {"clean": worse}, draws=300)
    one, two = (metrics.figure(scores_of(pairs), "roc_auc", draws=300) for pairs in (better, worse))
    apart = found.figures["roc_auc"]
    assert apart.value == pytest.approx(one.value - two.value)
    assert one.low < two.high, "their own intervals overlap"
    assert 0 < apart.low < apart.value < apart.high
    assert apart.high - apart.low < 0.6 * np.hypot(one.high - one.low, two.high - two.low)
    turned = difference({"clean": worse}, {"clean": better}, draws=300).figures["roc_auc"]
    assert (turned.value, turned.low, turned.high) == pytest.approx((-apart.value, -apart.high, -apart.low))
    assert (found.pictures, found.few) == (300, False)


def test_the_same_groups_are_drawn_for_both() -> None:
    samples = pictures(20)
    first, same_order = said(samples, hard(samples, 1)), said(samples, 3 * hard(samples, 1) - 1)
    one = metrics.figure(scores_of(first), "roc_auc", draws=100)
    assert one.high - one.low > 0.1
    apart = difference({"clean": first}, {"clean": same_order}, draws=100).figures["roc_auc"]
    assert apart.value == 0
    assert np.isnan([apart.low, apart.high]).all(), "whatever is drawn, both rank it alike"


def test_groups_are_drawn_and_not_their_pictures() -> None:
    tied, loose = pictures(25, each=4), pictures(100)
    once = pictures(25)
    one, two = (np.repeat(hard(once, seed), 4) for seed in (1, 2))  # four copies of each picture
    alone, together = (difference({"c": said(s, one)}, {"c": said(s, two)}).figures["roc_auc"] for s in (loose, tied))
    assert alone.value == together.value
    assert together.high - together.low > 1.6 * (alone.high - alone.low)


def test_what_one_of_them_refused_counts_for_neither() -> None:
    samples = pictures(30)
    one, two = said(samples, hard(samples, 1)), said(samples, hard(samples, 2, 0.2))
    fewer = [pair for pair in two if pair[0].path.stem not in ("ai3", "real7")]
    found = difference({"clean": one, "half": one}, {"clean": fewer[::-1], "half": fewer, "other": two}, draws=50)
    both = [pair for pair in one if pair[0].path.stem not in ("ai3", "real7")]
    expected = [metrics.roc_auc(s.labels, s.p_ai) for s in (scores_of(both), scores_of(fewer))]
    assert found.pictures == 58
    assert found.figures["roc_auc"].value == pytest.approx(expected[0] - expected[1])
    none = difference({"clean": one[:3]}, {"clean": one[4:]}, draws=50)
    assert (none.pictures, none.few, np.isnan(none.figures["roc_auc"].value)) == (0, True, True)
    real = difference({"clean": one[:30]}, {"clean": two}, draws=50)
    assert (real.few, np.isnan(real.figures["roc_auc"].value)) == (True, True)


@pytest.mark.parametrize(("groups", "few"), [(4, True), (5, False)])
def test_too_few_groups_have_a_difference_without_an_interval(groups, few) -> None:
    samples = pictures(groups, each=6)
    found = difference({"c": said(samples, hard(samples, 1))}, {"c": said(samples, hard(samples, 2))}, draws=100)
    assert found.few is few
    assert np.isfinite(found.figures["roc_auc"].value)
    assert np.isnan(found.figures["roc_auc"].low) == few


def test_several_figures_are_those_of_the_headline() -> None:
    samples = pictures(40)
    one, two = said(samples, hard(samples, 1) - 0.6), said(samples, hard(samples, 2) - 0.2)
    names = ("accuracy", "false_alarms", "roc_auc", "f1")
    found = difference({"c": one}, {"c": two}, names, draws=100).figures
    for name in names:
        mine, theirs = (float(metrics.figures(scores_of(pairs))[name][0]) for pairs in (one, two))
        assert found[name].value == pytest.approx(mine - theirs)
        assert found[name].low < found[name].value < found[name].high
    alone = difference({"c": one}, {"c": two}, draws=100).figures
    assert alone["roc_auc"] == pytest.approx(found["roc_auc"])


def test_nothing_is_0_and_not_what_is_left_over_in_a_float() -> None:
    samples = pictures(10)

    def right(real, ai):
        return said(samples, [-1 if i < real else 1 for i in range(10)] + [1 if i < ai else -1 for i in range(10)])

    found = difference({"c": right(7, 1)}, {"c": right(5, 3)}, ("balanced_accuracy",), draws=50)
    assert (0.1 + 0.7) / 2 != (0.3 + 0.5) / 2
    assert found.figures["balanced_accuracy"].value == 0


def test_intervals_for_all_at_once_are_wider() -> None:
    one = Figure(-0.1, -0.2, -0.05)
    assert at_once(one, 1) == one
    wide = at_once(one, 45)
    assert wide.value == -0.1
    assert (wide.low + 0.1, wide.high + 0.1) == pytest.approx((-0.1 * 1.665, 0.05 * 1.665), abs=1e-3)
    assert np.isnan(at_once(Figure(0.1, np.nan, np.nan), 3).low)


def test_of_many_equal_detectors_none_is_told_apart_from_the_best() -> None:
    rng, alone, all_pairs = np.random.default_rng(4), 0, 0
    labels = np.repeat([0, 1], 40)
    for _ in range(40):
        hardness = rng.normal(0, 0.7, 80)
        log_odds = 1.5 * labels + hardness + rng.normal(0, 0.7, (8, 80))
        scores = [Scores.of(labels, 1 / (1 + np.exp(-one))) for one in log_odds]
        scores.sort(key=lambda s: -metrics.roc_auc(s.labels, s.p_ai))
        samples = pictures(40)
        best, *others = (
            [(s, Prediction(float(p), "ai")) for s, p in zip(samples, one.p_ai, strict=True)] for one in scores
        )
        found = [difference({"c": other}, {"c": best}, draws=200).figures["roc_auc"] for other in others]
        alone += any(one.high < 0 for one in found)
        all_pairs += any(at_once(one, 28).high < 0 for one in found)
    assert alone > 14, "each under its own interval, chance alone tells some one apart"
    assert all_pairs <= 6
