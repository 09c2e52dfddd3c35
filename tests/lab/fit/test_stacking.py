"""The stack: honest out-of-fold scores, thresholds that keep their promises, heads that survive being written down."""

from pathlib import Path

import numpy as np
import pytest

from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.folds import balance
from aiforensics.lab.fit import outoffold
from aiforensics.lab.fit.calibrating import FALSE_ALARMS, MISSES, calibrate, logistic, thresholds
from aiforensics.lab.fit.intervals import DELIVERIES, widened
from aiforensics.lab.fit.measure import Table
from aiforensics.lab.fit.outoffold import judged, out_of_fold
from aiforensics.lab.fit.stacking import Stack, fit_stack
from aiforensics_models.calibration import Calibration, Line
from aiforensics_models.heads import EMBEDDING, load_head

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = (rng.random(900) < 0.5).astype(float)
    rows = rng.normal(size=(900, 6))
    rows[:, 0] += 1.2 * labels
    embedding = 1.5 * (labels - 0.5) + rng.normal(size=900)
    folds = rng.integers(0, 3, 900)
    return rows, embedding, labels, folds, np.ones(900)


@pytest.mark.parametrize("kind", ["xgboost", "deep"])
def test_the_fused_score_is_at_least_as_good_as_its_parts(kind, data):
    from aiforensics.lab.judge.metrics import roc_auc

    labels = data[2]
    stack = fit_stack(*data, kind, 0)
    best_part = max(roc_auc(labels, stack.embedding), roc_auc(labels, stack.handcrafted))
    assert roc_auc(labels, stack.fused) > best_part


@pytest.mark.parametrize("kind", ["xgboost", "deep"])
def test_a_saved_head_answers_as_the_fitted_one(kind, data, tmp_path):
    rows, embedding, *_ = data
    stack = fit_stack(*data, kind, 0)
    manifest = {"kind": kind, "file": stack.head.save(tmp_path), "mix": stack.mix}
    names = ("ela.a", "ela.b", "noise.a", "noise.b", "jpeg.a", "color.a", EMBEDDING)
    head = load_head(tmp_path, manifest, names)
    margins = stack.head.margin(rows[:10])
    for row, z, margin in zip(rows[:10], embedding[:10], margins, strict=True):
        expected = stack.mix["embedding"] * z + stack.mix["handcrafted"] * margin + stack.mix["offset"]
        assert head(np.append(row, z)).log_odds == pytest.approx(expected, abs=1e-4)


def test_noise_alone_earns_nothing_out_of_fold(data):
    rng = np.random.default_rng(1)
    rows, embedding = rng.normal(size=(900, 6)), rng.normal(size=900)
    stack = fit_stack(rows, embedding, *data[2:], "xgboost", 0)
    from aiforensics.lab.judge.metrics import roc_auc

    assert roc_auc(data[2], stack.fused) < 0.56


def test_each_fold_is_judged_by_lines_and_thresholds_that_all_views_of_the_others_set():
    rng = np.random.default_rng(4)
    samples = [
        Sample(Path(f"{i}.png"), ("real", "ai")[i % 2], f"s{i % 8}", f"g{i % 8}", str(i), "train") for i in range(400)
    ]
    owner = np.repeat(np.arange(400), 2)
    labels = (owner % 2).astype(float)
    odds = 2.0 * (labels - 0.5) + rng.normal(size=800)
    view = np.tile(["random", "clean"], 400)
    odds[view == "random"] -= 1.0
    folds = np.arange(400) % 8 // 2
    names, nothing = np.full(800, "good"), np.zeros((800, 1), np.float32)
    table = Table(owner, view, names, names, nothing.astype(np.float64), np.zeros(800), nothing)
    p, verdicts = judged(odds, table, samples, folds)
    out = folds[owner] == 0
    weights = balance(samples)[owner]
    sources = [samples[i].source for i in owner[~out]]
    fitted = calibrate(odds[~out], labels[~out], names[~out], weights[~out], sources, seed=0)
    assert p[out] == pytest.approx([fitted.probability(z, "good") for z in odds[out]])
    assert verdicts[out].tolist() == [fitted.verdict(v) for v in p[out]]


