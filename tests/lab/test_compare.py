"""Comparing systems: who is told apart from the first, what is said meanwhile, and a recipe that fails."""

import shutil

import pytest

torch = pytest.importorskip("torch")

from aiforensics.lab import compare as comparing  # noqa: E402
from aiforensics.lab.compare import Contest, compare, write_comparison  # noqa: E402
from aiforensics.lab.judge.detector import Prediction  # noqa: E402
from aiforensics.lab.making import Job  # noqa: E402
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
