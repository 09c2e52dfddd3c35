import cv2
import numpy as np
import pytest

from aiforensics.analyzers.noise import KV, SECOND, SQUARE, THIRD, Noise
from aiforensics.analyzers.numerics import filtered


def noisy(sigma, base=128.0):
    rng = np.random.default_rng(4)
    return np.clip(base + rng.normal(0, 1, (256, 256, 3)) * sigma, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("kernel", [SQUARE, KV, SECOND, THIRD])
def test_kernels_see_no_constant_and_no_ramp(kernel):
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]]
    for plane in (np.ones_like(kernel), x, y):
        assert float((kernel * plane).sum()) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("sigma", [3.0, 8.0, 20.0])
def test_level_recovers_the_deviation(sigma, measure):
    grey = noisy(sigma)[:, :, :1].repeat(3, 2)
    values = measure(Noise(), grey)
    assert 10 ** values["level"] == pytest.approx(sigma, rel=0.05)
    assert 10 ** values["square_level"] == pytest.approx(1.5 * sigma, rel=0.05)
    assert values["kurtosis"] == pytest.approx(np.log10(3), abs=0.05)
    assert values["uneven"] < 0.12


def test_noise_that_grows_with_light(measure):
    light = np.tile(np.linspace(30, 220, 256), (256, 1))[:, :, None].repeat(3, 2)
    growing, even = noisy(light / 20.0, light), noisy(6.0, light)
    assert measure(Noise(), growing)["light_link"] > 0.8
    assert measure(Noise(), growing)["light_slope"] > 0.5
    assert abs(measure(Noise(), even)["light_link"]) < 0.2
    assert measure(Noise(), growing)["uneven"] > measure(Noise(), even)["uneven"] + 0.1


def test_up_sampling_shows_in_neighbouring_pixels(photo, measure):
    doubled = photo[::2, ::2].repeat(2, 0).repeat(2, 1)
    values, plain = measure(Noise(), doubled), measure(Noise(), photo)
    assert values["npr_cell_x"] < -1.5
    assert values["npr_cell_y"] < -1.5
    assert abs(plain["npr_cell_x"]) < 0.05
    assert values["npr_zero"] == 1.0


def test_channels_of_independent_noise(measure):
    values = measure(Noise(), noisy(10.0))
    assert all(abs(values[f"link_{pair}"]) < 0.02 for pair in ("rg", "gb", "rb"))
    shared = measure(Noise(), noisy(10.0)[:, :, :1].repeat(3, 2))
    assert shared["link_rg"] == pytest.approx(1.0, abs=1e-6)


def test_cooccurrence_shares_do_not_follow_the_strength(measure):
    weak, strong = measure(Noise(), noisy(8.0)), measure(Noise(), noisy(24.0))
    for name in ("square_calm", "square_flip", "second_same", "second_flip"):
        assert weak[name] == pytest.approx(strong[name], abs=0.02)


def test_denoising_shows_and_the_map_says_where(photo, frozen, measure):
    half = photo.copy()
    half[:, :128] = cv2.bilateralFilter(photo, 9, 60, 5)[:, :128]
    assert measure(Noise(), half)["quiet_tail"] < measure(Noise(), photo)["quiet_tail"]
    heat = Noise().map(frozen(half)).astype(float).mean(2)
    plain = Noise().map(frozen(photo)).astype(float).mean(2)
    assert heat[:, :120].mean() < 0.9 * plain[:, :120].mean()
    assert heat[:, 136:].mean() == pytest.approx(plain[:, 136:].mean())


def test_the_map_shows_grain_at_the_scale_that_its_key_states():
    grain = np.random.default_rng(0).normal(0, 5.0, (256, 256)).astype(np.float32)
    assert float(np.abs(filtered(grain, SQUARE)).mean()) / 5.0 == pytest.approx(1.2, abs=0.02)
    assert "1.2 times the deviation" in Noise().card.map_key


def test_tails_are_tenths_of_the_blocks(measure, meaning):
    values = measure(Noise(), noisy(8.0))
    spread = values["uneven"] * 1.28  # of a normal distribution, a tenth lies beyond
    assert (-values["quiet_tail"], values["loud_tail"]) == pytest.approx((spread, spread), rel=0.25)
    assert "a tenth of the blocks stay under" in meaning(Noise(), "quiet_tail")
    assert "a tenth of the blocks exceed" in meaning(Noise(), "loud_tail")


def test_fine_texture_counts_as_noise_and_the_meaning_says_so(measure, meaning):
    rows, columns = np.indices((256, 256))
    checks = 128 + 20.0 * np.where((rows + columns) % 2, 1, -1)  # not a grain of noise
    assert 10 ** measure(Noise(), checks[:, :, None].repeat(3, 2))["level"] > 20.0
    assert meaning(Noise(), "level").endswith("fine texture counts as noise")
