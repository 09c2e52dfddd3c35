"""The commands train, compare, adapt and synth: what they refuse, and one whole way through."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aiforensics.lab.data.alone import alone
from aiforensics.lab.judge.distance import Distance
from aiforensics.lab.pages.words import gap
from aiforensics_cli.commands import compare, synth, train
from aiforensics_models.bundle import write_manifest
from aiforensics_models.calibration import Calibration, Line

pytestmark = pytest.mark.train


@pytest.fixture
def data(tmp_path):
    """A set of 12 + 10 + 10 small pictures a class with a manifest."""
    rng = np.random.default_rng(0)
    lines = ["file,label,source,group,split"]
    for label in ("real", "ai"):
        for i in range(32):
            pixels = np.full((40, 40, 3), rng.integers(60, 180, 3)) + rng.normal(0, 8, (40, 40, 3))
            pixels[::4] += 40 * (label == "ai")
            name = f"{label}{i}.png"
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(tmp_path / name)
            lines.append(f"{name},{label},{label},{label}{i},{'train' if i < 12 else 'val' if i < 22 else 'test'}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "manifest.csv"


def test_recipes_are_listed(run):
    found = run("train", "--recipes")
    assert found.status == 0
    for name in ("fusion-xgboost", "cbam-resnet", "scratch-cnn-numpy", "resnet50-transfer"):
        assert name in found.out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--recipe", "nope"], "there is no recipe 'nope'"),
        (["--recipe", "cnn", "--head", "deep"], "does not go with"),
        (["--recipe", "cnn", "--steps", "3"], "not for cnn"),
        (["--recipe", "cnn", "--emphasis", "3"], "not for cnn"),
        (["--recipe", "cnn", "--extend", "default"], "not for cnn"),
        (["--extend", "default", "--weights", "none"], "leave --weights out"),
        (["--extend", "default", "--network", "resnet18"], "cannot go on from default"),
        (["--extend", "nowhere"], "there is no model 'nowhere'"),
        (["--refit"], "--refit says how --extend goes on"),
        (["--extend", "default"], "extended by sources that it has not seen"),
        (["--epochs", "3"], "not for fusion-"),
        (["--network", "nope"], "torchvision has no network 'nope'"),
        (["--weights", "imagenet"], "no ImageNet weights for tracenet"),
        (["--recipe", "cnn", "--network", "resnet18"], "not for cnn"),
        (["--recipe", "cnn", "--rate", "-1"], "rate and epochs must be positive"),
        (["--recipe", "cnn", "--side", "40"], "multiple of 32 px"),
        (["--recipe", "cnn", "--weights", "imagenet"], "no ImageNet weights for cnn"),
        (["--recipe", "cnn", "--weights", "gone.pth"], "no such file of weights"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(run, data, tmp_path, args, words):
    found = run("train", data, "--out", tmp_path / "bundle", *args)
    assert found.status == 2
    assert words in " ".join(found.err.split())
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("changes", "args", "words"),
    [
        ({}, ["--strategy", "full"], "give --old DATA"),
        ({}, ["--strategy", "head", "--out", "BUNDLE"], "is the bundle that is adapted"),
        ({"training": {}}, ["--strategy", "head"], "does not state how it was trained"),
        ({}, ["--strategy", "head"], "scratch-cnn-numpy has no head apart from its body"),
        ({"training": {"config": {"network": "cnn"}}}, ["--strategy", "head"], "carries no weights"),
    ],
)
def test_adapt_refuses_before_it_reads_a_picture(run, data, tmp_path, monkeypatch, changes, args, words):
    folder = tmp_path / "first"
    folder.mkdir()
    manifest = {
        "name": "first",
        "version": "1",
        "classes": ["real", "ai"],
        "window": 256,
        "features": ["embedding.log_odds"],
        "network": {"onnx": "network.onnx"},
        "head": {"kind": "none"},
        "calibration": Calibration({"good": Line(1.0, 0.0, 0.1)}, 0.3, 0.7).to_dict(),
        "training": {"config": {"network": "scratch-cnn-numpy"}},
    }
    (folder / "network.onnx").write_bytes(b"a network")
    write_manifest(folder, manifest | changes)
    monkeypatch.setattr("aiforensics.lab.data.dataset.load_dataset", lambda *_, **__: 1 / 0)
    args = [folder if one == "BUNDLE" else one for one in args]
    found = run("adapt", folder, data, "--out", tmp_path / "out", *args)
    assert found.status == 2
    assert words in " ".join(found.err.split())


@pytest.mark.parametrize(("recipes", "words"), [("", "nothing to compare"), ("cnn,cnn", "cnn is named twice")])
def test_compare_refuses_before_it_reads_or_writes(run, data, tmp_path, recipes, words):
    found = run("compare", data, "--recipes", recipes, "--out", tmp_path / "out")
    assert found.status == 2
    assert words in " ".join(found.err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("recipes", "knob", "kind"),
    [
        ("cnn", ("--steps", 3), "a fusion"),
        ("cnn", ("--fusion-weights", "x.safetensors"), "a fusion"),
        ("cnn", ("--weights", "none"), "a transfer recipe"),
        ("fusion-xgboost", ("--weights", "none"), "a transfer recipe"),
        ("fusion-deep", ("--epochs", 1), "a classifier"),
        ("", ("--sensitivity",), "a classifier"),
        ("scratch-cnn-numpy", ("--side", 64), "a classifier other than scratch-cnn-numpy"),
    ],
)
def test_compare_refuses_knobs_that_no_recipe_has(run, data, tmp_path, recipes, knob, kind):
    found = run("compare", data, "--recipes", recipes, "--out", tmp_path / "out", *knob)
    assert found.status == 2
    assert f"{knob[0]} is for {kind}, and --recipes names none: leave it out" in " ".join(found.err.split())


def test_wrong_data_is_one_line_before_training(run, data, tmp_path):
    def said(text):
        data.write_text(text)
        found = run("train", data, "--out", tmp_path / "bundle", "--recipe", "cnn")
        assert found.status == 2
        assert len(found.err.strip().splitlines()) == 1
        return found.err

    text = data.read_text()
    lines = text.splitlines()
    assert "label 'fake' is unknown" in said(text.replace(",ai,ai,", ",fake,ai,", 1))
    assert "no pictures labelled real" in said("\n".join(line for line in lines if ",real," not in line))
    assert "files are missing" in said(text.replace("ai3.png", "gone.png"))
    few = [line for line in lines if ",real," not in line] + [line for line in lines if line.startswith("real1.")]
    assert "needs 10" in said("\n".join(few))
    kept = (tmp_path / "ai0.png").read_bytes()
    (tmp_path / "ai0.png").write_bytes((tmp_path / "real0.png").read_bytes())
    assert "stands in both classes" in said(text)
    (tmp_path / "ai0.png").write_bytes(kept[:90])
    data.write_text(text)
    found = run("train", data, "--out", tmp_path / "bundle", "--recipe", "cnn")
    assert found.status == 2
    assert "1 picture cannot be read" in " ".join(found.err.splitlines()[-1].split())


def test_train_scan_and_explain_with_gradcam(run, data, tmp_path, monkeypatch):
    pytest.importorskip("torch").set_num_threads(1)
    out = tmp_path / "bundle"
    found = run("train", data, "--out", out, "--recipe", "cnn", "--epochs", 1, "--batch", 8, "--force")
    assert found.status == 0, found.err
    assert "matched ROC AUC" in found.out
    scanned = run("scan", tmp_path / "real0.png", "--model", out, "--json")
    assert scanned.objects[0]["model"]["name"] == "bundle"
    explained = run("explain", tmp_path / "ai0.png", "--model", out, "--gradcam", "--maps", tmp_path / "maps")
    assert explained.status == 0, explained.err
    assert any("embedding" in path.name for path in (tmp_path / "maps").iterdir())
    assert "where Grad-CAM finds what speaks for AI" in explained.out
    page = tmp_path / "page.html"
    assert run("scan", tmp_path / "ai0.png", "--model", out, "--gradcam", "--report", page).status == 0
    assert "Grad-CAM, window 1" in page.read_text("utf-8")

    def no_memory(self, pixels):
        raise MemoryError("the network's maps")

    monkeypatch.setattr("aiforensics_models.gradcam.GradCam.__call__", no_memory)
    two = sorted(tmp_path.glob("ai?.png"))[:2]
    spoilt = run("scan", *two, "--model", out, "--gradcam", "--maps", tmp_path / "none", "--json")
    assert spoilt.status == 2
    assert [one["error"]["message"] for one in spoilt.objects] == [
        "Grad-CAM cannot look at it: MemoryError: the network's maps"
    ] * 2


def test_a_test_picture_that_cannot_be_judged_is_told_and_is_status_2(run, data, tmp_path):
    pytest.importorskip("torch").set_num_threads(1)
    from aiforensics.lab.adapting import FIGURES

    out, other = tmp_path / "bundle", tmp_path / "other.csv"
    knobs = ("--recipe", "cnn", "--epochs", 1, "--batch", 8, "--side", 32, "--force")
    assert run("train", data, "--out", out, *knobs).status == 0
    (tmp_path / "torn.png").write_bytes(b"no picture")
    other.write_text(data.read_text().replace("real31.png", "torn.png"))
    for command in (
        ("compare", other, "--recipes", "", "--bundle", out, "--out", tmp_path / "compared"),
        ("adapt", out, data, "--strategy", "head", "--epochs", 1, "--old", other, "--out", tmp_path / "new", "--force"),
    ):
        found = run(*command)
        last = " ".join(found.err.split()).rsplit("aiforensics: ", 1)[1]
        assert (found.status, last.startswith(f"1 file was refused: {tmp_path / 'torn.png'}: ")) == (2, True), found.err
    lines = [line.split() for line in found.out.splitlines()]
    assert lines[:2] == [["new"] * 3 + ["old"] * 3, ["figure", *["before", "after", "change,", "95", "%"] * 2]]
    assert [len(line) for line in lines if line[0] in FIGURES] == [7] * len(FIGURES)
    content = json.loads((tmp_path / "new" / "metrics.json").read_text())
    assert gap(*content["changes"]["old"]["roc_auc"].values())[1] in found.out
    assert (tmp_path / "compared" / "comparison.html").is_file()
    assert (tmp_path / "new" / "bundle.json").is_file()


@pytest.mark.parametrize("out", [".", "..", "../here"])
def test_a_bundle_in_the_current_folder_is_named_as_that_is(run, data, tmp_path, monkeypatch, out):
    pytest.importorskip("torch")
    from aiforensics.lab.making import Job

    jobs = []

    def stop(*args):
        jobs.append(next(one for one in args if isinstance(one, Job)))
        raise KeyboardInterrupt

    here = tmp_path / "here"
    folder = here if out != ".." else here.parent
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("aiforensics.lab.making.make_bundle", stop)
    monkeypatch.setattr("aiforensics.lab.adapting.adapt", stop)
    monkeypatch.setattr("aiforensics.lab.adapting.check_output", lambda _out: None)
    for words in (("train", data, "--recipe", "cnn"), ("adapt", "default", data, "--strategy", "head")):
        found = run(*words, "--out", out)
        assert (found.status, "internal" in found.err) == (130, False), found.err
    for job in jobs:
        assert (job.out.name, job.out.resolve(), job.work.resolve()) == (
            folder.name,
            folder,
            folder.with_name(f"{folder.name}.work"),
        )
    assert len(jobs) == 2


def test_data_in_the_current_folder_is_named_as_that_is(run, data, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    jobs = []
    monkeypatch.chdir(data.parent)
    monkeypatch.setattr("aiforensics.lab.making.make_bundle", lambda _samples, job, *_: jobs.append(job) or 1 / 0)
    monkeypatch.setattr("aiforensics.lab.adapting.adapt", lambda *args: jobs.append(args[4]) or 1 / 0)
    run("train", ".", "--recipe", "cnn", "--out", tmp_path / "out")
    monkeypatch.setattr("aiforensics.lab.compare.compare", lambda _samples, _contest, job, _: jobs.append(job) or 1 / 0)
    run("adapt", "default", ".", "--strategy", "head", "--out", tmp_path / "out")
    run("compare", ".", "--recipes", "cnn", "--out", tmp_path / "out")
    assert [job.data for job in jobs] == [[data.parent.name]] * 3


@pytest.mark.parametrize("words", [("train", "--name", "a\nb", "--out", "out"), ("train", "--out", "a\x1b[1m")])
def test_a_name_that_no_bundle_may_have_is_told_before_training(run, data, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aiforensics.lab.making.make_bundle", lambda *_: 1 / 0)
    found = run(*words, data, "--recipe", "cnn")
    assert (found.status, "holds control signs: give another" in found.err) == (2, True), found.err


def test_what_goes_on_states_the_splits_of_its_bundle(run, data, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    jobs = []
    monkeypatch.setattr("aiforensics.lab.growing.load_grown", lambda *_, **knobs: ((), 3, "60/20/20"))
    monkeypatch.setattr("aiforensics.lab.systems.System.trainer", lambda *_: None)
    monkeypatch.setattr("aiforensics.lab.making.make_bundle", lambda _samples, job, *_: jobs.append(job) or 1 / 0)
    run("train", data, "--extend", "default", "--seed", 5, "--out", tmp_path / "out")
    assert [(job.seed, job.drawn_by, job.split) for job in jobs] == [(5, 3, "60/20/20")]


def test_two_runs_never_train_one_generator(run, picture, tmp_path, monkeypatch):
    monkeypatch.setattr("aiforensics.lab.train.synthesis.train_generator", lambda *_: pytest.fail("the work began"))
    folder = picture("real/a.png").parent
    with alone(tmp_path / "g"):
        found = run("synth", "train", folder, "--kind", "vae", "--out", tmp_path / "g")
    assert (found.status, found.out) == (2, "")
    line = f"another run works in {tmp_path / 'g'}: wait until it ends, or name another folder"
    assert found.err == f"aiforensics: {line}\n"


def test_synth_refuses_in_one_line(run, tmp_path):
    found = run("synth", "train", tmp_path / "nowhere", "--kind", "vae", "--out", tmp_path / "g")
    assert found.status == 2
    assert "not a folder of pictures" in found.err
    found = run("synth", "sample", tmp_path, "--out", tmp_path / "made")
    assert found.status == 2
    assert "holds no trained generator" in found.err


def test_synth_says_before_it_writes_what_a_distance_takes(run, tmp_path):
    args = ("synth", "sample", tmp_path, "--out", tmp_path / "made", "--compare-with", tmp_path)
    found = run(*args, "--count", 10)
    assert found.status == 2
    assert "--count of at least 16" in " ".join(found.err.split())
    assert not (tmp_path / "made").exists()
    assert "--count of at least 16" in " ".join(run(*args, "--count", 10, "--kind", "vae").err.split()), "told first"


def test_synth_says_how_far_a_distance_of_few_pictures_goes(run):
    words = " ".join(run("synth", "sample", "--help").out.replace("│", " ").split())
    assert "--count 16 at least; half of each set is compared" in words
    few, enough = (Distance(9.0, 3.0, 2 * half, 2 * half, half, "default", 1676) for half in (8, 1677))
    assert "the covariance of 1676 numbers, which takes --count 3354" in synth._noise(few)
    assert synth._noise(enough) == ""


@pytest.mark.parametrize(
    ("value", "low", "warned"), [(0.48, 0.2, True), (0.3, 0.1, True), (0.7, 0.51, False), (0.5, None, True)]
)
def test_a_bundle_that_is_no_better_than_chance_is_told(capsys, value, low, warned):
    interval = [None, None] if low is None else [low, value + 0.1]
    found = {"roc_auc": value, "accuracy": 0.5}
    train._show(Path("bundle"), found | {"intervals": {"roc_auc": interval}, "as_found": found})
    told = capsys.readouterr()
    assert "bundle: matched ROC AUC" in told.out
    assert ("not shown to be better than chance" in told.err) is warned


def test_compare_prints_who_is_told_apart_from_the_first(capsys):
    figures = {"intervals": {"roc_auc": [0.7, 0.9]}, "accuracy": 0.7, "as_found": {"roc_auc": 0.9, "accuracy": 0.8}}
    one = {"from": "resnet", "roc_auc": -0.04, "interval": [-0.09, 0.012], "says": "not told apart from resnet"}
    figures |= {"seen_in_training": 0}
    entries = {"cnn": {**figures, "roc_auc": 0.8, "difference": one}, "resnet": {**figures, "roc_auc": 0.84}}
    compare._show(entries, {})
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:3] == ["resnet 0.840 0.700 to 0.900 0.700 0.900 0.800", "cnn 0.800 0.700 to 0.900 0.700 0.900 0.800"]
    assert lines[3:] == ["less resnet matched AUC 95 %", "cnn −0.040 −0.090 to +0.012 not told apart from resnet"]
    compare._show({"cnn": entries["resnet"]}, {})
    assert "less" not in capsys.readouterr().out


def test_a_recipe_that_diverges_is_a_row_and_status_2(run, data, tmp_path, monkeypatch):
    pytest.importorskip("torch").set_num_threads(1)
    from aiforensics.lab.fit import classifiers

    def scores(learner, pictures):
        found = honest(learner, pictures)
        return found if type(learner).__name__ == "NumpyLearner" else np.full_like(found, np.nan)

    honest = classifiers.scores
    monkeypatch.setattr(classifiers, "scores", scores)
    out = tmp_path / "compared"
    recipes = ("--recipes", "cnn,scratch-cnn-numpy", "--epochs", 1, "--side", 32, "--force")
    found = run("compare", data, *recipes, "--out", out)
    why = "the training at rate 0.001 diverged in pass 1: give a smaller --rate (train and adapt have it)"
    assert found.status == 2
    assert "1 of 2 systems failed: cnn" in found.err
    assert f"cnn failed: {why}" in found.out.splitlines()
    assert "scratch-cnn-numpy" in found.out
    content = json.loads((out / "metrics.json").read_text())
    assert (content["failed"], list(content["entries"])) == ({"cnn": why}, ["scratch-cnn-numpy"])
    page = (out / "comparison.html").read_text()
    assert page.count(f'<th scope="row">cnn</th><td colspan="9">failed: {why}</td>') == 2
    assert "cnn failed and is not compared" in page
    assert "<h1>1 system</h1>" in page
