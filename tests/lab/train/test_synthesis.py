"""Training a generator on a folder, sampling from it, and the distance between sets of pictures."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

torch = pytest.importorskip("torch")

from aiforensics.lab.data.dataset import load_dataset  # noqa: E402
from aiforensics.lab.data.views import Codec  # noqa: E402
from aiforensics.lab.judge import distance  # noqa: E402
from aiforensics.lab.judge.distance import frechet, picture_distance  # noqa: E402
from aiforensics.lab.train import synthesis  # noqa: E402
from aiforensics.lab.train.synthesis import (  # noqa: E402
    SynthConfig,
    SynthesisError,
    check_kind,
    draw,
    find_pictures,
    load_generator,
    load_squares,
    sample_to,
    train_generator,
)
from aiforensics_models.generators.vae import Vae  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(18):
        pixels = np.kron(rng.integers(0, 256, (4, 5, 3)), np.ones((10, 10, 1))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Narrow networks, so that a step takes milliseconds."""
    real = synthesis.build_generator
    monkeypatch.setattr(
        synthesis, "build_generator", lambda kind, settings, device: real(kind, {"width": 8, **settings}, device)
    )


def test_train_then_sample(pictures, tmp_path):
    config = SynthConfig("vae", steps=4, batch=4, look_every=2)
    lines = []
    history = train_generator(find_pictures(pictures), tmp_path / "vae", config, lines.append)
    assert [row["step"] for row in history] == [2, 4]
    assert any("1 of 19 pictures cannot be read" in line for line in lines)
    assert {p.name for p in (tmp_path / "vae").glob("grid-*.png")} == {"grid-000002.png", "grid-000004.png"}
    _, manifest = load_generator(tmp_path / "vae")
    assert manifest["pictures"] == 18
    few = sample_to(tmp_path / "vae", tmp_path / "few", 3, seed=7, batch=2)
    many = sample_to(tmp_path / "vae", tmp_path / "many", 12, seed=7, codec=Codec("JPEG", 90))
    again = sample_to(tmp_path / "vae", tmp_path / "again", 3, seed=7, batch=3)
    assert [p.read_bytes() for p in few] == [p.read_bytes() for p in again]
    with Image.open(many[0]) as image:
        assert image.format == "JPEG"
        assert image.size == (32, 32)
    with (tmp_path / "many" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"ai"}
    assert {row["source"] for row in rows} == {"synth-vae"}


def test_samples_join_real_pictures_as_a_data_set(pictures, tmp_path):
    (pictures / "broken.png").unlink()
    train_generator(find_pictures(pictures), tmp_path / "g", SynthConfig("gan", steps=1, batch=4))
    sample_to(tmp_path / "g", tmp_path / "made", 12)
    real = tmp_path / "set" / "real" / "mine"
    real.parent.mkdir(parents=True)
    pictures.rename(real)
    samples = load_dataset([tmp_path / "set", tmp_path / "made"], need=())
    assert {(s.label, s.generator) for s in samples} == {("real", ""), ("ai", "synth-gan")}


def test_a_stopped_training_goes_on(pictures, tmp_path):
    files = find_pictures(pictures)

    def last(folder, *steps):
        for count in steps:
            history = train_generator(files, folder, SynthConfig("vae", steps=count, batch=4, look_every=2))
        return {name: value for name, value in history[-1].items() if name != "seconds"}

    assert last(tmp_path / "a", 4) == pytest.approx(last(tmp_path / "b", 2, 4), rel=1e-4)


def test_what_is_interrupted_goes_on_where_it_was(pictures, tmp_path, monkeypatch):
    def stop(model, batch, *, real=Vae.step):
        if len(steps) == 3:
            raise KeyboardInterrupt
        steps.append(0)
        return real(model, batch)

    steps = []
    files, told = find_pictures(pictures), []
    config = SynthConfig("vae", steps=5, batch=4, look_every=100)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Vae, "step", stop)
        train_generator(files, tmp_path / "a", config)
    train_generator(files, tmp_path / "a", config, told.append)
    assert "going on after step 3" in told


def test_a_generator_is_not_trained_over_another(pictures, tmp_path):
    files = find_pictures(pictures)
    train_generator(files, tmp_path / "a", SynthConfig("vae", steps=1, batch=4))
    with pytest.raises(SynthesisError, match="of other settings or pictures: name a new folder"):
        train_generator(files, tmp_path / "a", SynthConfig("gan", steps=1, batch=4))
    assert load_generator(tmp_path / "a")[1]["kind"] == "vae"
    with pytest.raises(SynthesisError, match="of kind vae, not gan"):
        check_kind(tmp_path / "a", "gan")
    for path in (tmp_path / "a").glob("*.pt"):
        path.unlink()
    with pytest.raises(SynthesisError, match="without its checkpoint"):
        train_generator(files, tmp_path / "a", SynthConfig("vae", steps=1, batch=4))


def test_wrong_input_is_one_line(pictures, tmp_path):
    with pytest.raises(SynthesisError, match="at least 16 real pictures, and 3 can be read"):
        load_squares(find_pictures(pictures)[:3], 32)
    with pytest.raises(SynthesisError, match="not a folder"):
        find_pictures(tmp_path / "nowhere")
    with pytest.raises(SynthesisError, match="holds no trained generator"):
        load_generator(tmp_path)
    train_generator(find_pictures(pictures), tmp_path / "torn", SynthConfig("vae", steps=1, batch=4))
    (weights,) = (tmp_path / "torn").glob("*.safetensors")
    weights.write_bytes(b"torn")
    with pytest.raises(SynthesisError, match="holds no trained generator"):
        load_generator(tmp_path / "torn")
    with pytest.raises(SynthesisError, match="32 or 64 px"):
        train_generator(find_pictures(pictures), tmp_path / "g", SynthConfig("gan", side=50))


