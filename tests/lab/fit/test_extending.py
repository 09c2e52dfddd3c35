"""A fusion that goes on: new sources judge it, what it knew stays in its training, and its card tells of both."""

import json
import re
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from aiforensics.image import read  # noqa: E402
from aiforensics.lab.data.overlap import seen  # noqa: E402
from aiforensics.lab.data.views import CONDITIONS, seeded  # noqa: E402
from aiforensics.lab.fit.extending import BODY_RATE, extend_fusion, judged_by, stranger_folds  # noqa: E402
from aiforensics.lab.fit.fusion import train_fusion  # noqa: E402
from aiforensics.lab.fit.knobs import FusionConfig  # noqa: E402
from aiforensics.lab.judge.metrics import roc_auc  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError  # noqa: E402
from aiforensics.pipeline import Scanner  # noqa: E402
from aiforensics_models.bundle import Bundle, write_manifest  # noqa: E402


@pytest.fixture(scope="module")
def config(tiny):
    return FusionConfig("deep", folds=2, per_source=4, network=tiny, workers=1).shortened(2)


@pytest.fixture(scope="module")
def old(lattices):
    return [sample for sample in lattices if sample.source[-1] in "01"]


@pytest.fixture(scope="module")
def start(old, config, tmp_path_factory):
    """A bundle of two sources a class."""
    folder = tmp_path_factory.mktemp("start")
    train_fusion(old, folder / "first", folder / "work", config)
    return Bundle.load(folder / "first")


def test_the_sources_that_it_has_not_seen_are_dealt_whole(lattices, start):
    folds = stranger_folds(lattices, start, 0)
    by_source = {
        name: {fold for fold, sample in zip(folds.tolist(), lattices, strict=True) if sample.source == name}
        for name in {sample.source for sample in lattices}
    }
    assert all(by_source[name] == {-1} for name in ("ai0", "ai1", "real0", "real1"))
    assert by_source["ai2"] | by_source["ai3"] == by_source["real2"] | by_source["real3"] == {0, 1}
    renamed = [replace(s, source=f"{s.source}-again") if s.source == "ai0" else s for s in lattices]
    assert np.array_equal(stranger_folds(renamed, start, 0), folds), "its pictures were seen under another name"


def test_what_was_seen_two_bundles_ago_is_known(lattices, start):
    training = {**start.manifest["training"], "extended": {"sources": {"ai": {"ai2": 8}, "real": {}}}}
    later = replace(start, manifest={**start.manifest, "training": training})
    with pytest.raises(RecipeError, match="there are 1 new AI and 2 new real ones"):
        stranger_folds(lattices, later, 0)


def test_it_goes_on_and_is_judged_by_strangers(lattices, start, config, tmp_path):
    lines = []
    told = extend_fusion(lattices, start, tmp_path / "second", tmp_path / "work", config, report=lines.append)
    assert set(told["history"]) == {"without-0", "without-1"}
    new = [sample for sample in lattices if sample.source[-1] in "23"]
    assert told["out_of_fold"]["pictures"] == 4 * len({(s.label, s.source) for s in new})
    assert set(told["out_of_fold"]["false_alarms_by_real_source"]) == {"real2", "real3"}
    second = Bundle.load(tmp_path / "second")
    extended = second.manifest["training"]["extended"]
    assert (extended["from"], extended["sha256"]) == ("first", start.sha256)
    assert seen(second) >= seen(start)
    parts = [load_file(tmp_path / "work" / f"without-{fold}" / "network.safetensors") for fold in range(2)]
    mixed = load_file(second.folder / "network.safetensors")
    before = load_file(start.folder / "network.safetensors")
    for name in ("heads.weight", "backbone.blocks.3.body.0.0.weight"):
        assert torch.allclose(mixed[name], (parts[0][name] + parts[1][name]) / 2), name
        assert not torch.equal(mixed[name], before[name]), name
        assert torch.allclose(mixed[name], before[name], atol=0.1), "it goes on from the weights that it had"
    assert Scanner(second.folder).scan(lattices[0].path).model.name == "second"
    assert extended["kept"] is True
    assert second.manifest["training"]["config"]["network"]["free_rate"] == BODY_RATE
    before = second.manifest["metrics"]["out_of_fold"]["before"]
    assert before["from"] == "first"
    assert f"AUC {before['roc_auc']['fused']:.3f}" in lines[-1]
    assert f"AUC {told['out_of_fold']['roc_auc']['fused']:.3f}" in lines[-1]
    assert second.manifest["calibration"]["conditions"] == start.manifest["calibration"]["conditions"]
    assert second.calibration.ai_from >= start.calibration.ai_from
    assert (second.folder / "head.safetensors").read_bytes() == (start.folder / "head.safetensors").read_bytes()


