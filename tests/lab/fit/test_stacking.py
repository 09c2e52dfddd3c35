"""The stack: honest out-of-fold scores, thresholds that keep their promises, heads that survive being written down."""

import numpy as np
import pytest

from aiforensics.lab.fit.stacking import fit_stack
from aiforensics_models.heads import EMBEDDING, load_head

pytestmark = pytest.mark.train


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


def test_rows_of_no_fold_are_there_for_the_head_alone(data):
    rows, embedding, labels, folds, weights = data
    known = np.arange(len(labels)) < 300
    some = np.where(known, -1, folds)
    stack = fit_stack(rows, embedding, labels, some, weights, "deep", 0)
    assert len(stack.fused) == len(stack.handcrafted) == (~known).sum()
    other = fit_stack(rows, np.where(known, 99.0, embedding), labels, some, weights, "deep", 0)
    assert np.array_equal(stack.fused, other.fused)
    assert stack.mix == other.mix
    fewer = fit_stack(*(column[~known] for column in data), "deep", 0)
    assert not np.allclose(stack.handcrafted, fewer.handcrafted), "the head has learned from them"
