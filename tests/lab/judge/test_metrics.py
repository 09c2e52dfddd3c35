"""Figures against scikit-learn and against formulas written out; intervals against theory."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiforensics.lab.judge import curves, metrics
from aiforensics.lab.judge.metrics import Scores


def some(n: int = 400, seed: int = 0, ties: bool = False) -> Scores:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    p = 1 / (1 + np.exp(-(2.0 * labels - 1 + rng.normal(0, 1.3, n))))
    p = np.round(p, 1) if ties else p
    verdicts = np.where(p > 0.8, "ai", np.where(p < 0.3, "real", "inconclusive"))
    return Scores.of(labels, p, verdicts.tolist(), [str(i // 4) for i in range(n)])


@pytest.mark.train
@pytest.mark.parametrize("ties", [False, True])
def test_figures_agree_with_sklearn(ties) -> None:
    reference = pytest.importorskip("sklearn.metrics")
    s = some(ties=ties)
    got = {name: float(v[0]) for name, v in metrics.figures(s).items()}
    called = (s.p_ai >= 0.5).astype(int)
    assert got["accuracy"] == pytest.approx(reference.accuracy_score(s.labels, called))
    assert got["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(s.labels, called))
    assert got["precision"] == pytest.approx(reference.precision_score(s.labels, called))
    assert got["recall"] == pytest.approx(reference.recall_score(s.labels, called))
    assert got["f1"] == pytest.approx(reference.f1_score(s.labels, called))
    assert got["roc_auc"] == pytest.approx(reference.roc_auc_score(s.labels, s.p_ai))
    assert got["average_precision"] == pytest.approx(reference.average_precision_score(s.labels, s.p_ai))
    assert got["brier"] == pytest.approx(reference.brier_score_loss(s.labels, s.p_ai))
    assert reference.confusion_matrix(s.labels, called).tolist() == [
        [metrics.confusion_matrix(s)["real"]["real"], metrics.confusion_matrix(s)["real"]["ai"]],
        [metrics.confusion_matrix(s)["ai"]["real"], metrics.confusion_matrix(s)["ai"]["ai"]],
    ]


@pytest.mark.train
@pytest.mark.parametrize("ties", [False, True])
def test_weights_agree_with_sklearn_and_with_repetition(ties) -> None:
    reference = pytest.importorskip("sklearn.metrics")
    s = some(ties=ties)
    times = np.random.default_rng(5).integers(0, 4, len(s))
    got = {name: float(v[0]) for name, v in metrics.figures(s, times[None].astype(float)).items()}
    assert got["roc_auc"] == pytest.approx(reference.roc_auc_score(s.labels, s.p_ai, sample_weight=times))
    assert got["average_precision"] == pytest.approx(
        reference.average_precision_score(s.labels, s.p_ai, sample_weight=times)
    )
    repeated = s.pick(np.repeat(np.arange(len(s)), times))  # type: ignore[arg-type]
    for name, values in metrics.figures(repeated).items():
        if name != "ece":  # its bins are those of the whole set
            assert got[name] == pytest.approx(float(values[0])), name


def test_selective_figures_by_hand() -> None:
    s = Scores.of(
        [0, 0, 0, 0, 1, 1], [0.9, 0.5, 0.1, 0.2, 0.95, 0.1], ["ai", "inconclusive", "real", "real", "ai", "real"]
    )
    got = {name: float(v[0]) for name, v in metrics.figures(s).items()}
    assert got["false_alarms"] == 0.25
    assert got["coverage"] == pytest.approx(5 / 6)
    assert got["selective_accuracy"] == pytest.approx(3 / 5)
    assert got["detections"] == 0.5
    assert got["missed"] == 0.5
    assert metrics.verdict_matrix(s) == {
        "real": {"real": 2, "inconclusive": 1, "ai": 1},
        "ai": {"real": 1, "inconclusive": 0, "ai": 1},
    }


def test_ece_finds_what_was_put_in() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 60_000)
    honest = (rng.uniform(0, 1, len(p)) < p).astype(int)
    assert metrics.figures(Scores.of(honest, p))["ece"][0] < 0.012
    shifted = (rng.uniform(0, 1, len(p)) < np.clip(p - 0.2, 0, 1)).astype(int)
    expected = float(np.mean(p - np.clip(p - 0.2, 0, 1)))
    assert metrics.figures(Scores.of(shifted, p))["ece"][0] == pytest.approx(expected, abs=0.012)


def test_one_class_is_not_a_number_but_no_error() -> None:
    got = metrics.headline(Scores.of([0, 0, 0], [0.1, 0.2, 0.9]), draws=20)
    assert np.isnan(got["roc_auc"].value)
    assert np.isnan(got["roc_auc"].low)
    assert got["false_alarms"].value == pytest.approx(1 / 3)


def test_bad_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Scores.of([0, 1], [0.5, np.nan])
    with pytest.raises(ValueError, match="0 or 1"):
        Scores.of([0, 2], [0.5, 0.5])


def test_intervals_cover_as_promised() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for trial in range(120):
        labels = rng.integers(0, 2, 150)
        p = (rng.uniform(0, 1, 150) < 0.8).astype(float) * 0.8 + 0.1
        called = metrics.figure(Scores.of(labels, p), "called_ai", draws=300, seed=trial)
        covered += called.low <= 0.8 <= called.high
    assert 0.87 <= covered / 120 <= 1.0


def test_groups_widen_the_interval() -> None:
    s = some(400)
    copies = s.pick(np.repeat(np.arange(100), 4))  # type: ignore[arg-type]
    tied = Scores.of(copies.labels, copies.p_ai, groups=[str(i // 4) for i in range(400)])
    loose = Scores.of(copies.labels, copies.p_ai)
    one, two = metrics.headline(tied)["roc_auc"], metrics.headline(loose)["roc_auc"]
    assert one.high - one.low > 1.6 * (two.high - two.low)
    assert metrics.headline(tied) == metrics.headline(tied)


def test_what_never_happened_is_not_certain_to_never_happen() -> None:
    never = Scores.of([0] * 30, [0.1] * 30, ["real"] * 30, [str(i // 3) for i in range(30)])
    alarms = metrics.headline(never, draws=50)["false_alarms"]
    assert (alarms.value, alarms.low) == (0.0, 0.0)
    assert alarms.high == pytest.approx(0.278, abs=0.001)  # Wilson, 0 of 10
    assert metrics.by_key(never, ["s"] * 30, draws=50)["s"]["called_ai_interval"] == [0.0, alarms.high]


def test_what_happened_once_reaches_no_less_far_than_what_never_did() -> None:
    groups = [str(i // 2) for i in range(60)]

    def alarms(count):
        verdicts = ["ai" if i < 2 * count else "real" for i in range(60)]
        found = metrics.headline(Scores.of([0] * 60, np.linspace(0.1, 0.4, 60), verdicts, groups), draws=300)
        row = metrics.by_key(Scores.of([0] * 60, [0.1] * 60, verdicts, groups), ["s"] * 60, draws=300)["s"]
        assert row["called_ai_interval"] == [found["false_alarms"].low, found["false_alarms"].high]
        return found["false_alarms"]

    never, once, few, many = map(alarms, (0, 1, 4, 12))
    assert never.high == pytest.approx(0.114, abs=0.001)
    assert (once.low, once.high) == (0.0, pytest.approx(0.167, abs=0.001))  # Wilson, 1 of 30; draws reach 0.1
    assert never.high < once.high < few.high < many.high
    assert few.low <= 0.034, "as far down as the draws"
    drawn = metrics.figure(Scores.of([0] * 60, [0.1] * 60, ["ai"] * 24 + ["real"] * 36, groups), "called_ai", draws=300)
    assert many == drawn, "twelve groups show enough"
    assert alarms(29).low == pytest.approx(1 - once.high)


@pytest.mark.parametrize(("groups", "low", "high"), [(2, 0.095, 0.905), (4, 0.150, 0.850)])
def test_a_share_of_few_groups_reaches_as_far_as_that_number_of_groups_says(groups, low, high) -> None:
    verdicts = ["ai", "real"] * 20
    names = [str(i % groups) for i in range(40)]
    few = Scores.of([0] * 40, np.linspace(0.4, 0.6, 40), verdicts, names)
    found = metrics.headline(few, draws=100)
    wilson = pytest.approx([low, high], abs=0.001)
    assert [found["false_alarms"].low, found["false_alarms"].high] == wilson
    assert metrics.by_key(few, ["s"] * 40, draws=100)["s"]["called_ai_interval"] == wilson
    assert np.isnan([found[name].low for name in ("ece", "brier")]).all()


def test_a_thousand_draws_are_fast() -> None:
    start = time.process_time()
    metrics.headline(some(3000))
    assert time.process_time() - start < 8


def test_by_key_compares_a_source_with_the_other_class() -> None:
    s = some(400)
    keys = [("g1" if i % 2 else "g2") if ai else "cam" for i, ai in enumerate(s.labels)]
    rows = metrics.by_key(s, keys, draws=100)
    assert list(rows) == ["cam", "g1", "g2"]
    assert rows["cam"]["label"] == "real"
    mine = np.array([k in ("g1", "cam") for k in keys])
    assert rows["g1"]["roc_auc"] == pytest.approx(metrics.roc_auc(s.labels[mine], s.p_ai[mine]))
    low, high = rows["g1"]["roc_auc_interval"]
    assert low < rows["g1"]["roc_auc"] < high
    shares = [rows["cam"][k] for k in ("called_ai", "called_real", "inconclusive")]
    assert sum(shares) == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=60))
def test_curves_agree_with_their_areas(rows) -> None:
    labels, p = np.array([r[0] for r in rows]), np.array([r[1] for r in rows]) / 20
    s = Scores.of(labels, p)
    roc = curves.roc_curve(s)
    if roc["detections"]:
        assert np.trapezoid(roc["detections"], roc["false_alarms"]) == pytest.approx(metrics.roc_auc(labels, p))
    risk = curves.risk_coverage_curve(s)
    assert risk["coverage"][-1] == 1
    turned = curves.risk_coverage_curve(Scores.of(labels[::-1], p[::-1]))
    assert turned == risk, "the order of the files tells nothing"
    assert risk["risk"][-1] == pytest.approx(1 - float(metrics.figures(s)["accuracy"][0]))
    assert sum(curves.reliability_curve(s)["pictures"]) == len(rows)
    pr = curves.precision_recall_curve(s)
    if pr["recall"]:
        assert pr["recall"][-1] == 1
        assert pr["precision"][-1] == pytest.approx(labels.mean())


def test_the_interval_of_a_calibration_error_holds_the_error():
    rng = np.random.default_rng(3)
    for count in (24, 60, 200):
        p = rng.random(count)
        labels = (rng.random(count) < p).astype(int)
        error = metrics.headline(Scores.of(labels, p), draws=200)["ece"]
        assert 0.0 <= error.low <= error.value <= error.high, "resampling adds noise to every bin: the draws lie above"


def test_a_calibrated_detector_may_have_no_calibration_error_and_a_boastful_one_has():
    rng, low, chance = np.random.default_rng(1), [], []
    for trial in range(20):
        p = 1 / (1 + np.exp(-rng.normal(0, 1.7, 100)))
        found = metrics.headline(Scores.of((rng.random(100) < p).astype(int), p), draws=200, seed=trial)
        low.append(found["ece"].low)
        chance.append(found["ece_if_calibrated"].value - found["ece"].value)
    assert np.mean(np.array(low) <= 0.01) >= 0.9
    assert abs(np.mean(chance)) < 0.02
    log_odds = rng.normal(0, 1.7, 1000)
    labels = (rng.random(1000) < 1 / (1 + np.exp(-log_odds))).astype(int)
    found = metrics.headline(Scores.of(labels, 1 / (1 + np.exp(-3 * log_odds))), draws=200)
    assert found["ece"].low > 0.04
    assert found["ece_if_calibrated"].high < found["ece"].low


def test_pictures_that_share_group_and_label_err_together():
    rng = np.random.default_rng(2)
    p = np.tile(rng.random(50), 4)
    labels = (np.tile(rng.random(50), 4) < p).astype(int)
    groups = [str(i % 50) for i in range(200)]
    together, alone = (metrics.headline(Scores.of(labels, p, groups=some), draws=50) for some in (groups, None))
    once = metrics.headline(Scores.of(labels[:50], p[:50]), draws=50)
    assert together["ece_if_calibrated"].value == pytest.approx(once["ece_if_calibrated"].value, rel=0.15)
    assert alone["ece_if_calibrated"].value < 0.6 * together["ece_if_calibrated"].value


def test_a_figure_that_no_draw_moves_has_no_interval_of_no_width():
    labels, p = [0] * 20 + [1], [*np.linspace(0.1, 0.9, 20), 0.95]
    lone = metrics.headline(Scores.of(labels, p), draws=200)["roc_auc"]
    assert (lone.value, np.isnan(lone.low), np.isnan(lone.high)) == (1.0, True, True)
    six = Scores.of([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.1, 0.9, 0.8, 0.9])
    sure = metrics.headline(six, draws=200)["selective_accuracy"]
    assert (sure.value, sure.high) == (1.0, 1.0)
    assert sure.low < 0.7, "six right answers do not show that none is wrong"
    apart = metrics.headline(Scores.of([0] * 30 + [1] * 30, np.linspace(0, 1, 60)), draws=200)
    dull = metrics.headline(Scores.of([0, 1] * 30, [0.5] * 60, ["inconclusive"] * 60), draws=200)
    for found in (apart, dull):
        assert all(np.isnan(one.low) or one.high - one.low > 1e-6 for one in found.values())
    assert all(np.isnan(apart[name].low) for name in ("roc_auc", "average_precision", "balanced_accuracy", "f1"))
    for name in ("accuracy", "precision", "recall", "coverage", "selective_accuracy", "detections"):
        assert (apart[name].value, apart[name].high) == (1.0, 1.0)
        assert 0.85 < apart[name].low < 0.95, name
    assert dull["coverage"].high == pytest.approx(0.06, abs=0.005)  # Wilson, 0 of 60
    assert np.isnan(dull["roc_auc"].low)
    assert np.isnan(dull["brier"].low)


@pytest.mark.parametrize(("groups", "shown"), [(1, False), (4, False), (5, True), (12, True)])
def test_a_source_of_a_few_groups_has_no_interval_of_its_auc(groups, shown) -> None:
    rng = np.random.default_rng(groups)
    labels = [0] * 100 + [1] * 4 * groups
    p = np.clip(rng.normal(0.4, 0.2, len(labels)) + 0.2 * np.array(labels), 0, 1)
    names = [f"r{i}" for i in range(100)] + [f"a{i // 4}" for i in range(4 * groups)]
    scores = Scores.of(labels, p, groups=names)
    row = metrics.by_key(scores, ["cam"] * 100 + ["gen"] * 4 * groups, draws=200)["gen"]
    assert (row["judgements"], row["groups"]) == (4 * groups, groups)
    assert bool(np.isfinite(row["roc_auc_interval"]).all()) is shown
    found = metrics.headline(scores, draws=200)
    for name in ("roc_auc", "average_precision", "balanced_accuracy", "f1"):
        assert bool(np.isfinite(found[name].low)) is shown, name


def test_a_source_of_both_classes_has_a_row_in_each() -> None:
    labels = [0] * 8 + [1] * 8
    scores = Scores.of(labels, np.linspace(0, 1, 16), ["real"] * 6 + ["ai"] * 2 + ["real"] * 4 + ["ai"] * 4)
    rows = metrics.by_key(scores, (["web"] * 6 + ["cam"] * 2) + ["web"] * 8, draws=50)
    assert {name: row["label"] for name, row in rows.items()} == {"cam": "real", "real/web": "real", "ai/web": "ai"}
    assert (rows["real/web"]["called_ai"], rows["ai/web"]["called_ai"], rows["cam"]["called_ai"]) == (0.0, 0.5, 1.0)
    assert rows["ai/web"]["roc_auc"] == 1.0, "against the real pictures of every source"
