import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage import data

from aiforensics.image import decode, from_array
from aiforensics.image.picture import LARGE_WINDOWS, MAX_WINDOWS, MIN_SIDE, WINDOW


def noise(width, height):
    return np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)


SIZES = [(1, 1), (1, 5000), (5000, 1), (63, 64), (100, 100), (256, 256), (257, 300), (384, 384), (511, 512), (800, 600)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_windows_keep_their_promises(width, height):
    pixels = noise(width, height)
    windows = from_array(pixels).windows
    assert 1 <= len(windows) <= MAX_WINDOWS
    assert len({(w.x, w.y) for w in windows}) == len(windows)
    for window in windows:
        h, w = window.pixels.shape[:2]
        assert window.pixels.dtype == np.uint8
        assert MIN_SIDE <= h <= WINDOW and MIN_SIDE <= w <= WINDOW
        assert (h, w) == (max(MIN_SIDE, min(height, WINDOW)), max(MIN_SIDE, min(width, WINDOW)))
        assert window.x % 16 == window.y % 16 == 0
        there = pixels[window.y : window.y + h, window.x : window.x + w]
        assert np.array_equal(window.pixels[: there.shape[0], : there.shape[1]], there)
        assert not window.pixels.flags.writeable and not window.luma.flags.writeable
        assert window.pixels.flags.c_contiguous


def test_windows_are_deterministic():
    pixels = noise(1500, 1100)
    first, second = from_array(pixels).windows, from_array(pixels).windows
    assert [(w.x, w.y) for w in first] == [(w.x, w.y) for w in second]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, second, strict=True))


def test_small_pictures_are_almost_covered():
    for side in (256, 384, 400, 511, 512):
        seen = np.zeros((side, side), bool)
        for window in from_array(noise(side, side)).windows:
            seen[window.y : window.y + WINDOW, window.x : window.x + WINDOW] = True
        assert seen.mean() > 0.93


def test_the_detailed_windows_come_first():
    pixels = np.full((900, 900, 3), 128, np.uint8)
    pixels[:256, 640:896] = np.asarray(Image.fromarray(data.astronaut()).resize((256, 256)))
    assert (from_array(pixels).windows[0].x, from_array(pixels).windows[0].y) == (640, 0)


def test_clipped_windows_come_last():
    blocks = np.random.default_rng(0).integers(0, 2, (113, 113, 1)) * 255
    pixels = np.kron(blocks, np.ones((8, 8, 3))).astype(np.uint8)[:900, :900]
    pixels[:256, 640:896] = data.astronaut()[::2, ::2] // 2 + 50
    assert (from_array(pixels).windows[0].x, from_array(pixels).windows[0].y) == (640, 0)


@pytest.mark.parametrize(("across", "down"), [(1, 1), (7, 7), (8, 7), (7, 300)])
@pytest.mark.parametrize("page", [0, 255])
def test_a_speck_on_an_empty_picture_is_no_picture_inside_a_border(across, down, page):
    pixels = np.full((600, 800, 3), page, np.uint8)
    pixels[96 : 96 + down, 160 : 160 + across] = 128
    picture = from_array(pixels)
    whole = max(across, down) < 8  # a line of a picture stays what is examined: too little
    assert picture.content == ((0, 0, 800, 600) if whole else (160, 96, 160 + across, 96 + down))
    assert picture.framed is not whole


def test_luma_is_that_of_jpeg():
    pixels = noise(70, 80)
    luma = from_array(pixels).windows[0].luma
    assert luma.dtype == np.float32
    expected = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.allclose(luma, expected, atol=1e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_exif_says(orientation, encode):
    image = Image.fromarray(data.astronaut()).crop((40, 0, 240, 120))
    exif = Image.Exif()
    exif[0x0112] = orientation
    coded = encode(image, "PNG", exif=exif)
    upright = decode(coded).upright(1000)
    expected = ImageOps.exif_transpose(Image.open(BytesIO(coded)))
    assert upright.size == expected.size
    assert upright.tobytes() == expected.convert("RGB").tobytes()


def test_upright_shrinks_and_never_enlarges():
    picture = from_array(noise(3000, 20))
    assert picture.upright(300).size == (300, 2)
    assert picture.upright(10_000).size == (3000, 20)
    assert from_array(noise(5000, 1)).upright(100).size == (100, 1)


def test_twelve_megapixels_cost_little():
    picture = from_array(np.tile(data.astronaut(), (6, 8, 1))[:3000, :4000])
    best = min(_seconds_for_windows(picture) for _ in range(5))
    assert len(picture.windows) == LARGE_WINDOWS
    assert best < 0.01


def _seconds_for_windows(picture):
    picture.__dict__.pop("windows", None)
    start = time.process_time()
    assert picture.windows
    return time.process_time() - start


@pytest.mark.parametrize("times", [1.4, 2.0, 3.3])
@pytest.mark.parametrize(("width", "height"), [(200, 150), (700, 600), (1700, 1300)])
def test_windows_of_an_enlarged_picture_show_more_of_it(width, height, times):
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)
    picture = replace(from_array(pixels), enlarged=times)
    assert 1 <= len(picture.windows) <= 4
    for window in picture.windows:
        x, y, across, down = window.box
        assert 0 <= x <= x + across <= width
        assert 0 <= y <= y + down <= height
        shown = np.array(window.pixels.shape[1::-1])
        assert shown.max() <= WINDOW
        np.testing.assert_allclose(np.maximum(np.round(np.array([across, down]) / times), MIN_SIDE), shown)


def test_an_enlarged_picture_is_examined_as_it_was_before():
    photo = data.astronaut()[100:340, 150:400]
    larger = np.asarray(Image.fromarray(photo).resize((500, 480), Image.Resampling.NEAREST))
    (window,) = replace(from_array(larger), enlarged=2.0).windows
    np.testing.assert_array_equal(window.pixels, photo)
    assert window.box == (0, 0, 500, 480)
