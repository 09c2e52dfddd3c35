"""Batches for classifiers: what a network sees, and how it is drawn."""

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from aiforensics.image import from_array, read  # noqa: E402
from aiforensics.lab.audit.lastjpeg import last_quality  # noqa: E402
from aiforensics.lab.data.views import jpeg  # noqa: E402
from aiforensics.lab.train import batches  # noqa: E402
from aiforensics.lab.train.batches import Pictures, audited_view, class_weights, shifted  # noqa: E402
from aiforensics.lab.train.recipes import AUGMENTATIONS  # noqa: E402
from aiforensics_models.preparation import Preparation, cut_back, error_level  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture
def samples(bright):
    return bright


def test_small_pictures_come_without_their_mirror_image(samples):
    pictures = Pictures(samples, Preparation("resize", 40), (), 0)
    (_, _, pixels), *_ = pictures.plain(1)
    np.testing.assert_array_equal(pixels[0].transpose(1, 2, 0), np.asarray(Image.open(samples[0].path)))


@pytest.mark.parametrize("augment", [(), ("delivery",)])
def test_what_is_looked_at_again_is_decoded_once(augment, samples, monkeypatch):
    decoded = []
    monkeypatch.setattr(batches, "read", lambda path: decoded.append(path) or read(path))
    pictures = Pictures(samples, Preparation("resize", 32), augment, 0)
    (_, _, first), (_, _, again) = (next(pictures.plain(999)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(decoded) == len(samples)


def test_cut_back_takes_back_every_extension():
    rng = np.random.default_rng(0)
    for height, width in ((20, 33), (63, 64), (64, 64), (32, 100)):
        small = rng.integers(0, 256, (height, width, 3), np.uint8)
        room = ((0, max(0, 64 - height)), (0, max(0, 64 - width)), (0, 0))
        np.testing.assert_array_equal(cut_back(np.pad(small, room, mode="symmetric")), small)


def test_an_activation_is_laid_over_the_whole_window():
    prepare = Preparation("resize", 32)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 100, 3), np.uint8)
    window = np.pad(pixels, ((0, 32), (0, 0), (0, 0)), mode="symmetric")
    found = prepare.over_window(window, np.arange(16, dtype=np.float32).reshape(4, 4))
    assert found.shape == (8, 4)
    np.testing.assert_array_equal(found[4:], found[3::-1])


@pytest.mark.parametrize("augment", [(), *[(name,) for name in AUGMENTATIONS]])
def test_batches_depend_on_seed_and_pass_alone(augment, samples):
    def draw(seed, epoch):
        pictures = Pictures(samples, Preparation("resize", 24), augment, seed)
        return [(i.tolist(), pixels.copy()) for i, pixels in pictures.batches(epoch, 8)]

    one, again, other = draw(0, 0), draw(0, 0), draw(0, 1)
    assert sorted(i for batch, _ in one for i in batch) == list(range(len(samples)))
    for (a, x), (b, y) in zip(one, again, strict=True):
        assert a == b
        np.testing.assert_array_equal(x, y)
    assert [a for a, _ in one] != [a for a, _ in other]


def test_shift_moves_by_at_most_a_tenth():
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[20, 20] = 255
    for seed in range(20):
        y, x, _ = np.argwhere(shifted(pixels, np.random.default_rng(seed)) > 0)[0]
        assert abs(y - 20) <= 4
        assert abs(x - 20) <= 4


def test_classes_weigh_the_same():
    labels = np.array([1, 0, 0, 0], np.float32)
    weights = class_weights(labels)
    assert weights[labels == 1].sum() == pytest.approx(weights[labels == 0].sum()) == pytest.approx(2)


def test_the_audited_view_has_one_size_unless_delivered():
    rng = np.random.default_rng(0)
    for shape in ((300, 260, 3), (100, 400, 3), (32, 32, 3)):
        pixels = rng.integers(0, 256, shape, np.uint8)
        assert audited_view(False, from_array(pixels), np.random.default_rng(0)).shape == (256, 256, 3)


def test_the_audited_view_still_shows_the_files_compression():
    rng = np.random.default_rng(0)
    pixels = np.clip(rng.normal(128, 40, (300, 420, 3)), 0, 255).astype(np.uint8)
    for quality in (60, 80):
        seen = audited_view(False, from_array(jpeg(pixels, quality)), np.random.default_rng(3))
        assert last_quality(seen) == pytest.approx(quality, abs=2)


def test_error_levels_are_those_of_a_jpeg_copy():
    rng = np.random.default_rng(0)
    flat, busy = np.full((64, 64, 3), 128, np.uint8), rng.integers(0, 256, (64, 64, 3), np.uint8)
    assert error_level(flat).max() == 0
    assert error_level(busy).max() == 255
    both = np.concatenate([flat, busy], axis=1)
    assert error_level(both)[:, :48].mean() < error_level(both)[:, 80:].mean() / 10
