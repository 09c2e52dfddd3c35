"""`audit` and `evaluate` from the command line: results on standard output, one line for an error."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import aiforensics.pipeline
from aiforensics.evidence import Finding, ModelRef, Provenance, Quality, ToolRef
from aiforensics.image import decode
from aiforensics.lab.data.alone import alone
from aiforensics.lab.data.dataset import DatasetError, Sample
from aiforensics.lab.data.views import CONDITIONS, SWEEP
from aiforensics.lab.retraining import check_cuts, retrained
from aiforensics_cli.app import app


class Scanner:
    """Stands in for the pipeline: judges by brightness."""

    def __init__(self, model: str | Path = "default", **_options: object) -> None:
        self.bundle = SimpleNamespace(name=str(model), version="1", sha256="0" * 64, manifest={"recipe": "classic"})

    def scan_bytes(self, data: bytes, path: str = "-") -> Finding:
        p = float(np.clip(np.asarray(decode(data, path).image, float).mean() / 255, 0, 1))
        verdict = "ai" if p > 0.55 else "real" if p < 0.35 else "inconclusive"
        return Finding(
            path, "", len(data), "JPEG", 1, 1, verdict, p, (p, p), Quality("good"), Provenance(), (), (),
            ModelRef("m", "1", ""), ToolRef("t", "1"), 0.0,
        )  # fmt: skip


def bright(pixels, path, label) -> None:
    Image.fromarray((pixels // 2 + (110 if label == "ai" else 20)).astype(np.uint8)).save(path)


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr("aiforensics.lab.evaluating.Scanner", Scanner)
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


def test_evaluate_writes_metrics_and_a_page(run, make_folder, tmp_path) -> None:
    metrics, page = tmp_path / "metrics.json", tmp_path / "page.html"
    root = make_folder(8, bright)
    done = run("evaluate", root, "--split", "all", "--limit", 12, "--workers", 2, "--json", metrics, "--report", page)
    assert done.exit_code == 0, done.output
    content = json.loads(metrics.read_text())
    assert content["judgements"] == 12 * len(CONDITIONS)
    assert (content["settings"]["pictures"], content["settings"]["limit"]) == ("12", "12")
    assert content["roc_auc"] > 0.9
    assert "ROC AUC" in done.stdout
    assert "ai-one" in done.stdout
    assert "judged  groups" in done.stdout
    assert content["pictures"] == {"judged": 12, "of": 32}
    assert "Evaluation of default" in page.read_text()


@pytest.mark.parametrize("command", ["audit", "evaluate"])
def test_one_unreadable_file_of_a_folder_is_told_and_stops_nothing(run, make_folder, command) -> None:
    root = make_folder(12, bright)
    (root / "ai/ai-one/torn.png").write_bytes(b"nothing of a picture")
    done = run(command, root, *(["--split", "all"] if command == "evaluate" else []))
    assert done.exit_code == 2, done.output
    assert "1 picture cannot be read" in done.output or "torn.png" in done.output


def test_evaluate_prints_json_alone_where_it_is_asked_to(run, make_folder) -> None:
    done = run("evaluate", make_folder(8, bright), "--split", "all", "--limit", 4, "--robustness", "--json", "-")
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert sum(map(len, content["robustness"].values())) == len(SWEEP)


def test_audit_says_what_leaks(run, make_folder, tmp_path) -> None:
    def by_quality(pixels, path, label) -> None:
        Image.fromarray(pixels).save(path.with_suffix(".jpg"), quality=95 if label == "ai" else 75)

    out = tmp_path / "audit.json"
    done = run("audit", make_folder(15, by_quality), "--json", out, "--report", tmp_path / "audit.html")
    assert done.exit_code == 0, done.output
    content = json.loads(out.read_text())
    assert content["leaks"] is True
    assert content["prepared"]["leaks"] is False
    assert "metadata – –" in " ".join(done.stdout.split()), "of what no picture has there is no figure"
    assert "The JPEG quality alone tells the classes apart" in " ".join(done.stdout.split())
    assert "Shortcuts found" in (tmp_path / "audit.html").read_text()


@pytest.mark.parametrize("command", ["audit", "evaluate"])
def test_a_set_that_cannot_be_used_is_one_line_and_status_2(run, tmp_path, command) -> None:
    done = run(command, tmp_path)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "expected subfolders real/ and ai/" in done.stderr


def test_leaving_sources_out_needs_a_recipe(run, make_folder, tmp_path) -> None:
    done = run("evaluate", make_folder(8, bright), "--leave-one-source-out")
    assert done.exit_code == 2
    assert "cannot be fitted again" in done.stderr
    with pytest.raises(DatasetError, match=r"started from first\.safetensors"):
        stated = {"config": {}, "weights": "first.safetensors"}
        retrained({"recipe": "fusion-xgboost", "training": stated}, tmp_path)
    with pytest.raises(DatasetError, match="no such file of weights"):
        retrained({"recipe": "fusion-xgboost", "training": stated}, tmp_path, weights=str(tmp_path / "gone.pth"))
    with pytest.raises(DatasetError, match="went on from default"):
        stated = {"config": {}, "extended": {"from": "default"}}
        retrained({"recipe": "fusion-xgboost", "training": stated}, tmp_path)
    (tmp_path / "network.safetensors").write_bytes(b"")  # it has learned from all old sources
    with pytest.raises(DatasetError, match="started from that of mine, which had learned from sources that would be"):
        adapted = {"strategy": "full", "from": "mine"}
        manifest = {"recipe": "cnn", "training": {"config": {}, "weights": "network.safetensors"}, "adapted": adapted}
        retrained(manifest, tmp_path, weights=str(tmp_path / "network.safetensors"))


def test_a_limit_does_not_reach_what_is_left_out_and_that_is_said(run, make_folder, tmp_path, monkeypatch) -> None:
    judged = []

    def left_out(samples, _fit, **_knobs):
        judged.append(len(samples))
        return SimpleNamespace(to_dict=lambda: {"rows": {}})

    monkeypatch.setattr("aiforensics.lab.evaluating.retrained", lambda *_, **__: object())
    monkeypatch.setattr("aiforensics.lab.evaluating.cuts", lambda *_, **__: (2, []))  # of so few pictures
    monkeypatch.setattr("aiforensics.lab.evaluating.leave_one_source_out", left_out)
    words = ("evaluate", make_folder(8, bright), "--split", "all", "--leave-one-source-out", "--work", tmp_path / "w")
    limited, whole = run(*words, "--limit", 4), run(*words)
    assert (limited.exit_code, judged) == (0, [32, 32]), limited.output
    line = "--limit does not reach what is trained and judged with sources left out"
    assert line in " ".join(limited.stderr.split())
    assert line not in " ".join(whole.stderr.split())


def test_what_cannot_be_left_out_is_told_before_anything_is_judged(run, make_folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("aiforensics.lab.evaluating.retrained", lambda *_, **__: object())
    monkeypatch.setattr("aiforensics.lab.evaluating.evaluate", lambda *_, **__: 1 / 0)
    words = ("--split", "all", "--leave-one-source-out", "--work", tmp_path / "w")
    root = make_folder(20, bright)
    (root / "ai/ai-one/one000.png").unlink(missing_ok=True)
    done = run("evaluate", root, *words)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert "needs two AI sources of 20 pictures and two real ones: there are 1 and 2" in " ".join(done.stderr.split())


def test_a_work_folder_in_use_is_told_before_anything_is_judged(run, make_folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("aiforensics.lab.evaluating.retrained", lambda *_, **__: object())
    monkeypatch.setattr("aiforensics.lab.evaluating.cuts", lambda *_, **__: (2, []))  # of so few pictures
    monkeypatch.setattr("aiforensics.lab.evaluating.evaluate", lambda *_, **__: 1 / 0)
    with alone(tmp_path / "w"):
        done = run(
            "evaluate", make_folder(8, bright), "--split", "all", "--leave-one-source-out", "--work", tmp_path / "w"
        )
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert f"another run works in {tmp_path / 'w'}" in done.stderr.replace("\n", " ")


@pytest.mark.train
def test_a_fusion_that_would_lack_sources_is_told_before_anything_is_judged() -> None:
    fusion = pytest.importorskip("aiforensics.lab.fit.fusion")
    kinds = [("ai", "gan", "stylegan3"), ("ai", "web", "flux"), ("real", "phone", ""), ("real", "press", "")]
    train = [Sample(Path(f"{s}{i}"), k, s, g, f"{s}{i}", "train") for k, s, g in kinds for i in range(3)]
    manifest = {"recipe": "fusion-deep", "training": {"config": {"folds": 4}}}
    check_cuts(manifest, [train])
    for gone in ("gan", "phone"):
        with pytest.raises(fusion.RecipeError, match="takes two AI generators and two real sources"):
            check_cuts(manifest, [train, [one for one in train if one.source != gone]])
    check_cuts({"recipe": "cnn"}, [train[:1]])


@pytest.mark.parametrize("named", [True, False])
def test_a_training_that_fails_loses_nothing_that_was_judged(run, make_folder, tmp_path, monkeypatch, named) -> None:
    def fail(*_, **__):
        raise DatasetError("the power is gone")

    monkeypatch.setattr("aiforensics.lab.evaluating.retrained", lambda *_, **__: object())
    monkeypatch.setattr("aiforensics.lab.evaluating.cuts", lambda *_, **__: (2, []))  # of so few pictures
    monkeypatch.setattr("aiforensics.lab.evaluating.leave_one_source_out", fail)
    metrics, page, work = tmp_path / "metrics.json", tmp_path / "page.html", tmp_path / "w"
    places = ("--json", metrics, "--report", page) if named else ("--json", "-")
    words = ("--split", "all", "--limit", 4, "--leave-one-source-out", "--work", work)
    done = run("evaluate", make_folder(8, bright), *words, *places)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert "the power is gone" in done.stderr
    kept = json.loads((metrics if named else work / "metrics.json").read_text())
    assert (kept["pictures"], kept["settings"]["split"]) == ({"judged": 4, "of": 32}, "all")
    assert page.exists() is named


@pytest.mark.train
def test_a_recipe_trained_again_of_an_adapted_head_fits_the_head_alone(monkeypatch, tmp_path) -> None:
    classifiers = pytest.importorskip("aiforensics.lab.fit.classifiers")
    trained = []

    def train_classifier(_samples, _out, _work, config, *, recipe, head_only, report) -> None:
        trained.append((recipe, head_only))
        raise KeyboardInterrupt

    monkeypatch.setattr(classifiers, "train_classifier", train_classifier)
    Image.new("RGB", (64, 64), "white").save(tmp_path / "a.png")
    samples = [Sample(tmp_path / "a.png", "ai", "s", "g", "a", "train")]
    for stated in ({"head_only": True}, {"head_only": False}, {}):
        with pytest.raises(KeyboardInterrupt):
            retrained({"recipe": "cnn", "training": {"config": {"network": "cnn", "side": 32}, **stated}}, tmp_path)(
                samples
            )
    assert trained == [("cnn", True), ("cnn", False), ("cnn", False)]


@pytest.mark.train
def test_a_recipe_trained_again_follows_the_recipe_once_for_each_training_set(monkeypatch, tmp_path) -> None:
    fusion = pytest.importorskip("aiforensics.lab.fit.fusion")
    monkeypatch.setattr(aiforensics.pipeline, "Scanner", Scanner)
    trained = []

    def train_fusion(samples, out, work, config, *, weights, report) -> None:
        trained.append((len(samples), config.head, config.network.seed, weights))
        out.mkdir(parents=True)
        (out / "bundle.json").write_text("{}")

    monkeypatch.setattr(fusion, "train_fusion", train_fusion)
    config = {"head": "deep", "network": {"seed": 5}}
    fit = retrained({"recipe": "fusion-deep", "training": {"config": config}}, tmp_path / "work")
    picture = tmp_path / "a.png"
    Image.new("RGB", (64, 64), "white").save(picture)
    samples = [Sample(picture, "ai", "s", "g", str(i), "train") for i in range(3)]
    said = fit(samples)(samples[:2], CONDITIONS[0])
    assert [p.verdict for p in said] == ["ai", "ai"]
    fit(samples)
    assert trained == [(3, "deep", 5, "none")]
    # Another recipe, other knobs, other weights: the bundle that is there is not theirs.
    retrained({"recipe": "fusion-xgboost", "training": {"config": config}}, tmp_path / "work")(samples)
    other = {"head": "deep", "network": {"seed": 6}}
    retrained({"recipe": "fusion-deep", "training": {"config": other}}, tmp_path / "work")(samples)
    first = tmp_path / "first.safetensors"
    for content in (b"one", b"two", b"two"):
        first.write_bytes(content)
        retrained({"recipe": "fusion-deep", "training": {"config": config}}, tmp_path / "work", weights=str(first))(
            samples
        )
    assert [seed for _, _, seed, _ in trained] == [5, 5, 6, 5, 5]
    assert [weights for *_, weights in trained] == ["none"] * 3 + [str(first)] * 2
