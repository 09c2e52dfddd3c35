"""Heads: exact shares, in every kind."""

import json
import math
import os
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from aiforensics_models.heads import EMBEDDING, NetworkHead, load_head
from aiforensics_models.trees import TreeEnsemble

NAMES = ("noise.a", "noise.b", "texture.a", EMBEDDING, "jpeg.a")
NOTHING = np.zeros(0, np.float32)
MIX = {"embedding": 0.7, "handcrafted": 1.3, "offset": -0.2}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 4))
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=400) > 0).astype(np.float64)
    return rows, labels


@pytest.fixture(scope="module")
def boosted(data, tmp_path_factory):
    import xgboost

    rows, labels = data
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, xgboost.DMatrix(rows, label=labels), 20
    )
    folder = tmp_path_factory.mktemp("boosted")
    booster.save_model(folder / "head.ubj")
    return booster, load_head(folder, {"kind": "xgboost", "file": "head.ubj", "mix": MIX}, NAMES)


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    tensors = {
        "centre": rng.normal(size=4).astype(np.float32),
        "scale": (1 + rng.random(4)).astype(np.float32),
        "layer0.weight": rng.normal(size=(8, 4)).astype(np.float32),
        "layer0.bias": rng.normal(size=8).astype(np.float32),
        "layer1.weight": rng.normal(size=(1, 8)).astype(np.float32),
        "layer1.bias": rng.normal(size=1).astype(np.float32),
    }
    folder = tmp_path_factory.mktemp("deep")
    save_file(tensors, folder / "head.safetensors")
    return tensors, load_head(folder, {"kind": "deep", "file": "head.safetensors", "mix": MIX}, NAMES)


def perceptron(tensors, x):
    hidden = np.maximum(tensors["layer0.weight"].astype(float) @ x + tensors["layer0.bias"], 0)
    return float(tensors["layer1.weight"][0].astype(float) @ hidden + tensors["layer1.bias"][0])


@pytest.mark.parametrize("kind", ["boosted", "deep"])
def test_shares_and_base_add_up_to_the_log_odds(kind, request, data):
    head = request.getfixturevalue(kind)[1]
    for row in data[0][:20]:
        answer = head(np.insert(row, 3, 0.9), NOTHING)
        assert answer.base + answer.shares.sum() == pytest.approx(answer.log_odds, abs=1e-9)
        assert answer.shares[3] == pytest.approx(MIX["embedding"] * 0.9)


def test_xgboost_log_odds_are_the_boosters_margin_mixed(boosted, data):
    import xgboost

    booster, head = boosted
    margins = booster.predict(xgboost.DMatrix(data[0][:20]), output_margin=True)
    for row, margin in zip(data[0][:20], margins, strict=True):
        expected = MIX["handcrafted"] * float(margin) + MIX["embedding"] * 0.9 + MIX["offset"]
        assert head(np.insert(row, 3, 0.9), NOTHING).log_odds == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("depth", "suffix"), [(1, "ubj"), (3, "json"), (5, "ubj")])
def test_shares_of_trees_are_xgboosts_own_contributions(data, depth, suffix, tmp_path):
    import xgboost

    rows, labels = data
    matrix = xgboost.DMatrix(rows, label=labels)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": depth, "base_score": 0.3}, matrix, 25)
    booster.save_model(tmp_path / f"head.{suffix}")
    trees = TreeEnsemble.load(tmp_path / f"head.{suffix}")
    expected = booster.predict(matrix, pred_contribs=True)
    for row, contributions in zip(rows[:50], expected, strict=False):
        shares, base = trees.contributions(row)
        assert shares == pytest.approx(contributions[:-1], abs=2e-5)
        assert base == pytest.approx(contributions[-1], abs=2e-5)


def test_trees_that_were_pruned_answer_as_xgboost_does(data, tmp_path):
    import xgboost

    matrix = xgboost.DMatrix(data[0], label=data[1])
    settings = {"objective": "binary:logistic", "tree_method": "exact", "gamma": 1.0, "max_depth": 8}
    booster = xgboost.train(settings, matrix, 10)
    booster.save_model(tmp_path / "head.ubj")
    trees = TreeEnsemble.load(tmp_path / "head.ubj")
    for row, margin in zip(data[0][:20], booster.predict(matrix, output_margin=True), strict=False):
        shares, base = trees.contributions(row)
        assert shares.sum() + base == pytest.approx(float(margin), abs=2e-5)


