"""What a bundle says that it ever learned from, and that the one that ships says it of every list."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import Sample
from aiforensics_models.bundle import Bundle
from aiforensics_models.lineage import ever, handed_on, steps

LISTS = Path(__file__).parents[2] / "models" / "training"
STEP = {"from": "f" * 64, "learned": {"sources": {"ai": {"web": 2}, "real": {"phone": 1}}, "generators": {"flux": 2}}}


def listed(name):
    return list(csv.DictReader((LISTS / f"{name}.csv").read_text(encoding="utf-8").splitlines()))


def test_what_a_finished_bundle_learned_counts_as_known():
    training = {"config": {}, "sources": {"ai": {"web": 3}}, "generators": {"dalle": 3}, "remixed": STEP}
    assert ever(training)["sources"] == {"ai": {"web": 5}, "real": {"phone": 1}}
    assert ever(training)["generators"] == {"dalle": 3, "flux": 2}
    assert ever({"config": {}}) == {"config": {}}
    assert "sources" not in ever({"extended": {"from": "older"}}), "what is not stated is not taken for nothing"


@pytest.mark.parametrize("how", ["extended", "adapted"])
def test_it_is_known_to_what_goes_on_from_that_bundle(how):
    before = {"config": {}, "command": "train", "sources": {"ai": {"web": 3}}, "met": STEP}
    assert list(handed_on(before)) == ["command", "sources", "met"]
    later = {"sources": {"ai": {"new": 4}, "real": {}}, how: {"from": "first", **handed_on(before)}}
    assert ever(later)["sources"] == {"ai": {"new": 4, "web": 5}, "real": {"phone": 1}}
    again = {"sources": {"ai": {"web": 9}}, "extended": {"from": "second", **handed_on(later)}}
    assert ever(again)["sources"] == {"ai": {"new": 4, "web": 9}, "real": {"phone": 1}}


def test_the_shipped_bundle_knows_every_source_of_the_lists_that_it_learned_from():
    training = Bundle.load("default").manifest["training"]
    known = ever(training)["sources"]
    for name in ("pictures", "reduced", "extension", "whole", "latest", "strangers", "strangers-whole"):
        for row in listed(name):
            assert row["source"] in known[row["label"]], name
    for step in steps(training).values():
        assert step["sources"] == {label: len(names) for label, names in step["learned"]["sources"].items()}
        assert step["pictures"] == sum(sum(names.values()) for names in step["learned"]["sources"].values())
    assert max(training["remixed"]["learned"]["sources"]["ai"].values()) == 8, "as `remix.py` takes of each source"


@pytest.mark.train
def test_the_steps_of_the_shipped_bundle_are_those_of_the_lists():
    """`strangers.py` was given all of its lists; `remix.py` what the bundle has seen of `latest` and is in no other."""
    pytest.importorskip("torch")
    from aiforensics.lab.amending import census_of

    bundle = Bundle.load("default")
    strangers, seen = [*listed("strangers"), *listed("strangers-whole")], overlap.seen(bundle)
    later = {row.get("window_sha256_16") for row in strangers}
    mix = [row for row in listed("latest") if row["window_sha256_16"][: overlap.DIGITS] in seen]
    given = {"remixed": [row for row in mix if row["window_sha256_16"] not in later], "strangers": strangers}
    for name, rows in given.items():
        samples = [Sample(Path(), row["label"], row["source"], row["generator"], "", "train") for row in rows]
        stated = bundle.manifest["training"][name]
        assert census_of(samples) == {key: stated[key] for key in ("pictures", "sources", "learned")}


@pytest.mark.train
def test_the_shipped_card_is_written_from_manifest_and_metrics(tmp_path):
    pytest.importorskip("torch")
    from aiforensics.lab.making import METRICS, state_figures

    bundle = Bundle.load("default")
    for name in bundle.manifest["files"]:
        shutil.copyfile(bundle.folder / name, tmp_path / name)
    state_figures(tmp_path, bundle.manifest, json.loads((tmp_path / METRICS).read_text(encoding="utf-8")))
    assert Bundle.load(tmp_path).sha256 == bundle.sha256
