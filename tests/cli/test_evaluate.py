"""`evaluate` and `train` on one data set: whose split it is, what was seen in training, and names that are none."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def data(tmp_path):
    """50 small pictures a class, without a manifest, so that the split is drawn."""
    rng = np.random.default_rng(0)
    for label in ("real", "ai"):
        (tmp_path / "set" / label / label).mkdir(parents=True)
        for i in range(50):
            small = rng.integers(60, 180, (5, 5, 3)).astype(np.uint8)
            pixels = np.asarray(Image.fromarray(small).resize((40, 40), Image.Resampling.BICUBIC), np.int64)
            pixels = np.clip(pixels + rng.normal(0, 8, (40, 40, 3)) + 30 * (label == "ai"), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "set" / label / label / f"{i}.png")
    return tmp_path / "set"


@pytest.mark.train
def test_evaluate_judges_by_the_bundles_own_split_and_tells_what_was_seen_in_training(run, data, tmp_path):
    pytest.importorskip("torch").set_num_threads(1)
    out, told = tmp_path / "bundle", tmp_path / "metrics.json"
    knobs = ["--recipe", "scratch-cnn-numpy", "--epochs", 1, "--force", "--seed", 3, "--split", "60/20/20"]
    trained = run("train", data, "--out", out, *knobs)
    assert trained.status == 0, trained.err

    def judged(*more):
        done = run("evaluate", data, "--model", out, "--json", told, "--report", tmp_path / "page.html", *more)
        assert done.status == 0, done.err
        return " ".join(done.err.split()), json.loads(told.read_text())

    err, content = judged()
    kept = json.loads((out / "metrics.json").read_text())
    assert "warning" not in err
    assert (content["seen_in_training"], content["pictures"]) == (0, kept["pictures"])
    assert content["as_found"]["roc_auc"] == kept["as_found"]["roc_auc"]
    err, content = judged("--split", "all", "--limit", 60)
    seen = content["seen_in_training"]
    assert 30 < seen < 60
    assert content["pictures"] == {"judged": 60, "of": 100}
    assert f"warning: {seen} of the 60 judged pictures were in this bundle's training; the figures flatter" in err
    page = (tmp_path / "page.html").read_text()
    assert f"{seen} of 60 pictures" in page
    assert page.index(f"Mind: {seen} of the 60 judged pictures were in this bundle") < page.index("<table")


def test_without_splits_every_picture_is_judged_and_with_them_it_is_said_which(run, data, tmp_path, fake_detector):
    told, here = tmp_path / "metrics.json", ("--workers", 1)  # others have no fake
    assert run("evaluate", data, "--json", told, *here).status == 0
    content = json.loads(told.read_text())
    assert (content["pictures"], content["settings"]["split"]) == ({"judged": 100, "of": 100}, "all")
    assert content["settings"]["seen in training"].startswith(("0 of 100", "not known"))
    rows = [f"{path},{path.parent.name},{'test' if int(path.stem) < 15 else 'train'}" for path in data.rglob("*.png")]
    (tmp_path / "set.csv").write_text("\n".join(["file,label,split", *rows]))
    done = run("evaluate", tmp_path / "set.csv", "--json", told, *here)
    assert json.loads(told.read_text())["settings"]["split"] == "test"
    assert "judging the split test, 30 of 100 pictures: --split all judges every one" in " ".join(done.err.split())


def test_a_split_without_pictures_is_told_with_what_to_do(run, data, tmp_path, fake_detector):
    rows = [f"{path},{path.parent.name},train" for path in data.rglob("*.png")]
    (tmp_path / "set.csv").write_text("\n".join(["file,label,split", *rows]))
    done = run("evaluate", tmp_path / "set.csv")
    assert done.status == 2
    assert "the split test holds no real picture: --split all judges every one" in " ".join(done.err.split())


@pytest.mark.parametrize("knob", [("--folds", 3), ("--weights", "x.safetensors"), ("--work", "x")])
def test_knobs_of_a_training_without_one_are_refused(run, data, knob):
    done = run("evaluate", data, *knob)
    assert done.status == 2
    assert "only --leave-one-source-out trains again" in " ".join(done.err.split())
    assert knob[0] in done.err


@pytest.fixture
def fake_detector(monkeypatch):
    """Judges by the mean of the pixels, which takes no time."""
    from aiforensics.lab import evaluating
    from aiforensics.lab.judge import detector

    class Fast:
        def __init__(self, _scanner):
            pass

        def score(self, picture):
            p = float(np.asarray(picture.image).mean() / 255)
            return detector.Prediction(p, "ai" if p > 0.55 else "real", (p, p))

    monkeypatch.setattr(evaluating, "ScannerDetector", Fast)


def test_the_side_of_the_windows_can_be_asked_for(run, tmp_path, fake_detector):
    rng = np.random.default_rng(1)
    for label in ("real", "ai"):
        (tmp_path / "large" / label).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 256, (300, 320, 3), np.uint8)
            pixels[297:] = 255 * (label == "ai")  # windows of 248 px seldom reach it, windows of 300 px always do
            Image.fromarray(pixels).save(tmp_path / "large" / label / f"{i}.png")
    told = tmp_path / "metrics.json"
    assert run("evaluate", tmp_path / "large", "--side", 300, "--json", told).status == 0
    content = json.loads(told.read_text())
    assert content["roc_auc"] == 1.0
    assert (content["settings"]["side"], content["title"].split(";")[0]) == (
        "300",
        "both classes alike: windows of at most 300 px",
    )
    assert run("evaluate", tmp_path / "large", "--json", told).status == 0
    usual = json.loads(told.read_text())
    assert usual["roc_auc"] < 1.0
    assert "side" not in usual["settings"]
    assert "windows of" not in usual["title"]


@pytest.mark.parametrize("command", ["evaluate", "audit"])
def test_a_manifest_is_not_written_over(run, data, command):
    manifest = data / "manifest.csv"
    rows = [f"{path.relative_to(data)},{path.parent.name}" for path in sorted(data.rglob("*.png"))]
    manifest.write_text("\n".join(["file,label", *rows]))
    before = manifest.read_text()
    done = run(command, data, "--json", manifest)
    assert (done.status, "would overwrite an input" in done.err) == (2, True)
    assert manifest.read_text() == before


def test_an_audit_counts_what_stands_in_both_classes(run, data, tmp_path):
    for i in range(3):
        (data / "ai" / "ai" / f"copy{i}.png").write_bytes((data / "real" / "real" / f"{i}.png").read_bytes())
    done = run("audit", data, "--json", tmp_path / "audit.json")
    assert done.status == 0
    assert json.loads((tmp_path / "audit.json").read_text())["duplicates"]["exact_across_classes"] == 3
    refused = run("train", data, "--out", tmp_path / "bundle")
    assert "aiforensics audit counts all such pictures" in refused.err


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate",),
        ("audit",),
        ("train", "--out", "bundle"),
        ("compare", "--recipes", "cnn", "--out", "folder"),
        ("adapt", "default", "--strategy", "head", "--out", "bundle"),
    ],
    ids=lambda command: command[0],
)
def test_an_empty_name_is_not_the_current_folder(run, data, monkeypatch, command):
    monkeypatch.chdir(data)
    for names in ([""], [data, ""]):
        done = run(*command, *names)
        assert (done.status, done.out) == (2, "")
        assert done.err == "aiforensics: '': not a folder or a manifest CSV\n"