def chain(depth, **change):
    """A tree of so many splits, each on the right of the one before, as XGBoost's JSON has it."""
    inner = [(2 * i + 1, 2 * i + 2) for i in range(depth)]
    order = [0, *(2 * i for i in range(1, depth))]
    left, right = [-1] * (2 * depth + 1), [-1] * (2 * depth + 1)
    for node, (one, other) in zip(order, inner, strict=True):
        left[node], right[node] = one, other
    size = len(left)
    tree = {"left_children": left, "right_children": right, "split_indices": [0] * size}
    return {**tree, "split_conditions": [0.5] * size, "sum_hessian": [1.0] * size, **change}


def save_trees(path, *trees):
    learner = {
        "objective": {"name": "binary:logistic"},
        "learner_model_param": {"base_score": "0.5"},
        "gradient_booster": {"model": {"trees": trees}},
    }
    path.write_text(json.dumps({"learner": learner}))
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"left_children": [0, -1, -1]},  # its own child
        {"left_children": [1, 0, -1], "right_children": [2, 2, -1]},  # a circle
        {"right_children": [1, -1, -1]},  # the same child twice: ways double at each such split
        {"right_children": [3, -1, -1]},
        {"right_children": [-2, -1, -1]},
        {"split_indices": [-1, 0, 0]},
    ],
)
def test_nodes_that_form_no_tree_are_refused(tmp_path, change):
    with pytest.raises(ValueError, match="do not form a tree"):
        TreeEnsemble.load(save_trees(tmp_path / "h.json", chain(1), chain(1, **change), chain(1)))


def test_trees_may_be_64_splits_deep(tmp_path):
    assert TreeEnsemble.load(save_trees(tmp_path / "h.json", chain(64))).value.shape == (65,)
    with pytest.raises(ValueError, match="deeper than 64 splits"):
        TreeEnsemble.load(save_trees(tmp_path / "h.json", chain(65)))


def test_a_deep_head_of_too_many_analyzers_is_refused(tmp_path):
    from safetensors.numpy import save_file

    shapes = {"centre": 17, "scale": 17, "layer0.weight": (1, 17), "layer0.bias": 1}
    save_file({name: np.ones(shape, np.float32) for name, shape in shapes.items()}, tmp_path / "h.safetensors")
    names = (EMBEDDING, *(f"analyzer{i}.a" for i in range(17)))
    with pytest.raises(ValueError, match="17 groups, over 16"):
        load_head(tmp_path, {"kind": "deep", "file": "h.safetensors", "mix": MIX}, names)


def test_trees_of_another_objective_are_refused(data, tmp_path):
    import xgboost

    booster = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(data[0], label=data[1]), 2)
    booster.save_model(tmp_path / "head.ubj")
    with pytest.raises(ValueError, match="binary:logistic"):
        TreeEnsemble.load(tmp_path / "head.ubj")


def test_deep_log_odds_are_the_perceptrons_mixed(deep, data):
    tensors, head = deep
    for row in data[0][:20]:
        x = np.clip((row - tensors["centre"]) / tensors["scale"], -4, 4)
        expected = MIX["handcrafted"] * perceptron(tensors, x) + MIX["embedding"] * 0.9 + MIX["offset"]
        assert head(np.insert(row, 3, 0.9), NOTHING).log_odds == pytest.approx(expected, abs=1e-6)


def test_deep_shares_of_an_analyzer_are_its_shapley_value(deep, data):
    tensors, head = deep
    row = data[0][0]
    x = np.clip((row - tensors["centre"]) / tensors["scale"], -4, 4)
    players = {"noise": [0, 1], "texture": [2], "jpeg": [3]}

    def worth(coalition):
        kept = np.zeros(4)
        for player in coalition:
            kept[players[player]] = x[players[player]]
        return perceptron(tensors, kept)

    shares = np.delete(head(np.insert(row, 3, 0.0), NOTHING).shares, 3)
    for player, mine in players.items():
        others = [name for name in players if name != player]
        expected = sum(
            math.factorial(len(c)) * math.factorial(2 - len(c)) / 6 * (worth({*c, player}) - worth(set(c)))
            for size in range(3)
            for c in combinations(others, size)
        )
        assert shares[mine].sum() == pytest.approx(MIX["handcrafted"] * expected, abs=1e-6)