def test_what_it_went_on_from_is_judged_as_it_scans(lattices, start, config, tmp_path):
    """Its figures on the new sources are those of scans of the delivered pictures."""
    new = [sample for sample in lattices if sample.source[-1] in "23"]
    before = judged_by(start, new, tmp_path, config, lambda _line: None)
    scanner, log_odds, labels = Scanner(start.folder), [], []
    for sample in new:
        pixels = np.asarray(read(sample.path).image)
        for view in CONDITIONS:
            data = view.file(pixels, seeded(f"{sample.key}/{view.name}"))
            log_odds.append(scanner.scan_bytes(data).p_ai)
            labels.append(sample.label == "ai")
    assert before["roc_auc"]["fused"] == pytest.approx(roc_auc(np.array(labels, float), np.array(log_odds)), abs=0.02)


def test_its_head_can_be_fitted_anew(lattices, start, config, tmp_path):
    extend_fusion(lattices, start, tmp_path / "second", tmp_path / "work", config, refit=True)
    second = Bundle.load(tmp_path / "second")
    assert second.manifest["training"]["extended"]["kept"] is False
    assert (second.folder / "head.safetensors").read_bytes() != (start.folder / "head.safetensors").read_bytes()
    assert second.manifest["head"]["mix"] != start.manifest["head"]["mix"]


def test_it_goes_on_with_a_longer_embedding(lattices, start, config, tmp_path):
    grown = replace(config, network=replace(config.network, architecture="tracenet-gram"))
    extend_fusion(lattices, start, tmp_path / "second", tmp_path / "work", grown)
    second = Bundle.load(tmp_path / "second")
    assert second.manifest["network"]["architecture"] == "tracenet-gram"
    before, after = (load_file(bundle.folder / "network.safetensors") for bundle in (start, second))
    new = len(after["centre"]) - len(before["centre"])
    assert new == 892
    assert torch.equal(after["scale"][new:], before["scale"])
    assert (after["scale"][:new] != 1).all(), "the new numbers are measured in units of the training pictures' spread"
    assert (after["heads.weight"][:, :new] != 0).any()
    finding = Scanner(second.folder).scan(lattices[0].path)
    assert 0 <= finding.p_ai <= 1


def test_what_cannot_be_extended_is_told(lattices, old, start, tmp_path):
    with pytest.raises(RecipeError, match="there are 0 new AI and 0 new real ones"):
        stranger_folds(old, start, 0)
    with pytest.raises(RecipeError, match="give the pictures that first was trained on as well, or it forgets them"):
        stranger_folds([sample for sample in lattices if sample not in old], start, 0)
    for change, why in (
        ({"head": {"kind": "none"}}, "first is a classifier, and only a fusion can be extended"),
        ({"training": {}}, "first does not state what it has seen"),
    ):
        other = replace(start, manifest={**start.manifest, **change})
        with pytest.raises(RecipeError, match=why):
            stranger_folds(lattices, other, 0)
    silent = tmp_path / "silent"
    shutil.copytree(start.folder, silent)
    (silent / "seen.bin").unlink()
    manifest = json.loads((silent / "bundle.json").read_text(encoding="utf-8"))
    write_manifest(silent, {key: value for key, value in manifest.items() if key not in ("schema", "files")})
    with pytest.raises(RecipeError, match="does not state what it has seen"):
        stranger_folds(lattices, Bundle.load(silent), 0)


