"""A finished bundle that learned something since says what, and is judged on pictures that it never learned from."""

import shutil
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from aiforensics.lab import amending  # noqa: E402
from aiforensics.lab.amending import Step, amend  # noqa: E402
from aiforensics.lab.data import overlap  # noqa: E402
from aiforensics.lab.data.dataset import load_dataset  # noqa: E402
from aiforensics.lab.data.splits import parse_shares  # noqa: E402
from aiforensics.lab.data.sums import sum_of  # noqa: E402
from aiforensics.lab.fit.classifiers import train_classifier  # noqa: E402
from aiforensics.lab.fit.extending import stated, stranger_folds  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError, recipe, settings  # noqa: E402
from aiforensics_models.bundle import Bundle, write_manifest  # noqa: E402
from aiforensics_models.lineage import ever  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture
def bundle(lattices, tmp_path):
    """A bundle of two sources a class, whose manifest passes for a fusion's and states how its data was split."""
    old = [sample for sample in lattices if sample.source[-1] in "01"]
    config = settings(recipe("cnn"), side=32, batch=8, epochs=1)
    train_classifier(old, tmp_path / "bundle", tmp_path / "work", config, recipe="cnn")
    manifest = dict(Bundle.load(tmp_path / "bundle").manifest)
    manifest["training"] |= {"split": {"seed": 7, "shares": "40/30/30"}}
    write_manifest(
        tmp_path / "bundle", {key: value for key, value in manifest.items() if key not in ("schema", "files")}
    )
    return Bundle.load(tmp_path / "bundle")


@pytest.fixture
def judged(monkeypatch):
    """The pictures that are judged, and no figures."""
    found = []

    def judge_test(pictures, *_args, **_knobs):
        found.extend(pictures)
        return {}

    monkeypatch.setattr(amending, "judge_test", judge_test)
    monkeypatch.setattr(amending, "state_figures", lambda *_: None)
    return found


def amended(bundle, learned, test, tmp_path):
    out = shutil.copytree(bundle.folder, tmp_path / "amended")
    amend(bundle, out, Step("met", "a script", learned, {}), test=test, work=tmp_path, report=lambda _line: None)
    return Bundle.load(out)


def test_what_it_learned_since_is_known_to_it(lattices, bundle, judged, make_folder, tmp_path):
    later = [replace(sample, split="test") for sample in lattices if sample.source[-1] == "2"]
    again = amended(bundle, later, make_folder(40), tmp_path)
    assert judged
    told = again.manifest["training"]["met"]
    assert (told["from"], told["command"], told["pictures"]) == (bundle.sha256, "a script", 16)
    assert told["learned"] == {"sources": {"ai": {"ai2": 8}, "real": {"real2": 8}}, "generators": {"gencx": 8}}
    assert overlap.seen(again) == overlap.seen(bundle) | {sum_of(one.path)[: overlap.DIGITS] for one in later}
    before, after = (ever(one.manifest["training"]) for one in (bundle, again))
    assert {label: set(names) for label, names in after["sources"].items()} == {
        label: {*names, f"{label}2"} for label, names in before["sources"].items()
    }
    going_on = stated(again, kept=True)
    assert ever({"sources": {}, **going_on})["sources"] == after["sources"]


def test_other_pictures_of_a_source_that_it_learned_since_are_no_strangers(
    lattices, bundle, judged, make_folder, tmp_path
):
    later = [sample for sample in lattices if sample.source[-1] == "2"]
    again = amended(bundle, later, make_folder(40), tmp_path)
    assert judged
    fusion = {**again.manifest, "head": {"kind": "xgboost"}}
    shutil.copyfile(
        bundle.folder / overlap.FILE, again.folder / overlap.FILE
    )  # as if these were others of its pictures
    with pytest.raises(RecipeError, match="there are 1 new AI and 1 new real ones"):
        stranger_folds(lattices, replace(again, manifest=fusion), 0)


def test_it_is_judged_on_the_split_that_its_bundle_has_drawn(lattices, bundle, judged, make_folder, tmp_path):
    folder = make_folder(40)
    amended(bundle, lattices[:1], folder, tmp_path)
    drawn = load_dataset(folder, seed=7, shares=parse_shares("40/30/30"), need=("test",))
    assert {one.path for one in judged} == {one.path for one in drawn if one.split == "test"}


def test_of_a_bundle_that_says_not_what_it_had_seen_the_amended_one_says_nothing(
    lattices, bundle, judged, make_folder, tmp_path
):
    (bundle.folder / overlap.FILE).unlink()
    manifest = {key: value for key, value in bundle.manifest.items() if key not in ("schema", "files")}
    write_manifest(bundle.folder, manifest)
    silent = Bundle.load(bundle.folder)
    assert overlap.seen(amended(silent, lattices[:4], make_folder(40), tmp_path)) is None