def test_sources_of_both_classes_may_share_a_name(monkeypatch):
    samples = [
        Sample(Path(f"{i}.png"), ("real", "ai")[i % 2], f"s{i % 8 // 2}", "", str(i), "train") for i in range(400)
    ]
    labels = (np.arange(400) % 2).astype(float)
    odds = 6.0 * (labels - 0.5) + np.random.default_rng(6).normal(size=400)
    view, names, nothing = np.full(400, "clean"), np.full(400, "good"), np.zeros((400, 1))
    table = Table(np.arange(400), view, names, names, nothing, np.zeros(400), nothing.astype(np.float32))
    drawn = []
    monkeypatch.setattr(outoffold, "calibrate", lambda *a, **k: drawn.append(set(a[4])) or calibrate(*a, **k))
    found = out_of_fold(Stack(None, {}, odds, odds, odds), table, samples, np.arange(400) % 8 // 2)
    assert set(found["false_alarms_by_real_source"]) == {f"s{i}" for i in range(4)}
    assert max(found["false_alarms_by_real_source"].values()) < 0.1, "AI pictures that were found are no false alarms"
    assert len(drawn[0]) == 6, "three sources of each class, each drawn on its own"


def test_logistic_recovers_known_slopes():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40_000, 2))
    labels = (rng.random(40_000) < 1 / (1 + np.exp(-(x @ [1.0, -2.0] + 0.5)))).astype(float)
    slopes, offset = logistic(x, labels, np.ones(40_000), ridge=1e-6)
    assert slopes == pytest.approx([1.0, -2.0], abs=0.06)
    assert offset == pytest.approx(0.5, abs=0.06)


def test_thresholds_keep_their_promises(data):
    _, embedding, labels, _, weights = data
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
    _, embedding, labels, _, weights = data
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
    odds = np.where(conditions == "good", 4.0, 0.5) * (labels - 0.5) + rng.normal(size=1300)
    sources = [f"s{i % 9}" for i in range(1300)]
    found = calibrate(odds, labels, conditions, np.ones(1300), sources)
    alone = calibrate(odds, labels, np.full(1300, "good"), np.ones(1300), sources)
    assert found.line("grey") == alone.line("good")
    assert found.line("compressed").slope < found.line("grey").slope < found.line("good").slope


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


@pytest.mark.parametrize("views", [(DELIVERIES[0],), ("half",), (*DELIVERIES[:2], "half")])
def test_pictures_that_lack_a_delivery_are_compared_by_the_others(views):
    odds = np.random.default_rng(0).normal(size=20 * len(views))
    narrow = Calibration({"good": Line(1.0, 0.0, 0.05)}, 0.2, 0.9)
    assert (widened(narrow, odds, delivered(20, views)) == narrow) == (len(views) == 1)


def test_an_interval_holds_nine_tenths_of_what_other_deliveries_say():
    rng = np.random.default_rng(5)
    pictures, views = 400, (*DELIVERIES, "half")
    truth = rng.normal(size=pictures)
    odds = (truth[:, None] + rng.normal(size=(pictures, len(views))) * 0.6).ravel()
    table = delivered(pictures, views)
    narrow = Calibration({name: Line(1.0, 0.0, 0.05) for name in ("good", "compressed", "small")}, 0.2, 0.9)
    wide = widened(narrow, odds, table)
    assert wide.line("small").spread == pytest.approx(wide.line("good").spread, rel=0.1)  # that of all

    def held(calibration):
        rows = odds.reshape(pictures, -1)
        inside = [
            low <= calibration.probability(row[other], "good") <= high
            for row in rows
            for one, other in ((0, 1), (1, 0))
            for low, high in [calibration.interval(row[one], 0.1, "good")]
        ]
        return np.mean(inside)

    assert held(narrow) < 0.3
    assert held(wide) == pytest.approx(0.9, abs=0.03)
    assert widened(Calibration({"good": Line(1.0, 0.0, 9.0)}, 0.2, 0.9), odds, table).line("good").spread == 9.0
