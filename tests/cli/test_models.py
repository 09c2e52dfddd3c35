import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from aiforensics.analyzers import SCORED
from aiforensics.features import EDITION
from aiforensics_cli import checkup
from aiforensics_models import bundle as bundles
from aiforensics_models.calibration import Calibration, Line
from aiforensics_models.runtime import NetworkOutput

SILENT = NetworkOutput(np.zeros(1), np.zeros(2, np.float32), np.zeros((1, 1), np.float32))


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A bundle whose files are no networks, shipped under the name `tiny`."""
    folder = tmp_path / "shipped" / "tiny"
    folder.mkdir(parents=True)
    (folder / "head.ubj").write_bytes(b"weights")
    (folder / "network.onnx").write_bytes(b"a network")
    manifest = {
        "name": "tiny",
        "version": "1.2",
        "classes": ["real", "ai"],
        "window": 256,
        "edition": EDITION,
        "features": ["embedding.log_odds", *sorted(SCORED)[:19]],
        "network": {"onnx": "network.onnx"},
        "head": {"kind": "none"},
        "calibration": Calibration({"good": Line(1.0, 0.0, 0.1)}, 0.3, 0.7).to_dict(),
    }
    bundles.write_manifest(folder, manifest)
    monkeypatch.setattr(bundles, "_SHIPPED", folder.parent)
    return folder


@pytest.fixture
def no_torch(monkeypatch):
    """Keeps the check-up from importing PyTorch, which takes seconds."""
    devices = checkup._devices
    monkeypatch.setattr(checkup, "_devices", lambda has_torch: devices(False))


def test_list(run, bundle):
    out = run("models", "list").out
    assert out.startswith("tiny  1.2 · 0.0 MB · sha256 ")
    (entry,) = run("models", "list", "--json").objects
    assert entry.keys() == {"name", "version", "sha256", "bytes"}


def test_show(run, bundle):
    out = run("models", "show", "tiny").out
    assert "version: 1.2" in out
    assert "features: 20 entries" in out
    assert "head.ubj: " in out
    (manifest,) = run("models", "show", bundle, "--json").objects
    assert manifest["name"] == "tiny"


def test_figures_of_a_bundle_that_are_no_numbers_are_shown_as_null(run, bundle):
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest |= {"metrics": {"roc_auc": float("nan"), "ranges": [float("-inf"), 1.0]}}
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    done = run("models", "show", "tiny", "--json")
    assert (done.status, done.err) == (0, "")
    assert done.objects[0]["metrics"] == {"roc_auc": None, "ranges": [None, 1.0]}
    assert "roc_auc: NaN" in run("models", "show", "tiny").out


def test_verify(run, bundle, monkeypatch):
    monkeypatch.setattr(bundles, "load_network", lambda *_: lambda _pixels: SILENT)
    assert run("models", "verify").out == "intact  tiny\n"
    (bundle / "head.ubj").write_bytes(b"other")
    done = run("models", "verify", "tiny", bundle)
    assert done.status == 2
    assert len(done.err.splitlines()) == 2
    assert "head.ubj has sha256" in done.err


def test_a_bundle_of_another_version_is_not_intact(run, bundle, monkeypatch):
    monkeypatch.setattr(bundles, "load_network", lambda *_: lambda _pixels: SILENT)
    manifest = bundles.Bundle.load(bundle).manifest
    kept = {key: value for key, value in manifest.items() if key not in ("schema", "files")}
    bundles.write_manifest(bundle, {**kept, "features": [*kept["features"], "ela.later"]})
    done = run("models", "verify", bundle)
    assert done.status == 2
    assert "needs 1 features that this version does not measure (ela.later" in done.err
    bundles.write_manifest(bundle, {**kept, "edition": 99})
    done = run("models", "verify", bundle)
    assert (done.status, done.out) == (2, "")
    assert "was fitted to measurements of edition 99" in done.err


def test_intact_means_usable(run, bundle):
    done = run("models", "verify")
    assert done.status == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert "tiny: the network of the bundle" in done.err
    assert run("models", "verify", "default").status == 2  # another folder of shipped bundles
    assert run("models", "list").out.startswith("tiny")


def test_the_shipped_bundle_is_usable(run):
    assert run("models", "verify", "default").out == "intact  default\n"


def test_an_unknown_bundle_is_one_line(run, bundle):
    done = run("models", "show", "nope")
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert "shipped bundle (tiny)" in done.err


def test_doctor_finds_what_is_broken(run, bundle, no_torch, monkeypatch):
    monkeypatch.setattr(bundles, "load_network", lambda *_: lambda _pixels: SILENT)
    done = run("doctor")
    assert done.status == 0
    assert "A scan can work." in done.out
    assert "tiny intact 1.2" in done.out
    (bundle / "head.ubj").unlink()
    done = run("doctor", "--json")
    assert done.status == 2
    (facts,) = done.objects
    assert facts["bundles"]["tiny"]["intact"] is False
    assert facts["base"]["numpy"]
    assert facts["devices"]["onnxruntime"]


def test_doctor_scans_before_it_says_that_a_scan_can_work(run, bundle, no_torch):
    done = run("doctor")
    assert done.status == 2
    assert "A scan cannot work." in done.out
    assert "trial scan  the network of the bundle" in done.out


@pytest.mark.parametrize(
    ("library", "told"), [("onnxruntime", "onnxruntime does not load: "), ("cv2", "trial scan ImportError: ")]
)
def test_a_library_that_does_not_load_is_a_finding_of_the_doctor(tmp_path, library, told):
    for name in (library, "torch"):  # PyTorch takes seconds where it loads
        (tmp_path / f"{name}.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    command = [sys.executable, "-m", "aiforensics_cli", "doctor"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert "A scan cannot work." in done.stdout
    assert f"{told}libGL.so.1: cannot open" in " ".join(done.stdout.split())


def test_doctor_says_how_to_get_an_extra(run, bundle, no_torch, monkeypatch):
    known = checkup._version
    monkeypatch.setattr(checkup, "_version", lambda name: None if name in ("torch", "pillow-heif") else known(name))
    out = run("doctor").out
    assert "pip install '.[train]' in the checkout" in out
    assert "for HEIC pictures: pip install '.[heif]' in the checkout" in out


def test_numbers_of_a_manifest_have_four_digits_at_any_depth(run):
    shown = run("models", "show").out
    assert "slope" in shown
    fractions = re.findall(r"\b\d\.0*(\d+)", shown)
    assert max(map(len, fractions)) <= 4
