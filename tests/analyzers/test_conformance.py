"""What every listed analyzer promises, whatever the picture."""

import os
import subprocess
import sys

import numpy as np
import pytest

from aiforensics.analyzers import ANALYZERS, NOT_SCORED, SCORED, Exhibit
from aiforensics.image import Window

each = pytest.mark.parametrize("analyzer", ANALYZERS, ids=lambda a: a.name)


def test_names_are_unique():
    assert len({a.name for a in ANALYZERS}) == len(ANALYZERS)


@each
def test_specs_carry_prefix_unit_and_meaning(analyzer):
    names = [spec.name for spec in analyzer.specs]
    assert len(set(names)) == len(names) > 0
    for spec in analyzer.specs:
        prefix, _, short = spec.name.partition(".")
        assert prefix == analyzer.name
        assert short.replace("_", "").isalnum()
        assert short == short.lower()
        assert spec.unit.strip()
        assert 10 <= len(spec.meaning) <= 110
        assert not spec.meaning.endswith(".")
    assert len({spec.meaning for spec in analyzer.specs}) == len(names), "two features with one meaning"


@each
def test_card_is_filled(analyzer):
    card = analyzer.card
    assert card.title[0].isupper()
    for text in (card.looks_for, card.fooled_by, card.ignore_when):
        assert len(text) > 30
        assert text.endswith(".")
    assert any(mark in card.source for mark in ("doi:", "arXiv"))


@each
def test_values_are_finite_bounded_and_complete(analyzer, exhibit):
    values = analyzer.measure(exhibit)
    assert set(values) == {spec.name for spec in analyzer.specs}
    for name, value in values.items():
        assert isinstance(value, float), name
        assert np.isfinite(value), name
        assert abs(value) <= 256.0, name


@each
def test_deterministic_and_input_unchanged(analyzer, exhibit):
    before = [w.pixels.copy() for w in exhibit.windows]
    first = analyzer.measure(exhibit)
    fresh = Exhibit(tuple(type(w)(w.pixels.copy(), w.x, w.y) for w in exhibit.windows), exhibit.forecast)
    assert analyzer.measure(fresh) == first
    for window, pixels in zip(exhibit.windows, before, strict=True):
        assert np.array_equal(window.pixels, pixels)


@each
def test_map_is_a_picture_of_the_window(analyzer, exhibit):
    window = exhibit.windows[0]
    before = window.pixels.copy()
    picture = analyzer.map(window)
    assert np.array_equal(window.pixels, before)
    if picture is None:
        return
    assert picture.shape == window.pixels.shape
    assert picture.dtype == np.uint8
    assert np.array_equal(analyzer.map(window), picture)


@each
def test_windows_of_one_kind_measure_as_one_of_them(analyzer, photo_window):
    once, twice = (analyzer.measure(Exhibit((photo_window,) * n)) for n in (1, 2))
    assert twice == pytest.approx(once, rel=1e-6, abs=1e-6)


@each
def test_what_is_scored_is_the_mean_over_the_windows(analyzer, photo_window):
    other = Window(np.ascontiguousarray(photo_window.pixels[::-1, ::-1] // 2))
    first, second, both = (
        analyzer.measure(Exhibit(windows)) for windows in ((photo_window,), (other,), (photo_window, other))
    )
    names = [name for name in both if name in SCORED]
    middle = {name: (first[name] + second[name]) / 2 for name in names}
    assert {name: both[name] for name in names} == pytest.approx(middle, rel=1e-6, abs=1e-6)


def test_scored_features_exclude_quality_and_evidence():
    everything = {spec.name for analyzer in ANALYZERS for spec in analyzer.specs}
    assert set(SCORED) < everything
    assert len(set(SCORED)) == len(SCORED)
    left_out = everything - set(SCORED)
    assert "jpeg.quality_estimate" in left_out
    assert {name.partition(".")[0] for name in left_out} >= {"lighting", "background"}
    prefixes = {a.name for a in ANALYZERS}
    assert all(name in everything or name in prefixes for name in NOT_SCORED), "a name that no analyzer has"


def test_analyzers_import_nothing_heavy():
    code = (
        "import sys, aiforensics.analyzers\n"
        "heavy = {'torch', 'scipy', 'skimage', 'sklearn', 'xgboost', 'onnxruntime'} & set(sys.modules)\n"
        "print(*sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_number_of_threads_changes_no_bit():
    code = (
        "import hashlib, numpy as np\n"
        "from aiforensics.analyzers import ANALYZERS, Exhibit\n"
        "from aiforensics.image import Window\n"
        "pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8) // 8 + 90\n"
        "values = [sorted(a.measure(Exhibit((Window(pixels),))).items()) for a in ANALYZERS]\n"
        "print(hashlib.sha256(repr(values).encode()).hexdigest())"
    )
    digests = set()
    for threads in ("1", "4"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        digests.add(done.stdout)
    assert len(digests) == 1


@pytest.mark.parametrize(("name", "low", "high"), [("color", 0.1, 10.0), ("noise", 0.1, 30.0), ("jpeg", 0.6, 10.0)])
def test_the_key_of_a_heat_map_states_its_scale(name, low, high, monkeypatch):
    (analyzer,) = (one for one in ANALYZERS if one.name == name)
    asked = []
    module = sys.modules[type(analyzer).__module__]
    monkeypatch.setattr(module, "heat", lambda _plane, *limits: asked.append(limits))
    analyzer.map(Window(np.zeros((64, 64, 3), np.uint8)))
    assert (10 ** asked[0][0], 10 ** asked[0][1]) == pytest.approx((low, high), rel=0.06)
    assert f"from {low:g} to {high:g}" in analyzer.card.map_key
