"""The delivery conditions: deterministic, the same for both classes, never touching their input."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from aiforensics.image import decode
from aiforensics.lab.data import views
from aiforensics.lab.data.views import CONDITIONS, HALF, SIDE, SWEEP, View, random_view, seeded

ALL = (*CONDITIONS, views.GREY, *SWEEP)


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()[:400, :300]


@pytest.mark.parametrize("view", ALL, ids=[v.name for v in ALL])
def test_a_view_is_deterministic_and_leaves_its_input(view: View, photo) -> None:
    before = photo.copy()
    one, two = view(photo, seeded("a", 3)), view(photo, seeded("a", 3))
    assert one.dtype == np.uint8
    assert one.ndim == 3
    assert one.flags.c_contiguous
    assert np.array_equal(one, two)
    assert np.array_equal(photo, before)
    assert not np.array_equal(one, view(photo, seeded("b", 3)))


@pytest.mark.parametrize("view", ALL, ids=[v.name for v in ALL])
def test_the_file_of_a_view_decodes_to_its_pixels(view: View, photo) -> None:
    with Image.open(io.BytesIO(view.file(photo, seeded("a")))) as image:
        assert image.format == view.codec.format
        assert np.array_equal(np.asarray(image.convert("RGB")), view(photo, seeded("a")))


@pytest.mark.parametrize(
    ("view", "quality"),
    [
        (views.CLEAN, 95),
        *((view, int(view.title.split()[1].rstrip(","))) for view in ALL if view.title.startswith("JPEG ")),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_view_has_the_quality_that_its_title_says(view: View, quality, photo) -> None:
    assert decode(view.file(photo, seeded("a"))).jpeg.quality == quality


def test_names_are_unique_and_curves_have_several_levels() -> None:
    assert len({v.name for v in ALL}) == len(ALL)
    for family in {v.family for v in SWEEP}:
        levels = [v.level for v in SWEEP if v.family == family]
        assert len(levels) == len(set(levels)) >= 3


def test_windows_have_the_promised_size(photo) -> None:
    assert views.CLEAN(photo, seeded("a")).shape == (SIDE, SIDE, 3)
    assert HALF(photo, seeded("a")).shape == (SIDE // 2, SIDE // 2, 3)
    assert views.CLEAN(photo[:100], seeded("a")).shape == (100, 100, 3)


def test_views_can_be_cut_to_larger_windows(photo) -> None:
    clean, half = views.cut_to((views.CLEAN, HALF), 300)
    assert clean(photo, seeded("a")).shape == (300, 300, 3)
    assert half(photo, seeded("a")).shape == (150, 150, 3)
    assert (clean.name, half.title) == (views.CLEAN.name, HALF.title)


def test_a_256_px_picture_is_seen_at_every_jpeg_phase() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3))
    assert {int(views.window(ramp, seeded(str(i)))[0, 0, 0]) % 8 for i in range(200)} == set(range(8))


@pytest.mark.parametrize("view", [*ALL, random_view], ids=lambda v: getattr(v, "name", "random"))
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (32, 32)])
def test_tiny_pictures_pass(view, shape) -> None:
    seen = view(np.full((*shape, 3), 77, np.uint8), seeded("tiny"))
    assert seen.dtype == np.uint8
    assert seen.ndim == 3
    assert seen.shape[2] == 3
    assert 1 <= min(seen.shape[:2]) <= max(seen.shape[:2]) <= 1.4 * SIDE + 1


def test_random_views_differ_but_repeat(photo) -> None:
    before = photo.copy()
    seen = [random_view(photo, np.random.default_rng(i)) for i in range(60)]
    again = [random_view(photo, np.random.default_rng(i)) for i in range(60)]
    assert all(np.array_equal(a, b) for a, b in zip(seen, again, strict=True))
    assert np.array_equal(photo, before)
    sides = {s.shape[0] for s in seen}
    assert len(sides) > 20
    assert min(sides) >= 64
    assert max(sides) <= 1.4 * SIDE + 1


def test_a_first_jpeg_is_given_to_seven_of_ten(photo) -> None:
    before = photo.copy()
    seen = [views.with_history(photo, np.random.default_rng(i)) for i in range(100)]
    assert np.array_equal(photo, before)
    assert 55 <= sum(not np.array_equal(one, photo) for one in seen) <= 85
    assert all(one.shape == photo.shape for one in seen)


@pytest.mark.parametrize(("kind", "draws"), [("JPEG", 0), ("PNG", 7)])
def test_only_what_is_no_jpeg_gets_a_first_one(kind, draws, photo, monkeypatch) -> None:
    stream = io.BytesIO()
    Image.fromarray(photo).save(stream, kind)
    asked = []
    monkeypatch.setattr(views, "with_history", lambda pixels, _rng: asked.append(1) or pixels)
    for i in range(7):
        views.training_view(decode(stream.getvalue()), np.random.default_rng(i))
    assert len(asked) == draws


def test_degradations_do_what_they_say(photo) -> None:
    sharp = photo[:SIDE, :SIDE]

    def detail(pixels) -> float:
        return float(np.abs(np.diff(pixels.astype(float), axis=1)).mean())

    assert detail(views.blur(sharp, 2.0)) < 0.8 * detail(sharp)
    assert detail(views.noise(sharp, 10.0, seeded("n"))) > detail(sharp) + 5

    def loss(changed) -> float:
        return float(np.abs(changed.astype(float) - sharp).mean())

    assert loss(views.jpeg(sharp, 40)) > loss(views.jpeg(sharp, 75)) > loss(views.jpeg(sharp, 95, full_chroma=True)) > 0
    assert loss(views.webp(sharp, 50)) > loss(views.webp(sharp, 90)) > 0
    assert loss(views.avif(sharp, 40)) > loss(views.avif(sharp, 80)) > 0
    assert views.resize(sharp, 0.5, "lanczos-aa").shape == (SIDE // 2, SIDE // 2, 3)
    assert loss(views.colour_cast(sharp, np.ones(3), 1.0)) == 0
    assert loss(views.faded(sharp, 1.0)) == 0
    assert np.ptp(views.faded(sharp, 0.0), axis=2).max() == 0
    assert 0 < loss(views.faded(sharp, 0.5)) < loss(views.faded(sharp, 0.0))