@pytest.fixture(scope="module")
def joined(boosted, tmp_path_factory):
    """Trees beside a joint perceptron that reads their features and an embedding of three."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(2)
    shapes = {"layer0.weight": (8, 7), "layer0.bias": (8,), "layer1.weight": (1, 8), "layer1.bias": (1,)}
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    tensors |= {"centre": rng.normal(size=7).astype(np.float32), "scale": (1 + rng.random(7)).astype(np.float32)}
    folder = tmp_path_factory.mktemp("joined")
    boosted[0].save_model(folder / "head.ubj")
    save_file(tensors, folder / "joint.safetensors")
    manifest = {"kind": "xgboost", "file": "head.ubj", "joint": {"file": "joint.safetensors"}}
    return tensors, load_head(folder, {**manifest, "mix": {**MIX, "joint": 0.6}}, NAMES)


def test_a_joint_perceptron_is_added_and_its_shares_are_too(joined, boosted, data):
    tensors, head = joined
    rng = np.random.default_rng(3)
    for row in data[0][:20]:
        embedding = rng.normal(size=3).astype(np.float32)
        x = np.clip((np.concatenate([row, embedding]) - tensors["centre"]) / tensors["scale"], -4, 4)
        without, answer = boosted[1](np.insert(row, 3, 0.9), NOTHING), head(np.insert(row, 3, 0.9), embedding)
        assert answer.log_odds == pytest.approx(without.log_odds + 0.6 * perceptron(tensors, x), abs=1e-6)
        assert answer.base + answer.shares.sum() == pytest.approx(answer.log_odds, abs=1e-9)


def test_what_a_joint_perceptron_makes_of_the_embedding_is_the_networks_share(joined, boosted, data):
    tensors, head = joined
    row = np.insert(data[0][0], 3, 0.9)
    average = tensors["centre"][4:]
    blind = head(row, average)
    assert blind.shares[3] == pytest.approx(boosted[1](row, NOTHING).shares[3]), "an average embedding says nothing"
    assert abs(head(row, average + 2 * tensors["scale"][4:]).shares[3] - blind.shares[3]) > 0.01


def test_a_perceptron_of_other_inputs_is_refused(joined, tmp_path):
    from safetensors.numpy import save_file

    save_file(joined[0], tmp_path / "h.safetensors")
    with pytest.raises(ValueError, match="7 inputs, and there are 4"):
        load_head(tmp_path, {"kind": "deep", "file": "h.safetensors", "mix": MIX}, NAMES)


@pytest.mark.parametrize(
    ("row", "shares"), [((1.0, 3.0, 0.0), [1, 0, 0]), ((9.0, 9.0, 0.5), [4, 0, 0.5]), ((0.0, 3.0, 0.0), [0, 0, 0])]
)
def test_a_feature_that_moves_nothing_has_no_share(tmp_path, row, shares):
    """The head adds the first of two features, which it cuts at 4, and never looks at the second."""
    from safetensors.numpy import save_file

    layers = {
        "centre": [0, 0],
        "scale": [1, 1],
        "layer0.weight": [[1, 0], [-1, 0]],
        "layer0.bias": [0, 0],
        "layer1.weight": [[1, -1]],
        "layer1.bias": [0],
    }
    save_file({name: np.array(values, np.float32) for name, values in layers.items()}, tmp_path / "h.safetensors")
    manifest = {"kind": "deep", "file": "h.safetensors", "mix": {"embedding": 1, "handcrafted": 1, "offset": 0}}
    assert (
        load_head(tmp_path, manifest, ("ela.a", "ela.b", EMBEDDING))(np.array(row), NOTHING).shares.tolist() == shares
    )


def test_the_network_alone_is_its_own_only_share():
    head = load_head(None, {"kind": "none"}, (EMBEDDING,))
    assert isinstance(head, NetworkHead)
    answer = head(np.array([1.5]), NOTHING)
    assert (answer.log_odds, answer.base, answer.shares.tolist()) == (1.5, 0.0, [1.5])


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="forest"):
        load_head(None, {"kind": "forest"}, NAMES)


def test_the_answer_does_not_depend_on_the_number_of_threads():
    """A score that moves in its last digits with the number of cores is not the same finding, bit for bit."""
    program = (
        "import numpy as np; from aiforensics_models.bundle import Bundle\n"
        "trees = Bundle.load('default').head.margin\n"
        "print(repr(trees.contributions(np.zeros(trees.feature.max() + 1))[1]))"
    )
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, **dict.fromkeys(threads, count)},
        ).stdout
        for count in ("1", "2", "4")
    }
    assert len(said) == 1, said