@pytest.fixture
def later(lattices, start, tmp_path, monkeypatch):
    """Run a script on the first bundle, pictures of some sources, and a test set of all of them."""

    def listed(name, digits):
        rows = [f"{s.path},{s.label},{s.source},{s.group},test" for s in lattices if s.source[-1] in digits]
        (tmp_path / name).write_text("\n".join(["file,label,source,group,split", *rows]) + "\n")
        return str(tmp_path / name)

    def run(script, data, digits, out):
        path = Path(__file__).parents[3] / "models" / "training" / script
        words = [start.folder, listed(data, digits), "--test", listed("test.csv", "0123"), "--out", tmp_path / out]
        monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
        runpy.run_path(str(path), run_name="__main__")
        return Bundle.load(tmp_path / out)

    return run


UNCHANGED = ("network.onnx", "network.safetensors", "head.safetensors", "joint.safetensors")


def test_a_finished_bundle_gets_another_mix_from_sources_that_came_later(start, later, capsys):
    again = later("remix.py", "later.csv", "23", "again")
    assert set(again.manifest["head"]["mix"]) == {"embedding", "handcrafted", "joint", "offset"}
    assert again.manifest["head"]["mix"] != start.manifest["head"]["mix"]
    assert again.manifest["calibration"]["conditions"] == start.manifest["calibration"]["conditions"]
    assert again.calibration.ai_from >= start.calibration.ai_from
    told = again.manifest["training"]["remixed"]
    assert (told["pictures"], told["sources"]) == (32, {"ai": 2, "real": 2})
    assert told["learned"]["sources"] == {"ai": {"ai2": 8, "ai3": 8}, "real": {"real2": 8, "real3": 8}}
    assert seen(again) > seen(start)
    text = (again.folder / "CARD.md").read_text(encoding="utf-8")
    assert "The mix was then fitted once more, on 32 pictures of 2 AI and 2 real sources" in text
    assert "python models/training/remix.py first later --test test.csv --out again" in text
    assert all(again.manifest["files"][name] == start.manifest["files"][name] for name in UNCHANGED)
    with pytest.raises(SystemExit):
        later("remix.py", "known.csv", "01", "never")
    assert re.search(r"first has seen \d+ of these pictures", capsys.readouterr().err)


def test_a_finished_bundle_goes_on_and_gets_its_thresholds_from_sources_that_came_later(start, later, capsys):
    again = later("strangers.py", "later.csv", "0123", "again")
    assert re.search(r"32 of 64 pictures are left out: first has seen them", capsys.readouterr().err)
    was, now = (one.manifest["head"]["mix"] for one in (start, again))
    assert (now["embedding"], now["handcrafted"], now["offset"]) == (
        was["embedding"],
        was["handcrafted"],
        was["offset"],
    )
    assert now["joint"] == 1.0, "its old weight is in the perceptron's own"
    lines = (one.manifest["calibration"]["conditions"] for one in (again, start))
    assert next(lines) == next(lines)
    assert 0.0 <= again.calibration.real_below <= 0.5 <= again.calibration.ai_from <= 1.0
    found = again.manifest["metrics"]["out_of_fold"]
    assert (found["pictures"], again.manifest["training"]["strangers"]["sources"]) == (32, {"ai": 2, "real": 2})
    assert seen(again) > seen(start)
    text = (again.folder / "CARD.md").read_text(encoding="utf-8")
    assert "Each of 32 pictures of 2 AI and 2 real sources that came when the bundle was finished" in text
    assert "python models/training/strangers.py first later --test test.csv --out again" in text
    assert all(again.manifest["files"][name] == start.manifest["files"][name] for name in UNCHANGED[:3])
    assert again.manifest["files"]["joint.safetensors"] != start.manifest["files"]["joint.safetensors"]
    with pytest.raises(SystemExit):
        later("strangers.py", "known.csv", "01", "never")
    assert "pictures of both classes that the bundle has not seen" in capsys.readouterr().err