@pytest.fixture
def made(pictures, tmp_path):
    """A folder with a generator of one step, and its manifest."""
    train_generator(find_pictures(pictures), tmp_path / "made", SynthConfig("vae", steps=1, batch=4))
    return tmp_path / "made", json.loads((tmp_path / "made" / synthesis.MANIFEST).read_text())


def test_a_generator_whose_files_do_not_fit_is_one_line_and_takes_no_memory(made, monkeypatch):
    folder, manifest = made
    built, real = [], synthesis.build_generator
    monkeypatch.setattr(synthesis, "build_generator", lambda *args: built.append(args[2]) or real(*args))
    for content in (
        b"\xff\xfe{}",
        b"[" * 100_000,
        json.dumps({**manifest, "settings": [1]}).encode(),
        json.dumps({**manifest, "settings": {"side": 32, "width": 2000}}).encode(),
    ):
        (folder / synthesis.MANIFEST).write_bytes(content)
        with pytest.raises(SynthesisError, match="holds no trained generator"):
            load_generator(folder)
    assert built == ["meta"]
    (folder / synthesis.MANIFEST).write_text(json.dumps(manifest))
    weights = load_file(folder / synthesis.WEIGHTS)
    spoilt = {name: np.full_like(one, np.nan) for name, one in weights.items() if name.endswith(".weight")}
    save_file(weights | spoilt, folder / synthesis.WEIGHTS)
    with pytest.raises(SynthesisError, match="its weights are no numbers"):
        load_generator(folder)


def test_a_generator_that_diverges_is_told_and_not_written(pictures, tmp_path, monkeypatch):
    step = Vae.step
    monkeypatch.setattr(Vae, "step", lambda *args: step(*args) | {"loss": float("nan")})
    with pytest.raises(SynthesisError, match="the vae diverged by step 2: give another --seed"):
        train_generator(find_pictures(pictures), tmp_path / "g", SynthConfig("vae", steps=2, batch=4))
    assert not any((tmp_path / "g").iterdir())


def test_squares_are_the_middle_shrunk_by_area(tmp_path):
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, 16:80] = 200
    paths = []
    for i in range(16):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(pixels).save(paths[-1])
    np.testing.assert_array_equal(load_squares(paths, 32), np.full((16, 32, 32, 3), 200))


def test_no_sample_is_written_over_anything_but_a_sample(pictures, tmp_path):
    (pictures / "broken.png").unlink()
    train_generator(find_pictures(pictures), tmp_path / "g", SynthConfig("gan", steps=1, batch=4))
    theirs = "file,label,source\na.png,real,synth-like\n"
    (pictures / "manifest.csv").write_text(theirs)
    for out in (pictures, tmp_path / "g", tmp_path / "g" / "generator.json"):
        with pytest.raises(SynthesisError, match="something else than samples of synth sample"):
            sample_to(tmp_path / "g", out, 2)
    assert (pictures / "manifest.csv").read_text() == theirs
    out = tmp_path / "made"
    out.mkdir()
    sample_to(tmp_path / "g", out, 3)
    (out / "notes.txt").write_text("keep me")
    again = sample_to(tmp_path / "g", out, 2, seed=1, codec=Codec("JPEG", 90))
    assert sorted((out / "ai" / "gan").iterdir()) == again, "pictures and manifest agree"
    assert len((out / "manifest.csv").read_text().splitlines()) == 1 + len(again)
    assert (out / "notes.txt").exists()
    with (out / "manifest.csv").open("a") as file:
        file.write("../pictures/00.png,ai,synth-gan,synth-gan,x\n")
    with pytest.raises(SynthesisError, match="something else"):
        sample_to(tmp_path / "g", out, 2)
    assert (pictures / "00.png").exists()


def test_pictures_are_drawn_by_seed_and_not_by_name():
    names = list("abcdefghij")
    assert draw(names, None, 0) == names
    few = [draw(names, 4, seed) for seed in (0, 0, 1)]
    assert few[0] == few[1] != few[2]
    assert few[0] != names[:4]
    assert sorted(draw(names, 99, 3)) == names


def test_a_perfect_generator_lies_at_the_floor(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(distance, "embed", lambda _network, pictures: pictures)
    found = [picture_distance(rng.normal(size=(96, 12)), rng.normal(size=(64, 12))) for _ in range(20)]
    assert {(one.made, one.real, one.half) for one in found} == {(96, 64, 32)}
    assert not any(one.noisy for one in found)
    shares = [one.value / one.floor for one in found]
    assert np.mean(shares) == pytest.approx(1, abs=0.1), "with all pictures against all it would be about half"


def test_a_covariance_takes_more_pictures_than_numbers(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(distance, "embed", lambda _network, pictures: pictures)
    for half, noisy in ((12, True), (13, False)):
        found = picture_distance(rng.normal(size=(2 * half, 12)), rng.normal(size=(2 * half + 1, 12)))
        assert (found.half, found.dimension, found.noisy) == (half, 12, noisy)


class TestFrechet:
    """The distance against its formula."""

    def test_matches_scipys_matrix_root(self):
        from scipy.linalg import sqrtm

        rng = np.random.default_rng(0)
        a, b = rng.normal(size=(300, 5)), rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)) + 1
        first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
        expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(
            first + second - 2 * np.real(sqrtm(first @ second))
        )
        assert frechet(a, b) == pytest.approx(expected, rel=1e-6)

    def test_grows_with_what_is_different(self):
        rng = np.random.default_rng(1)
        a = rng.normal(size=(400, 4))
        assert frechet(a, a + 0.5) < frechet(a, a + 1.0)
        assert frechet(a, rng.normal(size=(400, 4))) < frechet(a, 2 * a)
