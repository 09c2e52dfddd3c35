"""Where bundles are built: nothing of the user's is removed there."""

import errno
import json
import os
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from aiforensics.lab import adapting, drafts, making
from aiforensics.lab import compare as comparing
from aiforensics.lab.compare import Contest, compare
from aiforensics.lab.data.alone import WorkError, alone
from aiforensics.lab.drafts import TrainingError, check_output, new_draft, publish
from aiforensics.lab.making import Job
from aiforensics.lab.systems import System
from aiforensics.lab.train.recipes import recipe, settings

pytestmark = pytest.mark.train
CLASSIFIER = {"head": {"kind": "none"}}


def test_a_draft_takes_the_place_of_a_draft_alone(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.txt").write_text("keep me")
    job = Job(tmp_path / "model", tmp_path)
    draft = new_draft(job.work, job.out)
    assert (tmp_path / "bundle" / "thesis.txt").exists()
    (draft / "network.onnx").write_bytes(b"half of a network")
    assert new_draft(job.work, job.out) == draft, "what a stopped run left is replaced"
    assert [path.name for path in draft.iterdir()] == ["bundle.json"]
    (draft / "bundle.json").unlink()
    (draft / "thesis.txt").write_text("keep me")
    with pytest.raises(TrainingError, match="holds no bundle: name another folder"):
        new_draft(job.work, job.out)
    assert (draft / "thesis.txt").exists()


def test_a_strangers_bundle_json_is_no_bundle(tmp_path):
    for content in ("{}", "[]", "no json"):
        (tmp_path / "bundle.json").write_text(content)
        with pytest.raises(TrainingError, match="holds no bundle"):
            check_output(tmp_path)
    (tmp_path / "bundle.json").write_text(json.dumps({"schema": "aiforensics.bundle/1"}))
    check_output(tmp_path)


def test_compare_refuses_a_recipes_folder_that_holds_something_else(tmp_path):
    mine = tmp_path / "cnn" / "bundle" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("keep me")
    contest = Contest([System(recipe("cnn"), settings(recipe("cnn")))])
    with pytest.raises(TrainingError, match="holds no bundle"):
        compare([], contest, Job(tmp_path, tmp_path))
    assert mine.exists()


def test_a_folder_in_which_another_run_works_is_refused(tmp_path, monkeypatch):
    """Train, adapt and compare begin with the lock: nothing is audited before, and nothing removed."""
    for module in (making, adapting):
        monkeypatch.setattr(module, "check_output", lambda _out: None)
    monkeypatch.setattr(adapting, "Bundle", SimpleNamespace(load=lambda _: SimpleNamespace(manifest=CLASSIFIER)))
    monkeypatch.setattr(adapting, "check_knobs", lambda *_, **__: None)
    monkeypatch.setattr(adapting, "held_out", lambda *_: {})
    for module in (making, adapting, comparing):
        monkeypatch.setattr(module, "check_data", lambda *_, **__: pytest.fail("the work began"))
    job = Job(tmp_path / "out", tmp_path / "work")
    with alone(job.work):
        for run in (
            lambda: making.make_bundle([], job, lambda *_: pytest.fail("the work began"), lambda *_: []),
            lambda: adapting.adapt("mine", [], None, adapting.Adaptation("head"), job),
            lambda: compare([], Contest([System(recipe("cnn"), settings(recipe("cnn")))]), job),
        ):
            with pytest.raises(WorkError, match="another run works in"):
                run()


def test_compare_keeps_an_audit_of_each_view(tmp_path, monkeypatch):
    names = []
    monkeypatch.setattr(comparing, "check_data", lambda *_, name: names.append(name))
    monkeypatch.setattr(System, "trainer", lambda *_: lambda *_: 1 / 0)
    augment = (("delivery",), (), ("delivery",))
    recipes = [recipe(name) for name in ("cnn", "resnet", "cbam-resnet")]
    systems = [System(one, settings(one, augment=how)) for one, how in zip(recipes, augment, strict=True)]
    with pytest.raises(ZeroDivisionError):
        compare([], Contest(systems), Job(tmp_path, tmp_path))
    assert sorted(names) == ["audit-delivered.json", "audit.json"]


def test_a_comparison_that_fails_leaves_the_bundle_of_an_earlier_one(tmp_path, monkeypatch):
    def stopped(draft, _work):
        assert draft != mine
        raise KeyboardInterrupt

    mine = tmp_path / "cnn" / "bundle"
    mine.mkdir(parents=True)
    (mine / "bundle.json").write_text(json.dumps({"schema": "aiforensics.bundle/1", "files": {"network.onnx": ""}}))
    (mine / "network.onnx").write_bytes(b"hours of training")
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    monkeypatch.setattr(comparing, "check_data", lambda *_, **__: None)
    monkeypatch.setattr(System, "trainer", lambda *_: stopped)
    contest = Contest([System(recipe("cnn"), settings(recipe("cnn")))])
    with pytest.raises(KeyboardInterrupt):
        compare([], contest, Job(tmp_path, tmp_path))
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before


def test_a_place_that_cannot_be_written_is_told_before_the_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("keep me")
    with pytest.raises(TrainingError, match=r"cannot be written \(Not a directory\): name another folder"):
        check_output(tmp_path / "file" / "mine")
    check_output(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists(), "a check leaves no folders"

    def read_only(**_place):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(drafts, "TemporaryFile", read_only)
    (tmp_path / "there").mkdir()
    with pytest.raises(TrainingError, match="Read-only file system"):
        check_output(tmp_path / "there")
    assert (tmp_path / "there").is_dir()


def test_a_bundle_that_cannot_be_published_is_said_to_lie_in_its_draft(tmp_path):
    draft = new_draft(tmp_path / "work", tmp_path / "mine")
    (tmp_path / "mine").write_text("a file that came in the meantime")
    with pytest.raises(TrainingError) as told:
        publish(draft, tmp_path / "mine")
    assert f"the finished bundle is in {draft}" in str(told.value)
    assert (draft / "bundle.json").exists()


def test_the_time_of_a_fusion_that_went_on_is_not_told_as_that_of_its_last_run(tmp_path, monkeypatch):
    def train(_draft, work):
        (work / "checkpoint").write_text("of the first network")
        return {"history": {}} | told

    told = {}
    judged = {"pictures": {"judged": 1}}
    nothing = ("check_data", "history_plot", "finish", "publish")
    for name in nothing:
        monkeypatch.setattr(comparing, name, lambda *_, **__: None)
    monkeypatch.setattr(comparing, "Bundle", SimpleNamespace(load=lambda _folder: None))
    monkeypatch.setattr(comparing, "_judged", lambda *_: (judged, 1.0, {}))
    monkeypatch.setattr(comparing, "_entry", lambda *_: dict(judged))
    monkeypatch.setattr(System, "trainer", lambda *_: train)
    contest = Contest([System(recipe("cnn"), settings(recipe("cnn")))])

    def seconds():
        return compare([], contest, Job(tmp_path, tmp_path))["entries"]["cnn"]["train_seconds"]

    assert 0 <= seconds() < 60
    assert seconds() is None
    told["seconds"] = 228.0  # a classifier counts those of its earlier runs
    assert seconds() == 228.0
