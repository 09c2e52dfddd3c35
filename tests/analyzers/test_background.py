import cv2
import numpy as np
import pytest

from aiforensics.analyzers import Exhibit
from aiforensics.analyzers.background import Background, foreground, saliency


@pytest.fixture(scope="module")
def portrait(photo):
    """A disc of sharp detail before a photograph out of focus."""
    y, x = np.mgrid[:256, :256]
    disc = np.hypot(y - 128, x - 128) < 60
    rng = np.random.default_rng(0)
    detail = rng.normal(140, 40, (256, 256, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2)
    sharp, soft = cv2.GaussianBlur(detail, (0, 0), 0.7), cv2.GaussianBlur(photo, (0, 0), 12.0)
    return np.where(disc[:, :, None], sharp, soft), disc


def test_the_disc_is_the_foreground(portrait, frozen):
    pixels, disc = portrait
    mask = foreground(frozen(pixels))
    expected = cv2.resize(disc.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA) > 0.5
    assert (mask & expected).sum() / (mask | expected).sum() > 0.6


def test_gaps_have_the_right_sign(portrait, measure):
    values = measure(Background(), portrait[0])
    assert 0.1 < values["foreground_share"] < 0.4
    assert values["sharpness_gap"] > 0.5
    assert values["texture_gap"] > 0.2
    assert values["noise_gap"] > 0.5


def test_nothing_stands_out_of_a_flat_picture(frozen, measure):
    flat = np.full((256, 256, 3), 90, np.uint8)
    assert not foreground(frozen(flat)).any()
    assert set(measure(Background(), flat).values()) == {0.0}
    assert saliency(flat[:, :, 0]).max() == 0.0


def test_saliency_finds_the_odd_one_out():
    plane = np.random.default_rng(0).normal(100, 3, (256, 256))
    plane[40:56, 180:196] = 230
    place = np.unravel_index(np.argmax(saliency(plane.astype(np.uint8))), (64, 64))
    assert place == pytest.approx((12, 47), abs=3)


def test_doubt_is_compared_between_windows(portrait, frozen):
    full, empty = frozen(portrait[0]), frozen(np.full((256, 256, 3), 90, np.uint8))

    def forecast(pixels):
        return np.array([0.5 if pixels.std() > 5 else 0.01])

    values = Background().measure(Exhibit((full, empty), forecast))
    assert values["background.uncertainty_gap"] == pytest.approx(1.0 - 0.0808, abs=1e-3)
    assert Background().measure(Exhibit((full, empty)))["background.uncertainty_gap"] == 0.0


def test_map_keeps_the_foreground_and_dims_the_rest(portrait, frozen):
    pixels, _ = portrait
    picture = Background().map(frozen(pixels))
    assert np.array_equal(picture[128, 128], pixels[128, 128])
    assert picture[4, 4].max() <= 0.4 * 255


def test_the_map_stays_in_place_where_the_sides_are_no_multiple_of_a_block(portrait, frozen):
    pixels = portrait[0]
    whole, cut = (Background().map(frozen(p)) for p in (pixels, np.ascontiguousarray(pixels[:, :255])))
    inside = np.s_[:240, :240]
    assert (whole[inside] == cut[inside]).all(axis=2).mean() > 0.95


def test_what_stands_out_is_called_a_guess_because_even_mere_noise_is_divided(measure, meaning):
    noise = np.random.default_rng(0).normal(128, 5, (256, 256, 1)) + np.zeros(3)
    assert measure(Background(), noise)["foreground_share"] == pytest.approx(0.5, abs=0.2)
    assert meaning(Background(), "foreground_share").endswith("about half where nothing does")
    y, x = np.mgrid[:256, :256]
    smooth = np.where((np.hypot(y - 128, x - 128) < 70)[..., None], (200, 40, 40), 90) + (noise - 128)
    assert measure(Background(), smooth)["saturation_gap"] < -0.5, "the red disc is taken for background"
    assert "a smooth thing for background" in Background().card.fooled_by
    assert "guessed" in Background().card.map_key


def test_a_gap_of_just_0_is_one_that_could_not_be_compared(measure):
    flat = measure(Background(), np.full((256, 256, 3), 90, np.uint8))
    assert {flat[name] for name in flat if name.endswith("_gap")} == {0.0}
    assert "A gap of just 0 means" in Background().card.ignore_when
