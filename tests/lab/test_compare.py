"""Comparing systems: who is told apart from the first, what is said meanwhile, and a recipe that fails."""

import shutil
import weakref
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from aiforensics.lab import compare as comparing  # noqa: E402
from aiforensics.lab.compare import Contest, compare, write_comparison  # noqa: E402
from aiforensics.lab.judge.detector import Prediction  # noqa: E402
from aiforensics.lab.making import Job  # noqa: E402
from aiforensics.lab.systems import System  # noqa: E402
from aiforensics.lab.train.recipes import DivergedError, recipe, settings  # noqa: E402
from aiforensics_models.bundle import Bundle, write_manifest  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture
def rivals(made, tmp_path):
    """Folders of bundles of three names."""

    def build(name):
        folder = shutil.copytree(made[0] / "mine", tmp_path / name)
        stated = {k: v for k, v in Bundle.load(folder).manifest.items() if k not in ("schema", "files")}
        write_manifest(folder, {**stated, "name": name})
        return str(folder)

    return [build(name) for name in ("good", "alike", "poor")]


class Judge:
    """Knows the class by the name of the file, and is wrong of every `wrong`th picture."""

    def __init__(self, wrong, shift):
        self._wrong, self._shift = wrong, shift

    def score(self, picture):
        name = picture.path.rsplit("/", 1)[-1]
        number = int("".join(c for c in name if c.isdigit()))
        ai = name.startswith("ai") != (number % self._wrong == 0)
        return Prediction(0.5 + (0.3 if ai else -0.3) + number / 1000 + self._shift, "ai" if ai else "real")


def test_each_is_held_against_the_first_on_the_same_pictures(old, rivals, tmp_path, monkeypatch):
    judges = {"good": Judge(11, 0.0), "alike": Judge(10, 0.01), "poor": Judge(2, 0.0)}
    monkeypatch.setattr(comparing, "open_detector", lambda folder: judges[folder.name])
    lines = []
    content = compare(old, Contest([], rivals), Job(tmp_path, tmp_path), lines.append)
    names = [f"{name} (bundle)" for name in judges]
    assert [line.split(": ")[0] for line in lines if "judging: 100/100" in line] == names
    assert {line.split(": ")[0] for line in lines} == set(names), "every line says of whom"
    entries = content["entries"]
    assert "difference" not in entries["good (bundle)"]
    alike, poor = (entries[f"{name} (bundle)"]["difference"] for name in ("alike", "poor"))
    for name, one in (("alike", alike), ("poor", poor)):
        gap = entries[f"{name} (bundle)"]["roc_auc"] - entries["good (bundle)"]["roc_auc"]
        assert (one["from"], one["pictures"], one["of"]) == ("good (bundle)", 20, 20)
        assert one["roc_auc"] == pytest.approx(gap, abs=1e-5)
    assert alike["interval"][0] < 0 <= alike["interval"][1]
    assert alike["says"] == "not told apart from good (bundle) by these pictures"
    assert poor["interval"][1] < 0
    assert poor["says"] == "below good (bundle)"
    write_comparison(content, tmp_path)
    page = (tmp_path / "comparison.html").read_text()
    assert "That it is better than alike (bundle) is not shown" in page
    assert "Who is told apart from good (bundle)" in page


@pytest.fixture
def contest(monkeypatch, tmp_path):
    """(errors by recipe) → a comparison of `cnn`, `resnet` and `cbam-resnet` in which these recipes raise them."""

    def trainer(system, _samples, name, _report):
        def train(_draft, _work):
            if name in errors:
                raise errors[name]
            return {"history": {}}

        return train

    def run(found):
        errors.update(found)
        systems = [System(recipe(name), settings(recipe(name))) for name in ("cnn", "resnet", "cbam-resnet")]
        return compare([], Contest(systems), Job(tmp_path, tmp_path), lines.append)

    errors, lines = {}, []
    for name in ("check_data", "history_plot", "finish", "publish", "_hold_against_leader"):
        monkeypatch.setattr(comparing, name, lambda *_, **__: None)
    monkeypatch.setattr(comparing, "Bundle", SimpleNamespace(load=lambda _folder: None))
    monkeypatch.setattr(comparing, "_judged", lambda *_: ({}, 1.0, {}))
    monkeypatch.setattr(comparing, "_entry", lambda *_: {"pictures": {"judged": 20}})
    monkeypatch.setattr(System, "trainer", trainer)
    run.lines = lines
    return run


def test_a_recipe_that_fails_costs_the_others_nothing(contest, tmp_path):
    errors = {"cnn": DivergedError("the training diverged\n in pass 2"), "resnet": RuntimeError("CUDA out of memory")}
    content = contest(errors)
    assert list(content["entries"]) == ["cbam-resnet"]
    told = {"cnn": "the training diverged in pass 2", "resnet": "RuntimeError: CUDA out of memory"}
    assert content["failed"] == told
    assert [line for line in contest.lines if "failed" in line] == [f"{k}: failed: {v}" for k, v in told.items()]
    traces = (tmp_path / "failures.txt").read_text()
    assert traces.count("Traceback") == 2
    assert "raise errors[name]" in traces
    assert contest({"cnn": MemoryError()})["failed"]["cnn"] == "MemoryError"


def test_what_failed_holds_no_memory_while_the_others_train(contest, monkeypatch):
    class Network:
        pass

    def judge(*_):
        alive.append([one() is not None for one in held])
        network = Network()
        held.append(weakref.ref(network))
        if len(held) == 1:
            raise MemoryError
        return {}, 1.0, {}

    held, alive = [], []
    monkeypatch.setattr(comparing, "_judged", judge)
    assert set(contest({})["failed"]) == {"cnn"}
    assert alive[1] == [False]


def test_a_comparison_of_which_nothing_is_left_says_what_the_first_met(contest, tmp_path):
    names = ("cnn", "resnet", "cbam-resnet")
    with pytest.raises(DivergedError, match="of cnn"):
        contest({name: DivergedError(f"of {name}") for name in names})
    with pytest.raises(KeyboardInterrupt):
        contest({"resnet": KeyboardInterrupt()})
