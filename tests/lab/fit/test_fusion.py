"""The fusion recipes, end to end on pictures that the tests make: networks, features, stack, bundle."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from aiforensics.lab.data.dataset import Sample

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")

from aiforensics.image import read  # noqa: E402
from aiforensics.lab.data.overlap import seen  # noqa: E402
from aiforensics.lab.fit import fusion  # noqa: E402
from aiforensics.lab.fit.fusion import train_fusion  # noqa: E402
from aiforensics.lab.fit.knobs import FusionConfig  # noqa: E402
from aiforensics.lab.train.cycles import FinetuneConfig, cycles_of  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError  # noqa: E402
from aiforensics.pipeline import Scanner  # noqa: E402
from aiforensics_models.bundle import Bundle  # noqa: E402


@pytest.fixture(scope="module")
def samples(lattices):
    return lattices


def test_knobs_of_a_later_version_are_left_out():
    stated = {**asdict(FusionConfig(folds=3)), "later": 1}
    stated["network"] = {**stated["network"], "steps": 7, "later": 1}
    assert FusionConfig.stated(stated) == FusionConfig(folds=3, network=FinetuneConfig(steps=7))


def test_too_few_sources_for_a_fusion_are_told_before_anything_is_trained(samples, tmp_path, tiny):
    config = FusionConfig(network=tiny, workers=1).shortened(2)
    plain = [replace(s, source=s.label, generator="") for s in samples]
    with pytest.raises(RecipeError, match=r"there are 1 and 1; add sources .*such as cnn"):
        train_fusion(plain, tmp_path / "bundle", tmp_path / "work", config)
    assert not (tmp_path / "work").exists()
    # Two sources a class, and all real pictures of `val` in one of them: the fold without it cannot be looked at.
    two = [s for s in samples if s.source[-1] in "01" and not (s.source == "real1" and s.split == "val")]
    with pytest.raises(RecipeError, match=r"without real:real0 the split val has no real picture: add sources"):
        train_fusion(two, tmp_path / "bundle", tmp_path / "work", config)
    assert not list((tmp_path / "work").glob("fold-*"))


@pytest.mark.parametrize(("ai", "real", "wanted", "count"), [(5, 3, 4, 3), (2, 6, 4, 2), (9, 9, 4, 4)])
def test_no_more_folds_than_the_smaller_class_has_families(ai, real, wanted, count):
    names = "abcdefghi"
    found = [Sample(Path("x"), "ai", name, name, f"ai-{name}", "train") for name in names[:ai]]
    found += [Sample(Path("x"), "real", name, "", f"real-{name}", "train") for name in names[:real]]
    assert fusion.fold_count(found, wanted) == count


def test_a_fusion_of_few_sources_takes_fewer_folds(samples, tmp_path, monkeypatch, tiny):
    asked = []
    monkeypatch.setattr(fusion, "train_networks", lambda jobs, *_: asked.append([j.name for j in jobs]) or 1 / 0)
    config = FusionConfig(network=tiny, workers=1)
    for sources in ("0123", "012", "01"):  # a run that goes on with fewer sources keeps the folds that they have
        few = [s for s in samples if s.source[-1] in sources]
        with pytest.raises(ZeroDivisionError):
            train_fusion(few, tmp_path / "bundle", tmp_path / sources, config)
        with pytest.raises(ZeroDivisionError):
            train_fusion(few, tmp_path / "bundle", tmp_path / "0123", config)
    assert [len(names) - 1 for names in asked[::2]] == [4, 3, 2]
    known = json.loads((tmp_path / "0123" / "folds.json").read_text())
    assert len(asked[-1]) - 1 == 1 + max(known[name] for name in ("real:real0", "real:real1", "ai:genax", "ai:genbx"))


@pytest.mark.parametrize(("head", "architecture"), [("xgboost", "mobilenet_v3_small"), ("deep", "tracenet")])
def test_a_fusion_bundle_scans(samples, tmp_path, head, architecture, tiny):
    source = samples[0].source
    network = replace(tiny, architecture=architecture, emphasis={f"{samples[0].label}/{source}": 3.0})
    config = FusionConfig(head, folds=2, per_source=4, network=network, workers=1).shortened(2)
    told = train_fusion(samples, tmp_path / "bundle", tmp_path / "work", config)
    assert set(told["history"]) == {"fold-0", "fold-1", "final"}
    assert {"handcrafted", "deep", "fused"} == set(told["out_of_fold"]["roc_auc"])
    if head == "deep":  # the trees want more rows than these before they split
        assert told["out_of_fold"]["roc_auc"]["handcrafted"] > 0.8, "a lattice is easy to see"
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.manifest["head"]["kind"] == head
    assert len(seen(bundle) or ()) == sum(sample.split != "test" for sample in samples)
    assert bundle.reference is not None
    stated = json.loads(json.dumps(bundle.manifest))["training"]["config"]["network"]
    assert FinetuneConfig(**stated).emphasis == network.emphasis, "a bundle states what it was fitted with"
    assert set(json.loads((tmp_path / "work" / "folds.json").read_text()).values()) == {0, 1}
    finding = Scanner(tmp_path / "bundle").scan(samples[0].path)
    assert finding.model.name == "bundle"
    assert finding.reasons
    pytest.importorskip("pytorch_grad_cam")
    from aiforensics_models.gradcam import GradCam

    assert np.isfinite(GradCam(bundle)(read(samples[0].path).windows[0].pixels)).all()


def test_fewer_steps_hold_for_every_cycle():
    config = FusionConfig(network=FinetuneConfig(free_steps=16200)).shortened(10)
    assert [cycle.steps for cycle in cycles_of(config.network)] == [10, 10, 10]
    assert [cycle.steps for cycle in cycles_of(FusionConfig().shortened(10).network)] == [10, 10], "no cycle comes"
