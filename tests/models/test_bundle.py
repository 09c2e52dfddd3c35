"""Bundles: every file is checked, and what is wrong is said in one line."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from aiforensics_models.bundle import MANIFEST, Bundle, BundleError, available, write_manifest
from aiforensics_models.runtime import NetworkOutput

from .conftest import TOY


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "network.onnx").write_bytes(b"not a network, but bytes have a sum")
    write_manifest(tmp_path, TOY)
    return tmp_path


def test_a_bundle_loads_by_its_folder(folder):
    bundle = Bundle.load(folder)
    assert (bundle.name, bundle.version, bundle.features) == ("toy", "1", ("embedding.log_odds",))
    assert bundle.calibration.ai_from == 0.7
    assert bundle.reference is None
    assert len(bundle.sha256) == 64


def test_a_changed_file_is_refused(folder):
    (folder / "network.onnx").write_bytes(b"something else")
    with pytest.raises(BundleError, match="do not use it"):
        Bundle.load(folder)


def test_a_lost_file_is_refused(folder):
    (folder / "network.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks its file network\.onnx"):
        Bundle.load(folder)


@pytest.mark.parametrize("name", ["../network.onnx", "/etc/passwd", "sub/network.onnx"])
def test_a_file_outside_the_folder_is_refused(folder, name):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="outside its folder"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"files": []}, "files is a list"),
        ({"files": {}}, "network.onnx has no sha256"),
        ({"files": {"network.onnx": 7}}, "a sum that is no text"),
        ({"name": None}, "name is a NoneType"),
        ({"window": True}, "window is a bool"),
        ({"features": [1]}, "not words"),
        ({"edition": True}, "edition is True: it is a whole number"),
        ({"edition": "4"}, "edition is '4': it is a whole number"),
        *(({"window": side}, f"window is {side}: it is a whole number") for side in (0, -1, 20000)),
        ({"network": {"onnx": "network.onnx", "input": "resize"}}, "network.side is missing"),
        *(
            ({"network": {"onnx": "network.onnx", key: value}}, f"network.{key} is {value!r}: it is a whole number")
            for key in ("side", "members", "filters")
            for value in (0, 30000, "32", True)
        ),
        ({"training": []}, "training is no table"),
        *(({"training": {key: [1]}}, f"training.{key} is no table") for key in ("config", "sources", "split")),
        ({"training": {"split": {"seed": None, "shares": "70/15/15"}}}, "training.split lacks its seed"),
        ({"training": {"split": {"seed": 0}}}, "or its shares, a text"),
        ({"classes": ["ai", "real"]}, "classes is ['ai', 'real']"),
        ({"network": {}}, "network.onnx is missing"),
        ({"network": {"onnx": 1}}, "network.onnx is missing"),
        ({"network": {"onnx": "../evil.onnx"}}, "outside its folder"),
        ({"network": {"onnx": "network.onnx", "weights": "/etc/passwd"}}, "outside its folder"),
        ({"network": {"onnx": "network.onnx", "weights": "unlisted"}}, "unlisted has no sha256"),
        ({"head": {}}, "head.kind is missing"),
        ({"head": {"kind": "xgboost"}}, "outside its folder: None"),
        ({"head": {"kind": "xgboost", "file": "../evil.ubj"}}, "outside its folder"),
        ({"head": {"kind": "deep", "file": ".."}}, "outside its folder"),
        ({"head": {"kind": "deep", "file": "head.ubj"}}, "head.ubj has no sha256"),
        ({"reference": []}, "reference lacks usual"),
        *(({"reference": {"usual": usual, "file": "r"}}, "above 0") for usual in (float("nan"), float("inf"), 0, -1)),
        ({"reference": {"usual": True, "file": "r"}}, "reference lacks usual"),
        ({"reference": {"usual": 1.0, "file": "r"}}, "r has no sha256"),
        ({"enlargement": []}, "enlargement lacks from"),
        ({"enlargement": {"from": True, "file": "e"}}, "enlargement lacks from"),
        ({"enlargement": {"from": 0.5, "file": "e"}}, "enlargement.from is 0.5: it is a factor, 1 or more"),
        ({"enlargement": {"from": float("nan"), "file": "e"}}, "it is a factor"),
        ({"enlargement": {"from": 1.3, "file": "e"}}, "e has no sha256"),
        ({"enlargement": {"from": 1.3, "file": "../e"}}, "outside its folder"),
        ({"name": "\x1b[31mred"}, "control signs"),
        ({"version": "1\n2"}, "control signs"),
        ({"features": ["a.b", "embedding.log_odds", "a.b"]}, "features names 'a.b' twice"),
        ({"calibration": {}}, "KeyError: 'conditions'"),
        ({"calibration": {"conditions": {}, "real_below": 0.1, "ai_from": 0.9}}, "condition good"),
        ({"calibration": {"conditions": [], "real_below": 0.1, "ai_from": 0.9}}, "AttributeError"),
    ],
)
def test_a_part_that_cannot_be_trusted_is_one_line(folder, change, line):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **change}))
    (folder.parent / "evil.ubj").write_bytes(b"outside")
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("low", "high"), [(0.7, 0.3), (-0.1, 0.5), (0.5, 1.1), (float("nan"), 0.5), (0.1, float("inf")), (2.0, -1.0)]
)
def test_thresholds_are_probabilities_in_order(folder, low, high):
    manifest = json.loads((folder / MANIFEST).read_text())
    for limits, sound in (((low, high), False), ((0.0, 1.0), True), ((0.5, 0.5), True)):
        manifest["calibration"] |= dict(zip(("real_below", "ai_from"), limits, strict=True))
        (folder / MANIFEST).write_text(json.dumps(manifest))
        if sound:
            Bundle.load(folder)
        else:
            with pytest.raises(BundleError, match="calibration needs 0 <= real_below"):
                Bundle.load(folder)


def test_a_head_that_answers_with_no_number_is_not_passed(folder, monkeypatch):
    mix = {"embedding": 1.0, "handcrafted": float("nan"), "offset": 0.0}
    tree = {
        **{"left_children": [-1], "right_children": [-1], "split_indices": [0]},
        **{"split_conditions": [0.5], "sum_hessian": [1.0]},
    }
    learner = {
        "objective": {"name": "binary:logistic"},
        "learner_model_param": {"base_score": "0.5"},
        "gradient_booster": {"model": {"trees": [tree]}},
    }
    (folder / "head.json").write_text(json.dumps({"learner": learner}))
    silent = NetworkOutput(np.zeros(1), np.zeros(2, np.float32), np.zeros((1, 1), np.float32))
    monkeypatch.setattr(Bundle, "network", lambda *_: lambda _pixels: silent)
    for weight, sound in ((1.0, True), (float("nan"), False)):
        head = {"kind": "xgboost", "file": "head.json", "mix": {**mix, "handcrafted": weight}}
        write_manifest(folder, {**TOY, "features": ["embedding.log_odds", "a.b"], "head": head})
        if sound:
            Bundle.load(folder).try_out()
        else:
            with pytest.raises(BundleError, match="what is no number"):
                Bundle.load(folder).try_out()


def test_calibration_holds_numbers(folder):
    text = (folder / MANIFEST).read_text()
    assert '"slope": 1.0' in text
    (folder / MANIFEST).write_text(text.replace('"slope": 1.0', '"slope": NaN'))
    with pytest.raises(BundleError, match="no number"):
        Bundle.load(folder)


def test_parts_that_cannot_be_opened_are_one_line(folder):
    bundle = Bundle.load(folder)
    for attempt in (bundle.network, bundle.try_out):
        with pytest.raises(BundleError, match="the network of the bundle") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    (folder / "head.ubj").write_bytes(b"no trees")
    (folder / "reference.safetensors").write_bytes(b"no tensors")
    parts = {
        "head": {"kind": "xgboost", "file": "head.ubj"},
        "reference": {"file": "reference.safetensors", "usual": 1},
    }
    write_manifest(folder, {**TOY, **parts})
    bundle = Bundle.load(folder)
    with pytest.raises(BundleError, match="the head of the bundle"):
        _ = bundle.head
    with pytest.raises(BundleError, match="the reference of the bundle"):
        _ = bundle.reference


@pytest.mark.parametrize("text", ["[" * 100_000, "", "{", "[]", '{"schema": "something/9"}', '"x"'])
def test_a_malformed_manifest_is_one_line(folder, text):
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["network", "calibration", "files", "features"])
def test_a_manifest_that_lacks_a_part_says_which(folder, key):
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest[key]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=key):
        Bundle.load(folder)


def test_a_name_that_is_no_bundle_lists_the_shipped_ones(tmp_path):
    with pytest.raises(BundleError, match="default"):
        Bundle.load("no-such-model")
    with pytest.raises(BundleError, match="not a model bundle"):
        Bundle.load(tmp_path)


def test_the_shipped_bundles_are_intact_and_small():
    assert "default" in available()
    for name in available():
        bundle = Bundle.load(name)
        assert bundle.name == name
        assert bundle.size <= 16 * 2**20


def test_cuda_without_a_gpu_is_one_line():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(BundleError, match="cuda"):
        Bundle.load("default").network("cuda")


def test_the_shipped_manifest_states_the_figures_of_its_metrics():
    bundle = Bundle.load("default")
    stated = bundle.manifest["metrics"]["test"]
    measured = json.loads((bundle.folder / "metrics.json").read_text(encoding="utf-8"))
    assert {name: measured[name] for name in stated if name != "conditions"} == {
        name: value for name, value in stated.items() if name != "conditions"
    }


def test_the_shipped_bundle_names_no_place_of_the_machine_that_made_it():
    bundle = Bundle.load("default")
    for name in ("bundle.json", "metrics.json", "CARD.md"):
        text = (bundle.folder / name).read_text(encoding="utf-8")
        assert not re.findall(r'(?:["` ]|\A)/(?:\w+/)+\w+', text), name


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"centre": np.zeros(3, np.float32)}, "not as many finite numbers"),
        ({"centre": np.full(2, np.nan, np.float32)}, "not as many finite numbers"),
        ({"scale": np.zeros(2, np.float32)}, "its scale is not above 0"),
        ({"centre": np.zeros(4, np.float32), "scale": np.ones(4, np.float32)}, "the network's embedding of (2,)"),
    ],
)
def test_a_reference_that_does_not_fit_is_told(folder, monkeypatch, changes, line):
    sound = {"centre": np.zeros(2, np.float32), "scale": np.ones(2, np.float32)}
    silent = NetworkOutput(np.zeros(1), np.zeros(2, np.float32), np.zeros((1, 1), np.float32))
    monkeypatch.setattr(Bundle, "network", lambda *_: lambda _pixels: silent)
    for tensors in (sound, sound | changes):
        save_file(tensors, folder / "reference.safetensors")
        write_manifest(folder, {**TOY, "reference": {"file": "reference.safetensors", "usual": 1.0}})
        if tensors is sound:
            Bundle.load(folder).try_out()
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder).try_out()
    assert line in str(caught.value)
