"""What a bundle goes on with: old pictures stay in the splits of its training, whatever stands beside them."""

import hashlib
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import DatasetError, load_dataset
from aiforensics.lab.data.splits import parse_shares
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.growing import load_grown
from aiforensics_models.bundle import Bundle


@pytest.fixture
def sets(make_folder, tmp_path):
    """An old set of `ai-two` and `real-two`, and a new one whose sources come before these in every order."""
    old, new = make_folder(50), tmp_path / "new"
    for label in ("real", "ai"):
        (new / label).mkdir(parents=True)
        shutil.move(old / label / f"{label}-one", new / label / "another")
    return old, new


@pytest.fixture
def start(sets, tmp_path):
    """A bundle that was trained on the old set with a seed of its own."""
    samples = load_dataset(sets[0], seed=3, shares=parse_shares("60/20/20"))
    overlap.record(tmp_path, samples)
    names = {"ai": {"ai-two": 50}, "real": {"real-two": 50}}
    training = {"sources": names, "split": {"seed": 3, "shares": "60/20/20"}}
    files = {overlap.FILE: hashlib.sha256((tmp_path / overlap.FILE).read_bytes()).hexdigest()}
    return Bundle(tmp_path, {"name": "first", "files": files, "training": training}, "0" * 64)


def by_name(samples):
    return {f"{one.source}/{one.path.name}": one.split for one in samples}


def test_old_pictures_keep_the_splits_that_they_were_learned_in(sets, start):
    lines = []
    samples, seed, split = load_grown(sets, start, seed=0, split="70/15/15", report=lines.append)
    assert (seed, split, lines) == (3, "60/20/20", [])
    learned = by_name(load_dataset(sets[0], seed=3, shares=parse_shares("60/20/20")))
    assert learned.items() <= by_name(samples).items()
    assert Counter(one.split for one in samples if one.source == "another") == {"train": 60, "val": 20, "test": 20}


def test_what_it_learned_from_is_never_tested_where_its_draw_cannot_be_found_again(sets, start):
    for path in sorted(sets[0].rglob("*.png"))[::9]:
        path.unlink()  # the others are drawn otherwise now
    seen, lines = overlap.seen(start), []
    samples, *_ = load_grown(sets, start, seed=0, split="70/15/15", report=lines.append)
    known = [one for one in samples if sum_of(one.path)[: overlap.DIGITS] in seen]
    assert known
    assert {one.split for one in known} == {"train"}
    assert "are known to first: whatever it learned from stays in train" in lines[-1]
    overlap.record(start.folder, [replace(one, split="train") for one in samples if one.label == "ai"])
    with pytest.raises(DatasetError, match="no ai test picture is left that first has not learned from"):
        load_grown(sets, start, seed=0, split="70/15/15")


def test_other_shares_than_its_own_are_refused(sets, start):
    with pytest.raises(DatasetError, match="was trained on splits of 60/20/20, which stay: leave --split out"):
        load_grown(sets, start, seed=0, split="80/20")
    start.manifest["training"].pop("split")
    assert load_grown(sets, start, seed=5, split="80/20")[1:] == (5, "80/20")
