"""Every classifier recipe trains a few steps and becomes a bundle that the pipeline takes."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data as pictures

torch = pytest.importorskip("torch")

from aiforensics.image import decode, read  # noqa: E402
from aiforensics.lab.data.dataset import DatasetError  # noqa: E402
from aiforensics.lab.data.overlap import seen  # noqa: E402
from aiforensics.lab.fit import classifiers  # noqa: E402
from aiforensics.lab.fit.classifiers import fit, scores, train_classifier  # noqa: E402
from aiforensics.lab.judge.quick import NetworkDetector, open_detector  # noqa: E402
from aiforensics.lab.train.batches import Pictures  # noqa: E402
from aiforensics.lab.train.learners import make_learner  # noqa: E402
from aiforensics.lab.train.recipes import RECIPES  # noqa: E402
from aiforensics.opinion import Opinion  # noqa: E402
from aiforensics.pipeline import Scanner  # noqa: E402
from aiforensics_models.bundle import Bundle  # noqa: E402
from aiforensics_models.preparation import Preparation  # noqa: E402
from aiforensics_models.weights import WeightsError  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]
CLASSIFIERS = [one.name for one in RECIPES if one.defaults is not None]


@pytest.fixture
def samples(bright):
    return bright


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_recipe_trains_and_becomes_a_bundle(name, samples, tmp_path, small):
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


def test_a_val_of_one_class_is_refused_before_training(samples, tmp_path, small):
    few = [s for s in samples if (s.label, s.split) != ("ai", "val")]
    with pytest.raises(DatasetError, match=r"the split val .* has no ai picture"):
        train_classifier(few, tmp_path / "bundle", tmp_path / "work", small("cnn"), recipe="cnn")
    assert not (tmp_path / "work").exists()


def test_scan_accepts_the_bundle_and_the_quick_way_agrees(samples, tmp_path, small):
    train_classifier(samples, tmp_path / "bundle", tmp_path / "work", small("cnn", epochs=2), recipe="cnn")
    quick = open_detector(tmp_path / "bundle")
    assert isinstance(quick, NetworkDetector)
    blurred = io.BytesIO()
    Image.fromarray(pictures.astronaut()[:300, :300]).filter(ImageFilter.GaussianBlur(4)).save(blurred, "PNG")
    scanner = Scanner(tmp_path / "bundle")
    for data, level in ((samples[0].path.read_bytes(), "poor"), (blurred.getvalue(), "limited")):
        found, said = scanner.scan_bytes(data), quick.score(decode(data))
        assert said.p_ai == found.p_ai
        assert said.interval == found.interval
        assert (said.verdict, said.quality) == (found.verdict, found.quality.level)
        assert said.quality == level
        assert [reason.feature for reason in found.reasons] == ["embedding.log_odds"]


def test_training_learns_and_stops_and_keeps_the_best(samples, tmp_path, small):
    config = small("cnn", epochs=20, rate=2e-3, patience=5)
    prepare = Preparation(config.input, config.side)
    train, val = (Pictures([s for s in samples if s.split == split], prepare, (), 0) for split in ("train", "val"))
    lines = []
    history = fit(make_learner(config), train, val, tmp_path, config, report=lines.append)
    assert max(row["accuracy"] for row in history) > 0.8
    losses = [row["val_loss"] for row in history]
    best = make_learner(replace(config, weights=str(tmp_path / "network.safetensors")))
    log_odds = scores(best, val)
    assert np.average(np.logaddexp(0, np.where(val.labels > 0.5, -log_odds, log_odds))) == pytest.approx(
        min(losses), abs=1e-5
    )
    assert len(history) == config.epochs or len(losses) - 1 - int(np.argmin(losses)) == config.patience


@pytest.mark.parametrize("name", ["cnn", "scratch-cnn-numpy"])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(name, samples, tmp_path, small):
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


def test_what_is_written_out_in_numpy_goes_on_with_the_very_numbers(small):
    rng = np.random.default_rng(0)
    pixels, labels = rng.uniform(0, 255, (8, 3, 32, 32)).astype(np.float32), np.arange(8, dtype=np.float32) % 2
    whole, other = (make_learner(small("scratch-cnn-numpy")) for _ in range(2))
    whole.learn(pixels, labels, np.ones(8, np.float32))
    other.restore(whole.state())
    assert np.array_equal(other.log_odds(pixels), whole.log_odds(pixels))


def test_other_first_weights_under_the_same_name_and_another_part_to_train_start_anew(samples, tmp_path, small):
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


def test_fewer_passes_or_less_patience_than_a_run_had_start_anew(samples, tmp_path, small):
    """Or the network of the longer run would pass for what was asked."""
    config = small("cnn", epochs=4, patience=9, rate=0.05)
    prepare = Preparation(config.input, config.side)
    train, val = (Pictures([s for s in samples if s.split == split], prepare, (), 0) for split in ("train", "val"))

    def run(folder, **knobs):
        (tmp_path / folder).mkdir(exist_ok=True)
        wanted = replace(config, **knobs)
        history = fit(make_learner(wanted), train, val, tmp_path / folder, wanted)
        return [row["val_loss"] for row in history], (tmp_path / folder / "network.safetensors").read_bytes()

    longer = run("work")
    assert run("work", patience=8) == longer
    for knobs in ({"epochs": 2}, {"patience": 1}):
        assert len(run("work")[0]) == 4
        fresh = run(f"fresh{knobs}", **knobs)
        assert len(fresh[0]) < 4
        assert run("work", **knobs) == fresh


def test_a_run_that_is_stopped_before_its_first_checkpoint_leaves_none_of_another(
    samples, tmp_path, small, monkeypatch
):
    def stopped(*_):
        raise KeyboardInterrupt

    config = small("cnn")
    prepare = Preparation(config.input, config.side)
    train, val = (Pictures([s for s in samples if s.split == split], prepare, (), 0) for split in ("train", "val"))
    fit(make_learner(config), train, val, tmp_path, config)
    kept = (tmp_path / "network.safetensors").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(classifiers, "keep", stopped)
        other = replace(config, rate=0.01)
        fit(make_learner(other), train, val, tmp_path, other)
    assert (tmp_path / "network.safetensors").read_bytes() != kept
    fit(make_learner(config), train, val, tmp_path, config)
    assert (tmp_path / "network.safetensors").read_bytes() == kept


def test_a_bundle_is_built_again_bit_for_bit_and_knows_what_it_learned_from(samples, tmp_path, small):
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


def test_numpy_takes_the_weights_of_its_own_network_alone(tmp_path, small):
    file = tmp_path / "first.safetensors"
    scratch = small("scratch-cnn-numpy", weights=str(file))
    for other in (small("cnn"), small("scratch-cnn-numpy", filters=3)):
        make_learner(other).save(file)
        with pytest.raises(WeightsError, match=r"does not fit scratch-cnn-numpy of 8 filters: name the weights"):
            make_learner(scratch)
    make_learner(small("scratch-cnn-numpy", seed=5)).save(file)
    make_learner(scratch)


def test_head_only_leaves_the_body(samples, tmp_path, small):
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
def test_one_cycle_ends_without_learning(name, samples, tmp_path, small):
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


def test_bfloat16_steps_are_near_those_of_float32_and_judging_is_exact(samples, small):
    pixels = np.random.default_rng(0).random((8, 3, 32, 32), np.float32) * 255
    labels, weights = np.tile(np.float32([0, 1]), 4), np.ones(8, np.float32)
    exact, short = (make_learner(small("resnet", precision=name)) for name in ("float32", "bfloat16"))
    np.testing.assert_array_equal(exact.log_odds(pixels), short.log_odds(pixels))
    (loss, _), (near, _) = (learner.learn(pixels, labels, weights) for learner in (exact, short))
    assert loss != near
    assert near == pytest.approx(loss, abs=0.02)
    assert {tensor.dtype for tensor in short.network.parameters()} == {torch.float32}


def test_wall_time_ends_training(samples, tmp_path, small):
    config = small("cnn", epochs=50, patience=50, minutes=1e-6)
    prepare = Preparation(config.input, config.side)
    train, val = (Pictures([s for s in samples if s.split == split], prepare, (), 0) for split in ("train", "val"))
    assert len(fit(make_learner(config), train, val, tmp_path, config)) == 1
