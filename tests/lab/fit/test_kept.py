"""A fusion's own head goes on: it starts as what it was, moves by little, and never promises more than it did."""

from dataclasses import replace

import numpy as np
import pytest

from aiforensics.analyzers import SCORED
from aiforensics.features import EDITION
from aiforensics.lab.fit.heads import XGBoostFit, XGBoostFurther
from aiforensics.lab.fit.kept import Kept
from aiforensics.lab.fit.perceptrons import PerceptronConfig, PerceptronFit
from aiforensics.lab.fit.stacking import StackData, fit_stack, joint_inputs
from aiforensics.lab.judge.metrics import roc_auc
from aiforensics.lab.train.recipes import RecipeError
from aiforensics_models.bundle import Bundle
from aiforensics_models.calibration import Calibration, Line
from aiforensics_models.heads import EMBEDDING, load_head
from aiforensics_models.trees import TreeEnsemble

pytestmark = pytest.mark.train
FEATURES = (*SCORED, EMBEDDING)


def made_up(count, seed, *, numbers=4):
    """Pictures whose measurements, embeddings and log-odds know a little."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < 0.5).astype(float)
    rows = rng.normal(size=(count, len(SCORED)))
    rows[:, 0] += 1.2 * labels
    embedding = rng.normal(size=(count, numbers)).astype(np.float32)
    embedding[:, -1] += (np.where(rows[:, 1] > 0, 2.0, -2.0) * (labels - 0.5)).astype(np.float32)
    folds = rng.integers(0, 2, count)
    parts = folds * 2 + rng.integers(0, 2, count)
    log_odds = 1.5 * (labels - 0.5) + rng.normal(size=count)
    return StackData(rows, log_odds, embedding, labels, np.ones(count), folds, parts, np.ones(count, np.bool_))


@pytest.fixture(scope="module", params=["xgboost", "deep"])
def bundle(request, tmp_path_factory):
    """A bundle of which only the head can be opened, fitted on 1,500 pictures."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(XGBoostFit, "rounds", 60)
        head = fit_stack(made_up(1500, 0), request.param, 0).save(folder)
    calibration = Calibration({"good": Line(1.0, 0.0, 0.5)}, 0.2, 0.9).to_dict()
    return Bundle(
        folder, {"name": "big", "features": FEATURES, "edition": EDITION, "head": head, "calibration": calibration}, ""
    )


def test_few_pictures_leave_it_better_than_a_fit_on_them_alone(bundle):
    few, strangers = made_up(60, 1), made_up(3000, 2)
    stack, anew = Kept.of(bundle).stack(few, 0), fit_stack(few, "deep", 0)

    def auc(one):
        mix = one.mix
        joint, margin = one.joint.margin(joint_inputs(strangers)), one.head.margin(strangers.rows)
        log_odds = mix["embedding"] * strangers.log_odds + mix["handcrafted"] * margin + mix["joint"] * joint
        return roc_auc(strangers.labels, log_odds)

    assert auc(stack) > auc(anew) + 0.03


def test_it_answers_as_before_but_for_small_steps_of_the_joint_perceptron(bundle, tmp_path):
    few = made_up(60, 1)
    stack = Kept.of(bundle).stack(few, 0)
    before, after = (load_head(*place, FEATURES) for place in place_of(bundle, stack, tmp_path))
    moved = [
        after(np.append(row, log_odds), vector).log_odds - before(np.append(row, log_odds), vector).log_odds
        for row, log_odds, vector in zip(few.rows[:20], few.log_odds, few.embedding, strict=False)
    ]
    assert 0 < np.abs(moved).max() < 1
    assert stack.mix["embedding"] == bundle.manifest["head"]["mix"]["embedding"]
    trees = bundle.manifest["head"]["file"]
    assert (tmp_path / trees).read_bytes() == (bundle.folder / trees).read_bytes()


def place_of(bundle, stack, folder):
    """Folder and manifest of the head before and after."""
    return (bundle.folder, bundle.manifest["head"]), (folder, stack.save(folder))


def test_an_embedding_may_have_more_numbers_in_front(bundle):
    few = made_up(60, 1)
    longer = replace(few, embedding=np.concatenate([few.log_odds[:, None].astype(np.float32), few.embedding], axis=1))
    kept = Kept.of(bundle)
    grown = kept.joint.grown(len(SCORED), longer.embedding[:, :1])
    assert np.allclose(grown.margin(joint_inputs(longer)), kept.joint.margin(joint_inputs(few)))
    assert len(kept.stack(longer, 0).fused) == 60


def test_a_part_is_judged_by_a_perceptron_that_had_not_seen_it(bundle):
    few = made_up(200, 1)
    flipped = replace(few, labels=np.where(few.slices == 3, 1 - few.labels, few.labels))
    mine = few.slices == 3
    kept = Kept.of(bundle)
    assert np.allclose(kept.stack(few, 0).fused[mine], kept.stack(flipped, 0).fused[mine], atol=0.2)
    assert not np.allclose(kept.stack(few, 0).fused[~mine], kept.stack(flipped, 0).fused[~mine], atol=1e-6)


