"""The search for a learning rate and a batch size."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aiforensics.lab.fit.classifiers import scores, train_classifier  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError, recipe  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def samples(bright):
    return bright


def test_search_finds_a_pair_and_writes_every_trial(samples, tmp_path, small):
    pytest.importorskip("optuna")
    from aiforensics.lab.fit.search import BATCHES, search

    found = search(samples, tmp_path, small("cnn", epochs=1), 2)
    kept = json.loads((tmp_path / "search.json").read_text())
    assert len(kept["trials"]) == 2
    assert found.rate == kept["best"]["rate"]
    assert found.batch in BATCHES


def test_a_training_that_diverges_is_one_line_and_ends_no_search(samples, tmp_path, monkeypatch, small):
    pytest.importorskip("optuna")
    from aiforensics.lab.compare import sensitivity
    from aiforensics.lab.fit import classifiers
    from aiforensics.lab.fit.search import search
    from aiforensics.lab.systems import System

    def log_odds(learner, pictures):
        return np.full(len(pictures), np.nan) if learner._rate > limit else scores(learner, pictures)

    limit, config, lines = 5e-4, small("cnn", rate=1e-3), []
    monkeypatch.setattr(classifiers, "scores", log_odds)
    with pytest.raises(RecipeError, match=r"at rate 0.001 diverged in pass 1: give a smaller --rate"):
        train_classifier(samples, tmp_path / "bundle", tmp_path / "work", config, recipe="cnn")
    search(samples, tmp_path / "search", config, 4)
    states = {one["state"] for one in json.loads((tmp_path / "search" / "search.json").read_text())["trials"]}
    assert states == {"complete", "pruned"}
    rows = sensitivity(samples, System(recipe("cnn"), config), tmp_path / "rates", lines.append)
    assert [row["rate"] for row in rows] == pytest.approx([1e-4, 3e-4])
    assert sum("diverged and is left out" in line for line in lines) == 2
    limit = 0.0
    with pytest.raises(RecipeError, match="each of the 2 trials of the search diverged: give --search more"):
        search(samples, tmp_path / "again", config, 2)


def test_a_search_that_is_done_again_finds_the_same(samples, tmp_path, small):
    pytest.importorskip("optuna")
    from aiforensics.lab.fit.search import search

    lines = []
    config = small("scratch-cnn-numpy", epochs=3)
    found = [search(samples, tmp_path, config, 8, report=lines.append)]
    first = (tmp_path / "search.json").read_text()
    pruned = [trial["number"] for trial in json.loads(first)["trials"] if trial["state"] == "pruned"]
    assert pruned, "this seed has hopeless trials"
    for number in pruned:
        assert sum(line.startswith(f"trial {number}: ") and "stopped as hopeless" in line for line in lines) == 1
    (tmp_path / "search.json").unlink()
    shutil.rmtree(tmp_path / "trial-7")  # as an interruption leaves it
    found.append(search(samples, tmp_path, config, 8))
    assert found[0] == found[1]
    assert (tmp_path / "search.json").read_text() == first
