"""Figures on strangers: what judges a fold has not seen it."""

from pathlib import Path

import numpy as np
import pytest

from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.folds import balance
from aiforensics.lab.fit.calibrating import calibrate
from aiforensics.lab.fit.measure import Table
from aiforensics.lab.fit.outoffold import judged, out_of_fold

pytestmark = pytest.mark.train


def parts_of(log_odds):
    """Parts that all say the same."""
    return dict.fromkeys(("handcrafted", "deep", "fused"), log_odds)


def test_each_fold_is_judged_by_lines_and_thresholds_that_all_views_of_the_others_set():
    rng = np.random.default_rng(4)
    samples = [
        Sample(Path(f"{i}.png"), ("real", "ai")[i % 2], f"s{i % 8}", f"g{i % 8}", str(i), "train") for i in range(400)
    ]
    owner = np.repeat(np.arange(400), 2)
    labels = (owner % 2).astype(float)
    log_odds = 2.0 * (labels - 0.5) + rng.normal(size=800)
    view = np.tile(["random", "clean"], 400)
    log_odds[view == "random"] -= 1.0
    folds = np.arange(400) % 8 // 2
    names, nothing = np.full(800, "good"), np.zeros((800, 1), np.float32)
    table = Table(owner, view, names, names, nothing.astype(np.float64), np.zeros(800), nothing)
    p, verdicts = judged(log_odds, table, samples, folds, calibrate)
    out = folds[owner] == 0
    weights = balance(samples)[owner]
    sources = [samples[i].source for i in owner[~out]]
    fitted = calibrate(log_odds[~out], labels[~out], names[~out], weights[~out], sources, seed=0)
    assert p[out] == pytest.approx([fitted.probability(z, "good") for z in log_odds[out]])
    assert verdicts[out].tolist() == [fitted.verdict(v) for v in p[out]]


def test_sources_of_both_classes_may_share_a_name():
    samples = [
        Sample(Path(f"{i}.png"), ("real", "ai")[i % 2], f"s{i % 8 // 2}", "", str(i), "train") for i in range(400)
    ]
    labels = (np.arange(400) % 2).astype(float)
    log_odds = 6.0 * (labels - 0.5) + np.random.default_rng(6).normal(size=400)
    view, names, nothing = np.full(400, "clean"), np.full(400, "good"), np.zeros((400, 1))
    table = Table(np.arange(400), view, names, names, nothing, np.zeros(400), nothing.astype(np.float32))
    drawn = []
    found = out_of_fold(
        parts_of(log_odds), table, samples, np.arange(400) % 8 // 2, lambda *a: drawn.append(set(a[4])) or calibrate(*a)
    )
    assert set(found["false_alarms_by_real_source"]) == {f"s{i}" for i in range(4)}
    assert max(found["false_alarms_by_real_source"].values()) < 0.1, "AI pictures that were found are no false alarms"
    assert len(drawn[0]) == 6, "three sources of each class, each drawn on its own"


def test_larger_views_are_judged_apart():
    samples = [
        Sample(Path(f"{i}.png"), ("real", "ai")[i % 2], f"s{i % 8}", f"g{i % 8}", str(i), "train") for i in range(400)
    ]
    owner = np.concatenate([np.arange(400), np.arange(100)])
    view = np.array(["clean"] * 400 + ["large-jpeg75"] * 100)
    labels = (owner % 2).astype(float)
    rng = np.random.default_rng(7)
    log_odds = 2.0 * (labels - 0.5) + rng.normal(size=500) * np.where(view == "clean", 2.0, 0.5)
    names, nothing = np.where(view == "clean", "good", "large-good"), np.zeros((500, 1))
    table = Table(owner, view, names, names, nothing, np.zeros(500), nothing.astype(np.float32))
    parts, folds = parts_of(log_odds), np.arange(400) % 8 // 2
    found = out_of_fold(parts, table, samples, folds, calibrate)
    assert (found["pictures"], found["views"]) == (400, 400)
    assert (found["large"]["pictures"], found["large"]["views"]) == (100, 100)
    assert list(found["large"]["roc_auc_by_view"]) == ["large-jpeg75"]
    assert found["large"]["roc_auc"]["fused"] > 0.9 > found["roc_auc"]["fused"]
    rows = view == "clean"
    some = Table(*(getattr(table, name)[rows] for name in Table.__dataclass_fields__))
    assert "large" not in out_of_fold(parts_of(log_odds[rows]), some, samples, folds, calibrate)
