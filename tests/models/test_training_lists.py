"""The lists of what the shipped bundle saw, and the script that gathers it again."""

import csv
import hashlib
import io
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aiforensics.lab.data.dataset import load_dataset

LISTS = Path(__file__).parents[2] / "models" / "training"
needed = pytest.mark.skipif(
    not (shutil.which("git") and shutil.which("jpegtran")), reason="gathering needs git and jpegtran"
)


@pytest.mark.parametrize(
    "name", ["pictures", "reduced", "extension", "whole", "external", "latest", "strangers", "strangers-whole", "pool"]
)
def test_a_list_names_each_window_once(name):
    rows = list(csv.DictReader((LISTS / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
    assert len({tuple(row.values()) for row in rows}) == len(rows) > 100
    assert all(row["repository"].count("/") == 1 and row["path"] for row in rows)
    if name != "pool":
        assert {row["label"] for row in rows} == {"ai", "real"}


def encoded(seed, size, form):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, quality=80)
    return stream.getvalue()


@pytest.fixture
def clones(tmp_path):
    """A repository whose newest commit has another `a.jpg` than the list names."""
    folder = tmp_path / "clones" / "some+one"
    folder.mkdir(parents=True)
    files = {"a.jpg": encoded(1, (700, 600), "JPEG"), "deep/b.png": encoded(2, (500, 90), "PNG")}

    def git(*words):
        subprocess.run(["git", "-C", folder, "-c", "user.name=n", "-c", "user.email=e@e", *words], check=True)

    git("init", "--quiet")
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    (folder / "a.jpg").write_bytes(encoded(3, (700, 600), "JPEG"))
    git("commit", "--quiet", "-am", "another a.jpg")
    return tmp_path / "clones", files


def gather(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["gather.py", *map(str, words)])
    runpy.run_path(str(LISTS / "gather.py"), run_name="__main__")


@needed
def test_windows_are_gathered_from_the_version_of_the_list(clones, tmp_path, monkeypatch, capsys):
    folder, files = clones
    sums = {name: hashlib.sha256(data).hexdigest()[:16] for name, data in files.items()}
    with (tmp_path / "list.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["label", "source", "generator", "repository", "path", "sha256_16"])
        table.writerow(["real", "web", "", "some/one", "a.jpg", sums["a.jpg"]])
        table.writerow(["real", "web", "", "some/one", "a.jpg", sums["a.jpg"]])
        table.writerow(["ai", "gallery", "flux", "some/one", "deep/b.png", sums["deep/b.png"]])
        table.writerow(["ai", "gallery", "flux", "some/one", "gone.png", "0" * 16])
    gather(monkeypatch, tmp_path / "list.csv", "--clones", folder, "--out", tmp_path / "out")
    assert "3 written" in capsys.readouterr().err
    rows = list(csv.DictReader((tmp_path / "out" / "manifest.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["label"] for row in rows] == ["real", "real", "ai"]
    with Image.open(tmp_path / "out" / rows[0]["file"]) as window, Image.open(io.BytesIO(files["a.jpg"])) as whole:
        assert window.size == (512, 512)
        assert window.quantization == whole.quantization
        cut, pixels = np.asarray(window), np.asarray(whole)
    places = [(x, y) for x in range(0, 96, 16) for y in range(0, 192, 16)]
    # Chroma at the cut is interpolated without its neighbours.
    inside = [cut[16:-16, 16:-16] == pixels[y + 16 : y + 496, x + 16 : x + 496] for x, y in places]
    assert max(float(same.mean()) for same in inside) == 1.0
    with Image.open(tmp_path / "out" / rows[2]["file"]) as window:
        assert window.size == (90, 384)
    gather(
        monkeypatch, tmp_path / "list.csv", "--clones", folder, "--out", tmp_path / "files", "--whole", "--split", "val"
    )
    assert {row.split(",")[4] for row in (tmp_path / "files" / "manifest.csv").read_text().splitlines()[1:]} == {"val"}
    found = {hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in (tmp_path / "files").glob("*/*/*")}
    assert found == set(sums.values())


def test_a_reduced_picture_joins_the_group_of_the_windows_of_its_file(tmp_path, monkeypatch):
    name = "0123456789abcdef"
    for folder, stem in (("whole", name), ("windows", f"{name}-crop0")):
        for label in ("real", "ai"):
            path = tmp_path / folder / label / "web" / f"{stem}.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(encoded(len(label) + len(stem), (400, 300), "PNG"))
    monkeypatch.setattr(sys, "argv", ["reduce.py", str(tmp_path / "whole"), "--out", str(tmp_path / "reduced")])
    runpy.run_path(str(LISTS / "reduce.py"), run_name="__main__")
    samples = load_dataset([tmp_path / "windows", tmp_path / "reduced"], need=())
    assert len({(sample.group, sample.split) for sample in samples if sample.label == "real"}) == 1
    with Image.open(next((tmp_path / "reduced" / "real").rglob("*.*"))) as image:
        assert max(image.size) <= 240