def test_a_way_ends_between_the_start_and_where_the_steps_lead(bundle):
    few, start = made_up(400, 1), Kept.of(bundle).joint
    knobs = PerceptronConfig(epochs=6, rate=2e-3)
    rows = joint_inputs(few)
    none, half, whole = (
        PerceptronFit(rows, few.labels, few.weights, 0, replace(knobs, way=way), start=start).margin(rows)
        for way in (0.0, 0.5, 1.0)
    )
    assert np.allclose(none, start.margin(rows.astype(np.float64)), atol=1e-2), "but for half precision"
    assert np.abs(whole - none).max() > 0.1
    assert np.abs(half - (none + whole) / 2).mean() < 0.2 * np.abs(whole - none).mean()


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """What stands on top of a bundle whose head is trees, and makes itself heard on few pictures."""
    folder = tmp_path_factory.mktemp("trees")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(XGBoostFit, "rounds", 20)
        patch.setattr(XGBoostFurther, "least", 1.0)
        patch.setattr(XGBoostFurther, "rounds", 20)
        head = fit_stack(made_up(500, 0), "xgboost", 0).save(folder)
        calibration = Calibration({"good": Line(1.0, 0.0, 0.5)}, 0.2, 0.9).to_dict()
        manifest = {"name": "big", "features": FEATURES, "edition": EDITION, "head": head, "calibration": calibration}
        yield Kept.of(Bundle(folder, manifest, ""))


def turned(count, seed):
    """Pictures of which another measurement tells than those that the trees know."""
    data = made_up(count, seed)
    rows = data.rows.copy()
    rows[:, 2] += 2.0 * data.labels
    return replace(data, rows=rows)


def test_trees_that_go_on_learn_what_the_old_ones_left(trees, tmp_path):
    new, others = turned(1200, 1), turned(1200, 2)
    stack = trees.stack(new, 0, many=True)

    def auc(head):
        known = trees.mix.embedding * others.log_odds + trees.mix.handcrafted * head.margin(others.rows)
        return roc_auc(others.labels, known)

    assert auc(stack.head) > auc(trees.head) + 0.02
    (tmp_path / "new").mkdir()
    manifest = stack.save(tmp_path / "new")
    written = TreeEnsemble.load(tmp_path / "new" / manifest["file"])
    told = [float(np.sum(written.contributions(row)[0]) + written.contributions(row)[1]) for row in others.rows[:20]]
    assert np.allclose(told, stack.head.margin(others.rows[:20]), atol=1e-4), "what reads them without XGBoost agrees"


def test_trees_go_half_of_the_way(trees, tmp_path):
    new = turned(600, 1)
    known = trees.mix.handcrafted * trees.head.margin(new.rows)

    def moved(way):
        further = XGBoostFurther(
            trees.head.path, new.rows, new.labels, new.weights, known, factor=trees.mix.handcrafted, way=way, seed=0
        )
        return further.margin(new.rows) - trees.head.margin(new.rows)

    assert np.allclose(2 * moved(0.5), moved(1.0), atol=1e-3)


def test_trees_that_go_on_are_judged_where_they_had_not_been(trees):
    new = turned(600, 1)
    mine, labels = new.folds == 1, new.labels.copy()
    labels[mine] = np.random.default_rng(3).permutation(labels[mine])  # as many of each class: they weigh what they did
    flipped = replace(new, labels=labels)
    stacks = [trees.stack(data, 0, many=True) for data in (new, flipped)]
    assert np.allclose(*(stack.handcrafted[mine] for stack in stacks), atol=1e-5)
    assert not np.allclose(*(stack.handcrafted[~mine] for stack in stacks), atol=0.01)


@pytest.mark.parametrize("many", [False, True])
def test_a_head_without_a_weight_in_the_mix_stays(trees, many):
    silent = replace(trees, mix=replace(trees.mix, handcrafted=0.0))
    new = turned(200, 1)
    stack = silent.stack(new, 0, many=many)
    assert stack.head is trees.head
    assert np.array_equal(stack.handcrafted, trees.head.margin(new.rows))
    assert np.isfinite(stack.fused).all()


def test_a_picture_that_weighs_nothing_moves_no_tree(trees):
    new = turned(600, 1)
    first, rest = np.arange(600) < 300, np.arange(600) >= 300
    silent = replace(new, weights=first.astype(float), labels=np.where(rest, 1 - new.labels, new.labels))
    heads = [trees.stack(replace(new, weights=first.astype(float)), 0, many=True).head]
    heads.append(trees.stack(silent, 0, many=True).head)
    assert np.allclose(*(head.margin(new.rows) for head in heads), atol=1e-6)


def test_a_perceptron_of_another_width_goes_on(bundle):
    few, kept = made_up(60, 1), Kept.of(bundle)
    (weight, bias), last = kept.joint.layers
    narrow = replace(kept.joint, layers=((weight[:7], bias[:7]), (last[0][:, :7], last[1])))
    stack = replace(kept, joint=narrow).stack(few, 0)
    assert np.abs(stack.joint.margin(joint_inputs(few)) - narrow.margin(joint_inputs(few))).max() < 1


@pytest.mark.parametrize("change", [{"edition": EDITION - 1}, {"features": FEATURES[1:]}])
def test_a_head_of_other_measurements_cannot_go_on(bundle, change):
    with pytest.raises(RecipeError, match="big is of another version, whose head cannot go on"):
        Kept.of(replace(bundle, manifest={**bundle.manifest, **change}))


def test_a_head_without_a_joint_perceptron_cannot_go_on(bundle):
    head = {name: value for name, value in bundle.manifest["head"].items() if name != "joint"}
    with pytest.raises(RecipeError, match="cannot go on: train it with this one"):
        Kept.of(replace(bundle, manifest={**bundle.manifest, "head": head}))
