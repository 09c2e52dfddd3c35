"""Leave-one-source-out: what is left out is never trained on, and each row tells the right story."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiforensics.lab.data.dataset import DatasetError, Sample
from aiforensics.lab.data.views import CLEAN, JPEG90
from aiforensics.lab.judge.detector import Prediction
from aiforensics.lab.judge.leaveout import ROWS, leave_one_source_out


def world(ai_sources: int = 5, real_sources: int = 4, each: int = 24) -> list[Sample]:
    samples = []
    for label, count in (("ai", ai_sources), ("real", real_sources)):
        for source in range(count):
            for i in range(each):
                split = ("train", "train", "val", "test")[i % 4]
                generator = f"g{'abcdefgh'[source]}" if label == "ai" else ""
                name = f"{label}{source}"
                samples.append(
                    Sample(Path(f"{name}-{i}.png"), label, name, generator, f"{name}-{i // 4 * 4 + i % 4}", split)
                )
    return samples


def test_a_split_that_loses_a_class_is_told_before_any_fit():
    samples = [s for s in world(2, 2) if s.split != "val" or s.source in ("ai0", "real0", "real1")]
    recipe = Recipe()
    with pytest.raises(DatasetError, match=r"the split val of what is left .* has no ai picture: add ai sources"):
        leave_one_source_out(samples, recipe, conditions=(CLEAN,), rows=("unseen generator",), min_pictures=10)
    assert not recipe.fits


class Recipe:
    """Knows the sources that it has seen, and guesses by a coin for the others."""

    def __init__(self) -> None:
        self.fits: list[list[Sample]] = []
        self.tested: list[list[Sample]] = []

    def __call__(self, train):
        self.fits.append(list(train))
        seen = {s.source: s.label for s in train}

        def predict(samples, view):
            self.tested.append(list(samples))
            said = []
            for sample in samples:
                coin = np.random.default_rng(sum(map(ord, sample.key + view.name))).random()
                p = {"ai": 0.6 + 0.4 * coin, "real": 0.4 * coin}.get(seen.get(sample.source, ""), coin)
                said.append(Prediction(p, "ai" if p > 0.9 else "real" if p < 0.1 else "inconclusive"))
            return said

        return predict


def test_rows_fall_from_known_to_unknown() -> None:
    recipe = Recipe()
    steps = []
    found = leave_one_source_out(
        world(), recipe, conditions=(CLEAN, JPEG90), draws=60, progress=lambda *s: steps.append(s)
    )
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(content["rows"]) == list(ROWS)
    random, unseen, double = (content["rows"][row] for row in ROWS)
    assert random["mean_auc"] == 1.0
    assert 0.6 < unseen["mean_auc"] < 0.95
    assert 0.35 < double["mean_auc"] < 0.65
    assert set(double["ai_sources"]) == {f"ai{i}" for i in range(5)}
    assert set(double["real_sources"]) == {f"real{i}" for i in range(4)}
    assert double["worst_auc"] == min(row["roc_auc"] for row in double["ai_sources"].values())
    one = double["ai_sources"]["ai0"]
    assert one["pictures"] == 24
    assert one["roc_auc"] == pytest.approx(np.mean(list(one["by_condition"].values())), abs=1e-5)
    assert one["roc_auc_interval"][0] < one["roc_auc"] < one["roc_auc_interval"][1]
    assert random["ai_sources"]["ai0"]["pictures"] == 6
    assert len(recipe.fits) == 1 + 5 + 5
    assert steps[-1] == (11, 11)


def test_what_is_left_out_is_never_trained_on() -> None:
    samples = world()
    twin = Sample(Path("twin.png"), "ai", "mixed-bag", "ga-2", "twin", "train")
    shared = Sample(Path("shared.png"), "ai", "mixed-bag", "gz", "real0-3", "train")
    recipe = Recipe()
    leave_one_source_out(
        [*samples, twin, shared], recipe, conditions=(CLEAN,), rows=("unseen generator", "double"), draws=10
    )
    assert len(recipe.fits) == 10
    for train in recipe.fits:
        assert all(s.split != "test" for s in train)
        missing = {f"ai{i}" for i in range(5)} - {s.source for s in train}
        assert len(missing) == 1
        assert (twin in train) == (missing != {"ai0"})
    for train, tested in zip(recipe.fits, recipe.tested, strict=True):
        assert not {s.group for s in train} & {s.group for s in tested}
    assert sum(shared in train for train in recipe.fits) == sum(
        "real0-3" not in {s.group for s in t} for t in recipe.tested
    )
    gone = [{f"real{i}" for i in range(4)} - {s.source for s in train} for train in recipe.fits]
    assert gone[:5] == [set()] * 5
    assert set.union(*gone[5:]) == {f"real{i}" for i in range(4)}


def test_a_family_of_generators_is_left_out_as_a_whole() -> None:
    named = {"ga": "midjourney-v5", "gb": "Midjourney v6", "gc": "sdxl", "gd": "stable-diffusion-1.5", "ge": "flux"}
    samples = [replace(s, generator=named.get(s.generator, "")) for s in world()]
    recipe = Recipe()
    leave_one_source_out(samples, recipe, conditions=(CLEAN,), rows=("unseen generator",), draws=10)
    gone = [{f"ai{i}" for i in range(5)} - {s.source for s in train} for train in recipe.fits]
    assert sorted(map(sorted, gone)) == [["ai0", "ai1"], ["ai0", "ai1"], ["ai2", "ai3"], ["ai2", "ai3"], ["ai4"]]
    alike = [replace(s, generator=s.generator and f"model-{s.generator}") for s in world()]
    with pytest.raises(DatasetError, match=r"too few sources .* with model-g. goes all of the family model, by the f"):
        leave_one_source_out(alike, recipe, conditions=(CLEAN,), draws=10)


def test_folds_leave_several_out_at_once() -> None:
    recipe = Recipe()
    found = leave_one_source_out(world(), recipe, conditions=(CLEAN,), folds=2, rows=("double",), draws=10)
    assert len(recipe.fits) == 2
    assert set(found.rows[0].ai) == {f"ai{i}" for i in range(5)}


@pytest.mark.parametrize("folds", [2, 3, 4, None])
def test_every_real_source_is_judged_however_many_folds(folds) -> None:
    samples = world(real_sources=5)
    found = leave_one_source_out(samples, Recipe(), conditions=(CLEAN,), folds=folds, rows=("double",), draws=10)
    assert set(found.rows[0].real) == {f"real{i}" for i in range(5)}


def test_small_sources_train_but_are_never_left_out() -> None:
    small = Sample(Path("s.png"), "ai", "small", "gs", "s", "train")
    recipe = Recipe()
    found = leave_one_source_out([*world(), small], recipe, conditions=(CLEAN,), draws=10)
    assert all(small in train for train in recipe.fits)
    assert "small" not in found.rows[2].ai


def test_the_shares_of_a_left_out_source_are_those_of_its_pictures() -> None:
    def fit(_train):
        def predict(samples, _view):
            order = ("ai", "ai", "real", "inconclusive")
            return [
                Prediction(0.5, order[int(s.path.stem.split("-")[1]) // 4 % 4] if s.label == "ai" else "inconclusive")
                for s in samples
            ]

        return predict

    rows = ("unseen generator", "double")
    for row in leave_one_source_out(world(each=32), fit, conditions=(CLEAN,), rows=rows, draws=5).rows:
        for found in row.ai.values():
            assert (found.called_ai, found.called_real) == (0.5, 0.25)


@pytest.mark.parametrize("missing", ["test", "train"])
def test_a_row_that_leaves_nothing_to_learn_from_or_to_judge_is_named(missing) -> None:
    samples = [s for s in world() if s.label == "ai" or (s.split == "test") != (missing == "test")]
    with pytest.raises(DatasetError, match="the row random has too few"):
        leave_one_source_out(samples, lambda _train: None, conditions=(CLEAN,), draws=5)


def test_too_few_sources_are_named() -> None:
    with pytest.raises(DatasetError, match="there are 1 and 4"):
        leave_one_source_out(world(ai_sources=1), Recipe(), draws=10)

    def mute(_train):
        return lambda _samples, _view: []

    with pytest.raises(ValueError, match="0 predictions"):
        leave_one_source_out(world(), mute, draws=10)


def test_an_auc_that_no_draw_moves_has_no_interval() -> None:
    def always_right(_train):
        return lambda samples, _view: [Prediction(float(s.label == "ai"), s.label) for s in samples]

    found = leave_one_source_out(world(), always_right, conditions=(CLEAN,), draws=10).to_dict()["rows"]
    for row in found.values():
        for one in row["ai_sources"].values():
            assert (one["roc_auc"], one["roc_auc_interval"]) == (1.0, [None, None])


def test_a_real_picture_counts_once_however_often_it_is_left_out() -> None:
    def always_ai(_train):
        said = {"ai": Prediction(0.9, "ai"), "real": Prediction(0.1, "inconclusive")}
        return lambda samples, _view: [said[sample.label] for sample in samples]

    samples = world()
    twin = next(s for s in samples if s.label == "real" and s.split == "test")
    samples.append(replace(twin, path=Path("elsewhere", twin.path.name), group="of its own"))
    found = leave_one_source_out(samples, always_ai, conditions=(CLEAN, JPEG90), draws=10)
    content = found.to_dict()["rows"]
    for row in ("unseen generator", "double"):
        tested = {s.path for s in samples if s.label == "real" and (row == "double" or s.split == "test")}
        ai = sum(one["pictures"] for one in content[row]["ai_sources"].values())
        assert content[row]["pooled"]["coverage"] == pytest.approx(ai / (ai + len(tested)))
