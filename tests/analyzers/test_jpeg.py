import numpy as np
import pytest
import scipy.fft

from aiforensics.analyzers.jpeg import Jpeg, block_dct
from aiforensics.analyzers.protocol import Exhibit
from aiforensics.image import Window


def test_block_dct_against_scipy(photo_window):
    luma = photo_window.luma[:64, :96]
    blocks = luma.reshape(8, 8, 12, 8).astype(float)
    expected = scipy.fft.dctn(blocks, axes=(1, 3), norm="ortho")
    assert block_dct(luma) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("quality", [10, 15, 20, 25, 35, 50, 60, 75, 85, 90])
def test_quality_is_read_from_the_pixels(photo, jpeg, measure, quality):
    assert measure(Jpeg(), jpeg(photo, quality))["quality_estimate"] == pytest.approx(quality, abs=3)


@pytest.mark.parametrize("quality", [15, 25, 50])
def test_an_earlier_quality_is_read_off_the_grid(photo, jpeg, measure, quality):
    values = measure(Jpeg(), jpeg(jpeg(photo, quality)[3:, 5:], 92))
    assert values["quality_other"] == pytest.approx(quality, abs=3)
    assert measure(Jpeg(), jpeg(photo, quality))["quality_other"] == 100.0


def test_a_smooth_window_does_not_lighten_the_compression_of_the_others(photo, jpeg):
    pixels = np.full((256, 900, 3), 128, np.uint8)
    pixels[:, :256] = photo[:256, :256]
    pixels = jpeg(pixels, 50)
    windows = tuple(Window(np.ascontiguousarray(pixels[:, x : x + 256]), x, 0) for x in (0, 512))
    assert Jpeg().measure(Exhibit(windows))["jpeg.quality_estimate"] == pytest.approx(50, abs=3)


def test_quality_of_what_was_never_compressed(photo, measure):
    assert measure(Jpeg(), photo)["quality_estimate"] == 100.0
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert measure(Jpeg(), noise)["quality_estimate"] == 100.0


def test_blocking_on_the_grid_and_off_it(photo, jpeg, measure):
    blocky = jpeg(photo, 20)
    plain, on, off = (measure(Jpeg(), p) for p in (photo, blocky, blocky[3:, 5:]))
    assert on["blocking"] > plain["blocking"] + 0.1
    assert on["blocking_other"] < on["blocking"]
    assert off["blocking_other"] > plain["blocking_other"] + 0.1
    assert off["blocking"] < off["blocking_other"]
    assert on["zero_gap"] > 0.1
    assert off["zero_gap"] < -0.1
    assert on["periodic"] > 0.7 > on["periodic_off"]
    assert off["periodic_off"] > 0.7 > off["periodic"]


def test_double_compression_leaves_gaps(photo, jpeg, measure):
    once, twice = jpeg(photo, 85), jpeg(jpeg(photo, 55), 85)
    assert measure(Jpeg(), twice)["double"] > measure(Jpeg(), once)["double"] + 0.1


def test_bands_of_white_noise_are_alike(measure):
    noise = np.random.default_rng(0).normal(128, 20, (256, 256, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2)
    values = measure(Jpeg(), noise)
    assert 10 ** values["scale_1"] == pytest.approx(20 * np.sqrt(2 / np.pi), rel=0.05)
    assert all(abs(values[f"scale_{i}"]) < 0.03 for i in range(2, 9))
    assert values["shape_5"] == pytest.approx(2 / np.pi, abs=0.02)


def test_compression_departs_from_benford(photo, jpeg, measure):
    values = measure(Jpeg(), jpeg(photo, 60))
    assert values["benford"] > measure(Jpeg(), photo)["benford"] + 0.2
    assert values["digit_gap"] > 0.2


def test_no_phase_of_the_grid_is_favoured(measure):
    rng = np.random.default_rng(0)
    noises = [rng.normal(128, 20, (256, 256, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2) for _ in range(8)]
    assert np.mean([measure(Jpeg(), noise)["blocking"] for noise in noises]) == pytest.approx(0.0, abs=0.003)


@pytest.mark.parametrize("phase", [1, 4, 7])
def test_every_phase_off_the_grid_is_found(photo, jpeg, measure, phase):
    blocky = jpeg(photo, 20)
    off = measure(Jpeg(), blocky[8 - phase :, 8 - phase :])
    assert off["blocking_other"] == pytest.approx(measure(Jpeg(), blocky)["blocking"], abs=0.05)


def test_one_fine_compression_is_not_two(photo, jpeg, measure):
    once, twice = (measure(Jpeg(), jpeg(p, 90)) for p in (photo, jpeg(photo, 60)))
    assert once["periodic"] > 0.4
    assert twice["double"] > once["double"] + 0.1


@pytest.mark.parametrize("crop", [(4, 0), (0, 4)])
def test_a_grid_that_was_moved_on_one_axis_alone_is_not_seen_and_the_meanings_say_so(
    photo, jpeg, measure, meaning, crop
):
    down, across = crop
    values = measure(Jpeg(), jpeg(photo, 50)[down:, across:])
    assert (values["quality_estimate"], values["quality_other"]) == (100.0, 100.0)
    assert values["periodic_off"] < 0.2
    for name in ("quality_other", "periodic_off"):
        assert "off the file's grid both across and down" in meaning(Jpeg(), name)


def test_gaps_are_those_of_a_finer_second_save_or_of_one_strong_one(photo, jpeg, measure, meaning):
    once, strong = (measure(Jpeg(), jpeg(photo, quality))["double"] for quality in (75, 10))
    finer, coarser = (measure(Jpeg(), jpeg(jpeg(photo, q), r))["double"] for q, r in ((75, 90), (90, 75)))
    assert min(finer, strong) > 1.5 * max(once, coarser)
    assert "as a finer second or one strong save leaves" in meaning(Jpeg(), "double")


def test_the_map_lights_up_at_an_edge_on_a_block_border_without_any_jpeg(frozen):
    pixels = np.random.default_rng(0).normal(100, 1, (64, 64, 1)) + np.zeros(3)
    pixels[:, 32:] += 80
    heat = Jpeg().map(frozen(pixels)).astype(int).sum(2)
    assert heat[:, 24:32].mean() > 3 * heat[:, :24].mean()
    assert "also where nothing was ever compressed" in Jpeg().card.map_key


def test_the_map_draws_no_dark_frame_where_no_neighbour_is_left(frozen):
    noise = np.random.default_rng(0).normal(128, 10, (256, 256, 1)) + np.zeros(3)
    heat = Jpeg().map(frozen(noise)).astype(int).sum(2)
    inner = heat[8:-8, 8:-8].mean()
    for side in (heat[:, -8:], heat[-8:], heat[:, :8], heat[:8]):
        assert side.mean() == pytest.approx(inner, rel=0.25)
