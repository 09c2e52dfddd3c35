from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from aiforensics.image import from_array
from aiforensics.image.borders import inside_border


def on_page(page, size=(640, 480), at=(160, 96), colour=(21, 32, 43)):
    """A textured picture of `size` on a plain page."""
    canvas = Image.new("RGB", page, colour)
    canvas.paste(Image.fromarray(data.astronaut()).resize(size), at)
    return canvas


@pytest.mark.parametrize("colour", ["black", "white", (21, 32, 43)])
@pytest.mark.parametrize("at", [(0, 0), (160, 96), (640, 240)])
def test_a_plain_page_is_left_out(at, colour):
    image = on_page((1280, 720), at=at, colour=colour)
    assert inside_border(image) == (*at, at[0] + 640, at[1] + 480)


def test_what_is_left_starts_on_the_grid_and_shows_no_border():
    left, top, right, bottom = inside_border(on_page((1280, 720), at=(163, 101)))
    assert (left, top, right, bottom) == (176, 112, 803, 581)


@pytest.mark.parametrize("page", ["white", (21, 32, 43)])
@pytest.mark.parametrize("line", [1, 3])
def test_a_line_around_the_picture_is_left_out_with_the_page_on_both_its_sides(page, line):
    image = on_page((1280, 720), colour=page)
    ImageDraw.Draw(image).rectangle((130, 70, 830, 600), outline="gray", width=line)
    assert inside_border(image) == (160, 96, 800, 576)


def test_a_line_that_ends_does_not_frame_what_it_underlines():
    image = on_page((1280, 720), colour="white")
    ImageDraw.Draw(image).rectangle((128, 600, 832, 602), fill="gray")
    assert inside_border(image) == (128, 96, 833, 603)


def test_frames_in_frames_without_end_are_not_followed():
    image = Image.new("RGB", (1200, 1200), "white")
    for edge in range(0, 400, 2):
        ImageDraw.Draw(image).rectangle((edge, edge, 1199 - edge, 1199 - edge), outline="black")
    left, top, right, bottom = inside_border(image)
    assert left == top <= 16
    assert right == bottom >= 1184


def test_bars_that_jpeg_went_over_are_plain_still(encode):
    image = on_page((640, 800), at=(0, 160), colour="black")
    with Image.open(BytesIO(encode(image, "JPEG", quality=80))) as stored:
        left, top, right, bottom = inside_border(stored.convert("RGB"))
    assert (left, right) == (0, 640)
    assert abs(top - 160) <= 16 and abs(bottom - 640) <= 8


@pytest.mark.parametrize("size", [(15, 15), (8, 300), (300, 8), (700, 500)])
def test_a_picture_of_one_colour_and_one_without_a_border_stay_whole(size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    for image in (Image.new("RGB", size, "red"), Image.fromarray(pixels)):
        assert inside_border(image) == (0, 0, *size)


def test_a_noisy_edge_is_no_border():
    pixels = np.asarray(on_page((1280, 720))).astype(np.int16)
    noisy = pixels + np.random.default_rng(0).integers(-8, 9, pixels.shape)
    assert inside_border(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))) == (0, 0, 1280, 720)


def test_windows_lie_inside_the_border_and_none_is_blank():
    windows = from_array(np.asarray(on_page((1920, 1080), size=(400, 300), at=(704, 304)))).windows
    assert windows
    for window in windows:
        x, y, across, down = window.box
        assert x >= 704 and x + across <= 1104 and y >= 304 and y + down <= 604


def test_a_window_without_texture_is_left_out_where_others_have_some():
    pixels = np.full((400, 900, 3), 90, np.uint8)
    pixels[:, :300] = np.asarray(Image.fromarray(data.astronaut()).resize((300, 400)))
    pixels[:, -1] = np.arange(400)[:, None] % 256  # no border, and still an empty middle
    windows = from_array(pixels).windows
    assert min(float(window.luma.std()) for window in windows) >= 3.0
    blank = from_array(np.full((400, 900, 3), 90, np.uint8)).windows
    assert len(blank) > 1
