"""Measuring of delivered pictures: tables, and what is known already."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")

from aiforensics.analyzers import SCORED  # noqa: E402
from aiforensics.lab.fit import measure  # noqa: E402
from aiforensics.lab.fit.measure import NAMES, RANDOM, Table, TableError, measure_all  # noqa: E402
from aiforensics.lab.train.export import export_detector  # noqa: E402
from aiforensics_models.heads import EMBEDDING  # noqa: E402


@pytest.fixture(scope="module")
def samples(lattices):
    return lattices


def test_tables_survive_being_written_down(samples, trained, tmp_path):
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    table = measure_all(samples[:3], [tmp_path / "network.onnx"], [0, 0, 0], [RANDOM, "half"], workers=1)
    assert table.values.shape == (6, len(NAMES))
    assert np.isfinite(table.values).all()
    table.save(tmp_path / "t.npz")
    again = Table.load(tmp_path / "t.npz")
    assert (again.values == table.values).all()
    assert again.view.tolist() == ["random", "half"] * 3


def test_the_rows_of_some_pictures_count_them_anew(samples, trained, tmp_path):
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    table = measure_all(samples[:3], [tmp_path / "network.onnx"], [0, 0, 0], [RANDOM, "half"], workers=1)
    some = table.of(np.array([2, 0]))
    assert some.sample.tolist() == [1, 1, 0, 0]
    assert some.view.tolist() == ["random", "half"] * 2
    assert (some.values == table.values[[0, 1, 4, 5]]).all()


def test_large_views_are_measured_of_large_files_alone(samples, trained, tmp_path):
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    rng = np.random.default_rng(2)
    for name, size in (("large", (513, 640)), ("narrow", (512, 700))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"{name}.png")
    files = [replace(samples[0], path=tmp_path / f"{name}.png") for name in ("large", "narrow")]
    views, keep = ["half", "large-clean"], tmp_path / "t.npz"
    table = measure_all(files, [tmp_path / "network.onnx"], [0, 0], views, workers=1, keep=keep)
    assert [*zip(table.sample.tolist(), table.view.tolist(), strict=True)] == [
        (0, "half"),
        (0, "large-clean"),
        (1, "half"),
    ]
    assert table.condition.tolist() == ["small", "large-good", "small"]
    again = []
    known = measure_all(
        files, [tmp_path / "network.onnx"], [0, 0], views, workers=1, keep=keep, progress=lambda *at: again.append(at)
    )
    assert again == [(0, 0)]
    assert (known.values == table.values).all()


def test_no_network_is_asked_of_a_picture_without_one(samples, trained, tmp_path):
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    networks, keep = [tmp_path / "network.onnx"], tmp_path / "t.npz"
    asked = measure_all(samples[:2], networks, [0, 0], ["half"], workers=1)
    mixed = measure_all(samples[:2], networks, [0, -1], ["half"], workers=1, keep=keep)
    assert (mixed.columns(SCORED) == asked.columns(SCORED)).all()
    assert mixed.condition.tolist() == asked.condition.tolist()
    assert (mixed.embedding[0] == asked.embedding[0]).all()
    assert asked.embedding[1].any()
    assert not mixed.embedding[1].any()
    assert asked.column(EMBEDDING)[1] != 0
    assert mixed.column(EMBEDDING)[1] == mixed.spread[1] == 0
    again = measure_all(samples[:2], networks, [0, 0], ["half"], workers=1, keep=keep)
    assert (again.embedding == asked.embedding).all(), "a network that is asked later is asked"


def test_what_was_measured_is_not_measured_again(samples, trained, tmp_path):
    network, keep, told = tmp_path / "network.onnx", tmp_path / "t.npz", []
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)

    def again(some, by=network):
        told.clear()
        return measure_all(
            some, [by], [0] * len(some), [RANDOM], workers=1, keep=keep, progress=lambda *at: told.append(at)
        )

    first = again(samples[:3])
    more = again(samples[4:0:-1])
    assert told == [(0, 2), (2, 2)], "two of the four are new"
    assert more.sample.tolist() == [0, 1, 2, 3]
    assert (more.values[2:] == first.values[2:0:-1]).all()
    assert again(samples[4:0:-1]).values.tolist() == more.values.tolist()
    assert told == [(0, 0)]
    other = shutil.copy(network, tmp_path / "other.onnx")
    with other.open("ab") as stream:
        stream.write(b"\x92\x03\x00")  # an empty field that no reader knows: other bytes, the same network
    again(samples[1:2], other)
    assert told == [(0, 1), (1, 1)], "another network has not judged it"

    pixels = np.random.default_rng(5).integers(0, 256, (2, 96, 96, 3), np.uint8)
    namesakes = []
    for folder, one in zip("ab", pixels, strict=True):
        (tmp_path / folder).mkdir()
        Image.fromarray(one).save(tmp_path / folder / "same.bmp")
        namesakes.append(replace(samples[0], path=tmp_path / folder / "same.bmp"))
    values = again(namesakes).values
    assert told[-1] == (2, 2)
    assert (values[0] != values[1]).any(), "of one name and one size, and yet two pictures"


def test_measuring_that_was_stopped_goes_on_where_it_was_saved(samples, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "_CHUNK", 1)
    monkeypatch.setattr(measure, "_SAVE_EVERY", 2)
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    told = []

    def stop(done, total):
        told.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    def run(progress):
        network = [tmp_path / "network.onnx"]
        return measure_all(
            samples[:4], network, [0] * 4, [RANDOM, "half"], workers=1, keep=tmp_path / "t.npz", progress=progress
        )

    with pytest.raises(KeyboardInterrupt):
        run(stop)
    table = run(lambda *at: told.append(at))
    assert told[4:] == [(0, 2), (1, 2), (2, 2)], "two of the four had been saved"
    assert table.view.tolist() == [RANDOM, "half"] * 4


def test_rows_of_another_edition_are_refused(samples, trained, tmp_path, monkeypatch):
    export_detector(trained[0] / "network.safetensors", "tracenet", tmp_path)
    table = measure_all(samples[:1], [tmp_path / "network.onnx"], [0], [RANDOM], workers=1)
    monkeypatch.setattr(measure, "EDITION", 1)
    table.save(tmp_path / "t.npz")
    monkeypatch.undo()
    with pytest.raises(TableError, match="remove it to measure again"):
        Table.load(tmp_path / "t.npz")
