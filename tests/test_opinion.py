import math

import numpy as np
import pytest

from aiforensics.image import from_array
from aiforensics.opinion import Opinion
from aiforensics.pipeline import measure
from aiforensics_models.heads import EMBEDDING
from aiforensics_models.preparation import mirrored
from aiforensics_models.runtime import NetworkOutput


class Tilt:
    """Says how much brighter the right half of a window is, and counts how often it is asked."""

    asked = 0

    def __call__(self, pixels):
        self.asked += 1
        half = pixels.shape[1] // 2
        tilt = float(pixels[:, half:].mean()) - float(pixels[:, :half].mean())
        return NetworkOutput(np.array([tilt, tilt + 2.0]), np.full(3, tilt, np.float32), np.zeros((2, 2), np.float32))


@pytest.fixture
def slope():
    return np.broadcast_to(np.arange(0, 128, dtype=np.uint8)[None, :, None], (96, 128, 3)).copy()


def test_the_first_window_counts_both_ways(slope):
    opinion = Opinion.of(from_array(slope).windows, Tilt())
    assert opinion.outputs[0].logits[0] == pytest.approx(64.0)
    assert opinion.mirror.logits[0] == pytest.approx(-64.0)
    assert opinion.log_odds == pytest.approx(1.0)


def test_the_other_windows_count_as_they_are(slope):
    windows = from_array(slope).windows
    opinion = Opinion.of((*windows, *windows), Tilt())
    assert opinion.log_odds == pytest.approx((1.0 + 65.0) / 2)


def test_the_embedding_is_the_mean_over_the_windows(slope):
    (steep,) = from_array(slope).windows
    (gentle,) = from_array(slope // 2).windows
    opinion = Opinion.of((steep, gentle), Tilt())
    alone = [output.embedding for output in opinion.outputs]
    assert not np.allclose(*alone)
    np.testing.assert_allclose(opinion.embedding, np.mean(alone, axis=0), rtol=1e-6)


def test_a_picture_and_its_mirror_image_get_one_score():
    photo = np.random.default_rng(5).integers(0, 256, (200, 220, 3), np.uint8)
    there, back = (Opinion.of(from_array(p).windows, Tilt()).log_odds for p in (photo, photo[:, ::-1].copy()))
    assert there == pytest.approx(back)


def test_a_small_picture_is_mirrored_before_it_is_extended():
    small = np.random.default_rng(6).integers(0, 256, (32, 40, 3), np.uint8)
    (window,) = from_array(small).windows
    assert window.pixels.shape == (64, 64, 3)
    np.testing.assert_array_equal(mirrored(window.pixels)[:32, :40], small[:, ::-1])


def test_the_row_holds_the_mean_and_nothing_is_asked_twice(slope):
    network = Tilt()
    _, values, opinion = measure(from_array(slope), network)
    assert values[EMBEDDING] == opinion.log_odds
    assert network.asked == 3, "the window, its mirror image and the window with noise"


def test_the_spread_is_that_of_the_members_and_of_the_mean_over_the_windows():
    nothing = np.zeros(3, np.float32), np.zeros((2, 2), np.float32)
    outputs = tuple(NetworkOutput(np.array(logits), *nothing) for logits in ([1.0, 3.0], [5.0, 7.0]))
    assert Opinion(outputs, outputs[0]).spread == pytest.approx(math.hypot(1.0, 2.0 / math.sqrt(2)))
