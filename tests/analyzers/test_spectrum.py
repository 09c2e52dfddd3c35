import cv2
import numpy as np
import pytest
import scipy.fft

from aiforensics.analyzers.spectrum import Spectrum, cross_difference, power_spectrum


def coloured_noise(alpha, size=256):
    """Grey (size, size, 3) noise whose power falls as 1 / f^alpha."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    white = np.fft.fft2(np.random.default_rng(5).normal(size=(size, size)))
    plane = np.fft.ifft2(white * frequency ** (-alpha / 2)).real
    plane = np.clip(128 + 40 * (plane - plane.mean()) / plane.std(), 0, 255)
    return np.repeat(plane[:, :, None], 3, 2).round().astype(np.uint8)


def test_power_spectrum_against_scipy(photo_window):
    luma = photo_window.luma[:240, :208]
    window = np.outer(*(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in luma.shape))
    expected = np.abs(scipy.fft.rfft2((luma - luma.mean()) * window)) ** 2
    assert power_spectrum(luma) == pytest.approx(expected, rel=5e-3, abs=expected.max() * 1e-9)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_slope_of_known_noise(alpha, measure):
    values = measure(Spectrum(), coloured_noise(alpha))
    assert values["slope"] == pytest.approx(alpha, abs=0.12)
    assert values["fit_error"] < 0.6


def test_blur_takes_the_high_share(photo, measure):
    sharp, soft = measure(Spectrum(), photo), measure(Spectrum(), cv2.GaussianBlur(photo, (0, 0), 1.5))
    assert soft["top_share"] < sharp["top_share"] - 1.0
    assert soft["slope"] > sharp["slope"] + 0.5


def test_stripes_have_a_direction(measure):
    noise = coloured_noise(1.0).astype(np.float32)
    stripes = cv2.blur(noise, (1, 15)).round().astype(np.uint8)  # smooth down, rough across
    assert measure(Spectrum(), stripes)["upright"] > 0.5
    assert measure(Spectrum(), stripes.transpose(1, 0, 2).copy())["upright"] < -0.5


@pytest.mark.parametrize("period", [2, 4, 8])
def test_regular_dots_make_a_peak(period, measure):
    dotted = coloured_noise(2.5).astype(np.int16)
    dotted[::period, ::period] += 24
    plain, marked = (measure(Spectrum(), np.clip(p, 0, 255).astype(np.uint8)) for p in (coloured_noise(2.5), dotted))
    # Dots at every second pixel put one dot into each 2×2 cell, so that the cross-difference is even.
    for kind in ("residual",) if period == 2 else ("residual", "cross"):
        assert marked[f"{kind}_peak_{period}"] > plain[f"{kind}_peak_{period}"] + 5.0
        assert marked[f"{kind}_peak_max"] > plain[f"{kind}_peak_max"] + 3.0


def test_up_sampling_leaves_a_peak_at_half_the_rate(photo, measure):
    small = photo[::2, ::2]
    large = cv2.resize(small, (256, 256), interpolation=cv2.INTER_LINEAR)
    assert measure(Spectrum(), large)["cross_peak_2"] > measure(Spectrum(), photo)["cross_peak_2"] + 5.0


def test_cross_difference_equation():
    tile = np.array([[10, 20], [40, 5]], np.uint8)
    assert cross_difference(tile).tolist() == [[abs(10 + 5 - 20 - 40)]]


def test_white_noise_has_no_direction_and_no_peaks(measure):
    rng = np.random.default_rng(0)
    noises = [rng.normal(128, 20, (256, 256, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2) for _ in range(8)]
    values = [measure(Spectrum(), noise) for noise in noises]

    def mean(name):
        return np.mean([row[name] for row in values])

    assert mean("upright") == pytest.approx(0.0, abs=0.02)
    assert mean("residual_peak_8") == pytest.approx(0.0, abs=0.4)
    assert mean("residual_peak_max") == pytest.approx(8.0, abs=1.0)


def test_both_halves_of_the_spectrum_count_alike(photo, measure):
    upright, turned = measure(Spectrum(), photo), measure(Spectrum(), np.ascontiguousarray(photo.transpose(1, 0, 2)))
    for name in ("slope", "high_share", "top_share", "oblique"):
        assert turned[name] == pytest.approx(upright[name], abs=1e-3)
    assert turned["upright"] == pytest.approx(-upright["upright"], abs=1e-3)


def test_the_highest_peak_leaves_out_horizontal_stripes_and_says_so(measure, meaning):
    noise = coloured_noise(1.0).astype(np.int16)
    upright = np.clip(noise + 8 * (np.arange(256) % 2)[None, :, None], 0, 255)
    plain, stripes, level = (
        measure(Spectrum(), p)["residual_peak_max"] for p in (noise, upright, upright.swapaxes(0, 1))
    )
    assert stripes > plain + 8.0
    assert level == pytest.approx(plain, abs=2.0)
    assert meaning(Spectrum(), "residual_peak_max").endswith("level stripes left out")


@pytest.mark.parametrize(("period", "chance"), [(2, 2.0), (4, 1.0), (8, 0.5)])
def test_peaks_in_white_noise_stray_as_far_as_the_meaning_says(measure, meaning, period, chance):
    noises = (np.random.default_rng(i).normal(128, 10, (256, 256, 1)) + np.zeros(3) for i in range(30))
    found = [measure(Spectrum(), noise)[f"residual_peak_{period}"] for noise in noises]
    assert np.std(found) == pytest.approx(chance, rel=0.3)
    assert meaning(Spectrum(), f"residual_peak_{period}").endswith(f"by chance 0 ± {chance:g}")


def test_peaks_of_a_grid_lie_on_the_axes_of_the_map_as_its_key_says(frozen):
    grid = coloured_noise(2.0).astype(np.int16) + 8 * (np.arange(256) % 4 == 0)[None, :, None]
    heat = Spectrum().map(frozen(np.clip(grid, 0, 255))).astype(int).sum(2)
    bright = [tuple(map(int, place)) for place in np.argwhere(heat > 650)]
    assert {(128, 0), (128, 64), (128, 192)} <= set(bright)
    assert "on the axes too" in Spectrum().card.map_key
