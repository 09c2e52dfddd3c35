"""The stack: honest out-of-fold scores, thresholds that keep their promises, heads that survive being written down."""

from dataclasses import replace

import numpy as np
import pytest

from aiforensics.lab.fit.stacking import fit_stack, joint_inputs
from aiforensics.lab.judge.metrics import roc_auc
from aiforensics_models.heads import EMBEDDING, load_head

pytestmark = pytest.mark.train


@pytest.mark.parametrize("kind", ["xgboost", "deep"])
def test_the_fused_score_is_at_least_as_good_as_its_parts(kind, data):
    stack = fit_stack(data, kind, 0)
    parts = stack.network, stack.handcrafted, stack.standing
    assert roc_auc(data.labels, stack.fused) > max(roc_auc(data.labels, part) for part in parts)


def test_what_only_both_together_tell_is_read_by_the_joint_perceptron(data):
    stack = fit_stack(data, "deep", 0)
    assert roc_auc(data.labels, stack.fused) > roc_auc(data.labels, stack.standing) + 0.01
    blind = replace(data, embedding=np.zeros_like(data.embedding))
    assert roc_auc(data.labels, fit_stack(blind, "deep", 0).fused) < roc_auc(data.labels, stack.fused) - 0.01


@pytest.mark.parametrize("kind", ["xgboost", "deep"])
def test_a_saved_head_answers_as_the_fitted_one(kind, data, tmp_path):
    stack = fit_stack(data, kind, 0)
    names = ("ela.a", "ela.b", "noise.a", "noise.b", "jpeg.a", "color.a", EMBEDDING)
    head = load_head(tmp_path, stack.save(tmp_path), names)
    few = data.of(np.arange(900) < 10)
    margins, joints = stack.head.margin(few.rows), stack.joint.margin(joint_inputs(few))
    mix = stack.mix
    assert mix["joint"] > 0
    for row, z, vector, margin, joint in zip(few.rows, few.log_odds, few.embedding, margins, joints, strict=True):
        expected = mix["embedding"] * z + mix["handcrafted"] * margin + mix["joint"] * joint + mix["offset"]
        assert head(np.append(row, z), vector).log_odds == pytest.approx(expected, abs=1e-4)


def test_noise_alone_earns_nothing_out_of_fold(data):
    rng = np.random.default_rng(1)
    noise = {name: rng.normal(size=getattr(data, name).shape) for name in ("rows", "log_odds", "embedding")}
    stack = fit_stack(replace(data, **noise), "xgboost", 0)
    assert roc_auc(data.labels, stack.fused) < 0.56


def test_a_part_is_judged_by_a_perceptron_that_had_not_seen_it(data):
    """An input that gives away the labels of one part alone is of no use to who has not seen that part."""
    mine = data.slices == 3
    told = np.where(mine, data.labels, 0.5)[:, None] * 8
    giveaway = replace(data, embedding=np.concatenate([data.embedding, told], axis=1).astype(np.float32))
    plain, tempted = fit_stack(data, "deep", 0), fit_stack(giveaway, "deep", 0)
    gain = roc_auc(data.labels[mine], tempted.fused[mine]) - roc_auc(data.labels[mine], plain.fused[mine])
    assert gain < 0.05


def test_rows_of_no_fold_are_there_for_the_head_alone(data):
    known = np.arange(len(data.labels)) < 300
    some = replace(data, folds=np.where(known, -1, data.folds))
    stack = fit_stack(some, "deep", 0)
    assert len(stack.fused) == len(stack.handcrafted) == (~known).sum()
    moved = replace(some, log_odds=np.where(known, 99.0, data.log_odds), embedding=data.embedding.copy())
    moved.embedding[known] = 99.0
    other = fit_stack(moved, "deep", 0)
    assert np.array_equal(stack.fused, other.fused)
    assert stack.mix == other.mix
    fewer = fit_stack(data.of(~known), "deep", 0)
    assert not np.allclose(stack.handcrafted, fewer.handcrafted), "the head has learned from them"


def test_known_sources_teach_the_heads_and_set_no_mix(data):
    familiar = data.folds == 2
    some = replace(data, strange=~familiar)
    stack = fit_stack(some, "deep", 0)
    assert len(stack.fused) == len(stack.standing) == (~familiar).sum()
    sure = replace(some, log_odds=np.where(familiar, 50 * (data.labels - 0.5), data.log_odds))
    assert fit_stack(sure, "deep", 0).mix["embedding"] < 2 * stack.mix["embedding"], "their certainty is none"
    without = fit_stack(some.of(~familiar), "deep", 0)
    rows = joint_inputs(data)
    assert not np.allclose(stack.joint.margin(rows), without.joint.margin(rows)), "the perceptron has learned from them"
