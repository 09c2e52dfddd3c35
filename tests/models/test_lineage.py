"""What a bundle says that it ever learned from, and that the one that ships says it of every list."""

import csv
import runpy
import sys
from pathlib import Path

import pytest

from aiforensics_models.bundle import Bundle
from aiforensics_models.lineage import ever, handed_on, steps

LISTS = Path(__file__).parents[2] / "models" / "training"
STEP = {"from": "f" * 64, "learned": {"sources": {"ai": {"web": 2}, "real": {"phone": 1}}, "generators": {"flux": 2}}}


def test_what_a_finished_bundle_learned_counts_as_known():
    training = {"config": {}, "sources": {"ai": {"web": 3}}, "generators": {"dalle": 3}, "remixed": STEP}
    assert ever(training)["sources"] == {"ai": {"web": 5}, "real": {"phone": 1}}
    assert ever(training)["generators"] == {"dalle": 3, "flux": 2}
    assert ever({"config": {}}) == {"config": {}}
    assert "sources" not in ever({"extended": {"from": "older"}}), "what is not stated is not taken for nothing"


@pytest.mark.parametrize("how", ["extended", "adapted"])
def test_it_is_known_to_what_goes_on_from_that_bundle(how):
    before = {"config": {}, "command": "train", "sources": {"ai": {"web": 3}}, "met": STEP, "remixed": {"from": "e"}}
    assert list(handed_on(before)) == ["command", "sources", "met", "remixed"]
    later = {"sources": {"ai": {"new": 4}, "real": {}}, how: {"from": "first", **handed_on(before)}}
    assert ever(later)["sources"] == {"ai": {"new": 4, "web": 5}, "real": {"phone": 1}}
    again = {"sources": {"ai": {"web": 9}}, "extended": {"from": "second", **handed_on(later)}}
    assert ever(again)["sources"] == {"ai": {"new": 4, "web": 9}, "real": {"phone": 1}}


def test_the_shipped_bundle_knows_every_source_of_the_lists_that_it_learned_from():
    training = Bundle.load("default").manifest["training"]
    known = ever(training)["sources"]
    for name in ("pictures", "reduced", "extension", "whole", "latest", "strangers", "strangers-whole"):
        for row in csv.DictReader((LISTS / f"{name}.csv").read_text(encoding="utf-8").splitlines()):
            assert row["source"] in known[row["label"]], name
    for step in steps(training).values():
        assert step["sources"] == {label: len(names) for label, names in step["learned"]["sources"].items()}
        assert step["pictures"] == sum(sum(names.values()) for names in step["learned"]["sources"].values())
    assert max(training["remixed"]["learned"]["sources"]["ai"].values()) == 8, "as `remix.py` takes of each source"


@pytest.mark.train
def test_the_steps_of_the_shipped_bundle_are_those_of_the_lists(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(sys, "argv", ["restate.py", "default", "--out", str(tmp_path / "again")])
    runpy.run_path(str(LISTS / "restate.py"), run_name="__main__")
    assert Bundle.load(tmp_path / "again").sha256 == Bundle.load("default").sha256
