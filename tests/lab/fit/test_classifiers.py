"""Every classifier recipe trains a few steps and becomes a bundle that the pipeline takes."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from aiforensics.image import decode, from_array, read  # noqa: E402
from aiforensics.lab import systems  # noqa: E402
from aiforensics.lab.audit.lastjpeg import last_quality  # noqa: E402
from aiforensics.lab.data.dataset import DatasetError, Sample  # noqa: E402
from aiforensics.lab.data.overlap import seen  # noqa: E402
from aiforensics.lab.data.views import jpeg  # noqa: E402
from aiforensics.lab.fit.classifiers import fit, scores, train_classifier  # noqa: E402
from aiforensics.lab.judge.quick import NetworkDetector, open_detector  # noqa: E402
from aiforensics.lab.train import batches  # noqa: E402
from aiforensics.lab.train.batches import Pictures, audited_view, class_weights, shifted  # noqa: E402
from aiforensics.lab.train.learners import make_learner  # noqa: E402
from aiforensics.lab.train.recipes import AUGMENTATIONS, RECIPES, RecipeError, recipe, settings  # noqa: E402
from aiforensics.opinion import Opinion  # noqa: E402
from aiforensics.pipeline import Scanner  # noqa: E402
from aiforensics_models.bundle import Bundle  # noqa: E402
from aiforensics_models.runtime import Preparation, cut_back, error_level  # noqa: E402
from aiforensics_models.weights import WeightsError  # noqa: E402

pytestmark = pytest.mark.train
CLASSIFIERS = [one.name for one in RECIPES if one.defaults is not None]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def samples(tmp_path):
    """16 pictures a class of 40 px, the AI ones brighter and with a grid on them: 6 train, 5 val and 5 test."""
    rng = np.random.default_rng(0)
    found = []
    for label in ("real", "ai"):
        for i in range(16):
            pixels = np.full((40, 40, 3), rng.integers(60, 100, 3)) + rng.normal(0, 8, (40, 40, 3))
            if label == "ai":
                pixels[::4] += 40
                pixels += 70
            path = tmp_path / f"{label}{i}.png"
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
            split = "train" if i < 6 else "val" if i < 11 else "test"
            source = f"{label}-{i % 2}"
            found.append(Sample(path, label, source, source if label == "ai" else "", f"{label}{i}", split))
    return found


def small(name, **changes):
    side = 32
    return settings(recipe(name), side=side, **{"weights": "none", "batch": 6, "epochs": 1, **changes})


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_recipe_trains_and_becomes_a_bundle(name, samples, tmp_path):
    config = small(name)
    told = train_classifier(samples, tmp_path / "bundle", tmp_path / "work", config, recipe=name)
    assert len(told["history"][name]) == 1
    assert all(np.isfinite(value) for value in told["history"][name][0].values())
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.manifest["recipe"] == name
    prepare = Preparation(config.input, config.side)
    pictures = Pictures(samples[-4:], prepare, (), 0)
    kept = make_learner(replace(config, weights=str(tmp_path / "work" / "network.safetensors")))
    network = bundle.network("cpu")
    onnx = [Opinion.of(read(s.path).windows, network).log_odds for s in pictures.samples]
    np.testing.assert_allclose(onnx, scores(kept, pictures), atol=2e-4)


def test_a_val_of_one_class_is_refused_before_training(samples, tmp_path):
    few = [s for s in samples if (s.label, s.split) != ("ai", "val")]
    with pytest.raises(DatasetError, match=r"the split val .* has no ai picture"):
        train_classifier(few, tmp_path / "bundle", tmp_path / "work", small("cnn"), recipe="cnn")
    assert not (tmp_path / "work").exists()


def test_scan_accepts_the_bundle_and_the_quick_way_agrees(samples, tmp_path):
    train_classifier(samples, tmp_path / "bundle", tmp_path / "work", small("cnn", epochs=2), recipe="cnn")
    quick = open_detector(tmp_path / "bundle")
    assert isinstance(quick, NetworkDetector)
    data = samples[0].path.read_bytes()
    found = Scanner(tmp_path / "bundle").scan_bytes(data)
    said = quick.score(decode(data))
    assert said.p_ai == found.p_ai
    assert said.interval == found.interval
    assert (said.verdict, said.quality) == (found.verdict, found.quality.level)
    assert [reason.feature for reason in found.reasons] == ["embedding.log_odds"]


def test_training_learns_and_stops_and_keeps_the_best(samples, tmp_path):
    config = small("cnn", epochs=20, rate=2e-3, patience=5)
    prepare = Preparation(config.input, config.side)
    train, val = (Pictures([s for s in samples if s.split == split], prepare, (), 0) for split in ("train", "val"))
    lines = []
    history = fit(make_learner(config), train, val, tmp_path, config, report=lines.append)
    assert max(row["accuracy"] for row in history) > 0.8
    losses = [row["val_loss"] for row in history]
    best = make_learner(replace(config, weights=str(tmp_path / "network.safetensors")))
    odds = scores(best, val)
    assert np.average(np.logaddexp(0, np.where(val.labels > 0.5, -odds, odds))) == pytest.approx(min(losses), abs=1e-5)
    assert len(history) == config.epochs or len(losses) - 1 - int(np.argmin(losses)) == config.patience


@pytest.mark.parametrize("name", ["cnn", "scratch-cnn-numpy"])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(name, samples, tmp_path):
    config = small(name, epochs=3, patience=9)
    prepare = Preparation(config.input, config.side)

    def run(folder, *epochs):
        folder.mkdir()
        for count in epochs:
            train, val = (
                Pictures([s for s in samples if s.split == split], prepare, config.augment, 0)
                for split in ("train", "val")
            )
            history = fit(make_learner(config), train, val, folder, replace(config, epochs=count))
        return [{k: v for k, v in row.items() if k != "seconds"} for row in history]

    whole, resumed = run(tmp_path / "a", 3), run(tmp_path / "b", 1, 3)
    for one, other in zip(whole, resumed, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_other_first_weights_under_the_same_name_and_another_part_to_train_start_anew(samples, tmp_path):
    config = small("resnet", weights=str(tmp_path / "first.safetensors"))
    prepare = Preparation(config.input, config.side)
    train, val = (Pictures([s for s in samples if s.split == split], prepare, (), 0) for split in ("train", "val"))

    def starts_anew(**how):
        lines = []
        learner = make_learner(config, **how)
        fit(learner, train, val, tmp_path, config, **how, report=lines.append)
        return "the checkpoint belongs to other settings or data: starting anew" in lines

    make_learner(small("resnet")).save(tmp_path / "first.safetensors")
    assert [starts_anew(), starts_anew()] == [False, False]
    assert [starts_anew(head_only=True), starts_anew(head_only=True)] == [True, False]
    make_learner(small("resnet", seed=1)).save(tmp_path / "first.safetensors")
    assert starts_anew(head_only=True)


def test_a_bundle_is_built_again_bit_for_bit_and_knows_what_it_learned_from(samples, tmp_path):
    told = [
        train_classifier(samples, tmp_path / name / "cnn", tmp_path / f"{name}.work", small("cnn"), recipe="cnn")
        for name in ("one", "two")
    ]
    one, two = (Bundle.load(tmp_path / name / "cnn") for name in ("one", "two"))
    assert one.sha256 == two.sha256
    assert [one["seconds"] for one in told] == [one["history"]["cnn"][0]["seconds"] for one in told]
    assert seen(one) == {
        hashlib.sha256(sample.path.read_bytes()).hexdigest()[:8] for sample in samples if sample.split != "test"
    }


def test_numpy_takes_the_weights_of_its_own_network_alone(tmp_path):
    file = tmp_path / "first.safetensors"
    scratch = small("scratch-cnn-numpy", weights=str(file))
    for other in (small("cnn"), small("scratch-cnn-numpy", filters=3)):
        make_learner(other).save(file)
        with pytest.raises(WeightsError, match=r"does not fit scratch-cnn-numpy of 8 filters: name the weights"):
            make_learner(scratch)
    make_learner(small("scratch-cnn-numpy", seed=5)).save(file)
    make_learner(scratch)


def test_head_only_leaves_the_body(samples, tmp_path):
    config = small("resnet")
    first = make_learner(config)
    first.save(tmp_path / "first.safetensors")
    again = make_learner(replace(config, weights=str(tmp_path / "first.safetensors")), head_only=True)
    before = {name: tensor.clone() for name, tensor in again.network.state_dict().items()}
    again.learn(np.random.default_rng(0).random((6, 3, 32, 32), np.float32) * 255, *np.ones((2, 6), np.float32))
    changed = {
        n.split(".")[0] for n, tensor in again.network.state_dict().items() if not torch.equal(tensor, before[n])
    }
    assert changed == {"head"}


@pytest.mark.parametrize("name", ["cnn", "scratch-cnn-numpy"])
def test_one_cycle_ends_without_learning(name, samples, tmp_path):
    config = small(name, epochs=4, patience=9, schedule="one-cycle")
    prepare = Preparation(config.input, config.side)
    train, val = (Pictures([s for s in samples if s.split == split], prepare, (), 0) for split in ("train", "val"))
    learner = make_learner(config)
    paces = []
    real = learner.pace
    learner.pace = lambda factor: (paces.append(factor), real(factor))
    fit(learner, train, val, tmp_path, config)
    assert len(paces) == 4 * len(list(train.batches(0, config.batch)))
    assert paces.index(max(paces)) == 1
    assert paces[-1] < 0.1 < paces[2]
    before = scores(learner, val)
    learner.pace(0.0)
    learner.learn(next(iter(train.batches(0, 6)))[1], train.labels[:6], train.weights[:6])
    if name != "cnn":  # batch norm keeps on counting
        np.testing.assert_array_equal(scores(learner, val), before)


def test_bfloat16_steps_are_near_those_of_float32_and_judging_is_exact(samples):
    pixels = np.random.default_rng(0).random((8, 3, 32, 32), np.float32) * 255
    labels, weights = np.tile(np.float32([0, 1]), 4), np.ones(8, np.float32)
    exact, short = (make_learner(small("resnet", precision=name)) for name in ("float32", "bfloat16"))
    np.testing.assert_array_equal(exact.odds(pixels), short.odds(pixels))
    (loss, _), (near, _) = (learner.learn(pixels, labels, weights) for learner in (exact, short))
    assert loss != near
    assert near == pytest.approx(loss, abs=0.02)
    assert {tensor.dtype for tensor in short.network.parameters()} == {torch.float32}


def test_wall_time_ends_training(samples, tmp_path):
    config = small("cnn", epochs=50, patience=50, minutes=1e-6)
    prepare = Preparation(config.input, config.side)
    train, val = (Pictures([s for s in samples if s.split == split], prepare, (), 0) for split in ("train", "val"))
    assert len(fit(make_learner(config), train, val, tmp_path, config)) == 1


class TestPictures:
    """What the network sees."""

    def test_small_pictures_come_without_their_mirror_image(self, samples):
        pictures = Pictures(samples, Preparation("resize", 40), (), 0)
        (_, _, pixels), *_ = pictures.plain(1)
        np.testing.assert_array_equal(pixels[0].transpose(1, 2, 0), np.asarray(Image.open(samples[0].path)))

    @pytest.mark.parametrize("augment", [(), ("delivery",)])
    def test_what_is_looked_at_again_is_decoded_once(self, augment, samples, monkeypatch):
        decoded = []
        monkeypatch.setattr(batches, "read", lambda path: decoded.append(path) or read(path))
        pictures = Pictures(samples, Preparation("resize", 32), augment, 0)
        (_, _, first), (_, _, again) = (next(pictures.plain(999)) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert len(decoded) == len(samples)

    def test_cut_back_takes_back_every_extension(self):
        rng = np.random.default_rng(0)
        for height, width in ((20, 33), (63, 64), (64, 64), (32, 100)):
            small = rng.integers(0, 256, (height, width, 3), np.uint8)
            room = ((0, max(0, 64 - height)), (0, max(0, 64 - width)), (0, 0))
            np.testing.assert_array_equal(cut_back(np.pad(small, room, mode="symmetric")), small)

    def test_an_activation_is_laid_over_the_whole_window(self):
        prepare = Preparation("resize", 32)
        pixels = np.random.default_rng(0).integers(0, 256, (32, 100, 3), np.uint8)
        window = np.pad(pixels, ((0, 32), (0, 0), (0, 0)), mode="symmetric")
        found = prepare.over_window(window, np.arange(16, dtype=np.float32).reshape(4, 4))
        assert found.shape == (8, 4)
        np.testing.assert_array_equal(found[4:], found[3::-1])

    @pytest.mark.parametrize("augment", [(), *[(name,) for name in AUGMENTATIONS]])
    def test_batches_depend_on_seed_and_pass_alone(self, augment, samples):
        def draw(seed, epoch):
            pictures = Pictures(samples, Preparation("resize", 24), augment, seed)
            return [(i.tolist(), pixels.copy()) for i, pixels in pictures.batches(epoch, 8)]

        one, again, other = draw(0, 0), draw(0, 0), draw(0, 1)
        assert sorted(i for batch, _ in one for i in batch) == list(range(len(samples)))
        for (a, x), (b, y) in zip(one, again, strict=True):
            assert a == b
            np.testing.assert_array_equal(x, y)
        assert [a for a, _ in one] != [a for a, _ in other]

    def test_shift_moves_by_at_most_a_tenth(self):
        pixels = np.zeros((40, 40, 3), np.uint8)
        pixels[20, 20] = 255
        for seed in range(20):
            y, x, _ = np.argwhere(shifted(pixels, np.random.default_rng(seed)) > 0)[0]
            assert abs(y - 20) <= 4
            assert abs(x - 20) <= 4

    def test_classes_weigh_the_same(self):
        labels = np.array([1, 0, 0, 0], np.float32)
        weights = class_weights(labels)
        assert weights[labels == 1].sum() == pytest.approx(weights[labels == 0].sum()) == pytest.approx(2)

    def test_the_audited_view_has_one_size_unless_delivered(self):
        rng = np.random.default_rng(0)
        for shape in ((300, 260, 3), (100, 400, 3), (32, 32, 3)):
            pixels = rng.integers(0, 256, shape, np.uint8)
            assert audited_view(False, from_array(pixels), np.random.default_rng(0)).shape == (256, 256, 3)

    def test_the_audited_view_still_shows_the_files_compression(self):
        rng = np.random.default_rng(0)
        pixels = np.clip(rng.normal(128, 40, (300, 420, 3)), 0, 255).astype(np.uint8)
        for quality in (60, 80):
            seen = audited_view(False, from_array(jpeg(pixels, quality)), np.random.default_rng(3))
            assert last_quality(seen) == pytest.approx(quality, abs=2)

    def test_error_levels_are_those_of_a_jpeg_copy(self):
        rng = np.random.default_rng(0)
        flat, busy = np.full((64, 64, 3), 128, np.uint8), rng.integers(0, 256, (64, 64, 3), np.uint8)
        assert error_level(flat).max() == 0
        assert error_level(busy).max() == 255
        both = np.concatenate([flat, busy], axis=1)
        assert error_level(both)[:, :48].mean() < error_level(both)[:, 80:].mean() / 10


def test_search_finds_a_pair_and_writes_every_trial(samples, tmp_path):
    pytest.importorskip("optuna")
    from aiforensics.lab.fit.search import BATCHES, search

    found = search(samples, tmp_path, small("cnn", epochs=1), 2)
    kept = json.loads((tmp_path / "search.json").read_text())
    assert len(kept["trials"]) == 2
    assert found.rate == kept["best"]["rate"]
    assert found.batch in BATCHES


def test_a_training_that_diverges_is_one_line_and_ends_no_search(samples, tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    from aiforensics.lab.compare import sensitivity
    from aiforensics.lab.fit import classifiers
    from aiforensics.lab.fit.search import search
    from aiforensics.lab.systems import System

    def odds(learner, pictures):
        return np.full(len(pictures), np.nan) if learner._rate > limit else scores(learner, pictures)

    limit, config, lines = 5e-4, small("cnn", rate=1e-3), []
    monkeypatch.setattr(classifiers, "scores", odds)
    with pytest.raises(RecipeError, match=r"at rate 0.001 diverged in pass 1: give a smaller --rate"):
        train_classifier(samples, tmp_path / "bundle", tmp_path / "work", config, recipe="cnn")
    search(samples, tmp_path / "search", config, 4)
    states = {one["state"] for one in json.loads((tmp_path / "search" / "search.json").read_text())["trials"]}
    assert states == {"complete", "pruned"}
    rows = sensitivity(samples, System(recipe("cnn"), config), tmp_path / "rates", lines.append)
    assert [row["rate"] for row in rows] == pytest.approx([1e-4, 3e-4])
    assert sum("diverged and is left out" in line for line in lines) == 2
    limit = 0.0
    with pytest.raises(RecipeError, match="each of the 2 trials of the search diverged"):
        search(samples, tmp_path / "again", config, 2)


def test_a_search_that_is_done_again_finds_the_same(samples, tmp_path):
    pytest.importorskip("optuna")
    from aiforensics.lab.fit.search import search

    lines = []
    config = small("scratch-cnn-numpy", epochs=3)
    found = [search(samples, tmp_path, config, 8, report=lines.append)]
    first = (tmp_path / "search.json").read_text()
    pruned = [trial["number"] for trial in json.loads(first)["trials"] if trial["state"] == "pruned"]
    assert pruned, "this seed has hopeless trials"
    for number in pruned:
        assert sum(line.startswith(f"trial {number}: ") and "stopped as hopeless" in line for line in lines) == 1
    (tmp_path / "search.json").unlink()
    shutil.rmtree(tmp_path / "trial-7")  # as an interruption leaves it
    found.append(search(samples, tmp_path, config, 8))
    assert found[0] == found[1]
    assert (tmp_path / "search.json").read_text() == first


def test_the_examples_are_two_pictures_of_each_class(samples, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    drawn = []
    monkeypatch.setattr(systems, "Pictures", lambda shown, *_: drawn.append(shown) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        systems.draw_examples(samples, small("cnn"), tmp_path / "examples.png")
    assert [sample.label for sample in drawn[0]] == ["real", "real", "ai", "ai"]
    assert len(set(drawn[0])) == 4


def test_plots_are_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    from aiforensics.lab.pages.plots import confusion_plot, examples_plot, history_plot

    rows = [{"epoch": 1.0, "loss": 0.7, "val_loss": 0.6, "accuracy": 0.5, "val_accuracy": 0.6, "val_auc": 0.7}] * 2
    history_plot({"cnn": rows}, tmp_path / "history.png")
    examples_plot([[np.zeros((8, 8, 3), np.uint8)] * 2] * 2, ["a", "b"], tmp_path / "examples.png")
    confusion_plot({"real": {"real": 3, "ai": 1}, "ai": {"real": 0, "ai": 4}}, tmp_path / "confusion.svg")
    for name in ("history.png", "examples.png"):
        with Image.open(tmp_path / name) as image:
            assert image.width > 100
    assert "<svg" in (tmp_path / "confusion.svg").read_text()
