"""Claims that do not fit together, and the ordinary files that must raise none."""

import io

import numpy as np
import pytest
from PIL import Image

CAMERA = {0x010F: "Canon", 0x0110: "Canon EOS 40D"}
SIZE = {0xA002: 128, 0xA003: 96}


def thumbnail_of(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((64, 48)).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()


@pytest.fixture
def found(read, values):
    return lambda content: values(read(content), "contradiction")


def test_an_ordinary_camera_file_has_none(make, found):
    dates = {0x9003: "2020:05:06 10:11:12"}
    content = make.jpeg(
        make.exif_segment(
            first={**CAMERA, 0x0132: "2020:05:06 10:11:12"},
            inner={**SIZE, **dates},
            thumbnail=thumbnail_of(make.pixels()),
        )
    )
    assert found(content) == []


def test_tables_of_photoshop_without_its_name(make, found):
    content = make.jpeg(make.exif_segment(first=CAMERA), quality="high")
    assert "coded with Photoshop" in found(content)[0]
    assert "Innocent explanation" in found(content)[0]
    assert found(make.jpeg(make.exif_segment(first={**CAMERA, 0x0131: "Adobe Photoshop"}), quality="high")) == []


def test_the_thumbnail_is_another_picture(make, found):
    other = np.ascontiguousarray(255 - make.pixels()[::-1])
    content = make.jpeg(make.exif_segment(first=CAMERA, thumbnail=thumbnail_of(other)))
    assert "thumbnail shows another picture" in found(content)[0]


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_thumbnail_is_the_same_picture(turn, make, found):
    turned = np.ascontiguousarray(np.rot90(make.pixels(), turn))
    content = make.jpeg(make.exif_segment(first=CAMERA, thumbnail=thumbnail_of(turned)))
    assert found(content) == []


def test_a_thumbnail_with_black_bars_is_the_same_picture(make, found):
    boxed = np.zeros((96, 128, 3), np.uint8)
    boxed[12:84] = np.asarray(Image.fromarray(make.pixels(160, 90)).resize((128, 72)))
    content = make.jpeg(make.exif_segment(first=CAMERA, thumbnail=thumbnail_of(boxed)), pixels=make.pixels(160, 90))
    assert found(content) == []


def test_dates_out_of_order(make, found):
    content = make.jpeg(
        make.exif_segment(first={**CAMERA, 0x0132: "2019:01:01 00:00:00"}, inner={0x9003: "2020:05:06 10:11:12"})
    )
    assert "is after that of the last change" in found(content)[0]


def test_a_date_that_the_satellites_deny(make, found):
    content = make.jpeg(
        make.exif_segment(first=CAMERA, inner={0x9003: "2020:05:06 10:11:12"}, gps={0x1D: "2018:02:03"})
    )
    assert "not that of the position" in found(content)[0]


@pytest.mark.parametrize(
    ("located", "told"), [("2020:05:06", False), ("2020:05:07", False), ("2020:05:08", True), ("1980:01:06", False)]
)
def test_the_satellites_date_may_be_a_day_off_or_none(located, told, make, found):
    dates = {"inner": {0x9003: "2020:05:06 10:11:12"}, "gps": {0x1D: located}}
    assert bool(found(make.jpeg(make.exif_segment(first=CAMERA, **dates)))) == told


@pytest.mark.parametrize(("changed", "told"), [("2020:05:05 12:00:00", False), ("2020:05:05 06:00:00", True)])
def test_a_change_up_to_a_day_before_is_a_time_zone(changed, told, make, found):
    dates = {"first": {**CAMERA, 0x0132: changed}, "inner": {0x9003: "2020:05:06 10:11:12"}}
    assert bool(found(make.jpeg(make.exif_segment(**dates)))) == told


def test_a_size_that_the_camera_did_not_record(make, found):
    content = make.jpeg(make.exif_segment(first=CAMERA, inner={0xA002: 3888, 0xA003: 2592}))
    assert "the metadata state 3888 × 2592" in found(content)[0]


@pytest.mark.parametrize(("width", "told"), [(112, False), (128, False), (144, False), (145, True)])
def test_a_side_may_differ_by_a_block(width, told, make, found):
    assert bool(found(make.jpeg(make.exif_segment(first=CAMERA, inner={**SIZE, 0xA002: width})))) == told


def test_a_turned_picture_keeps_its_size(make, found):
    assert found(make.jpeg(make.exif_segment(first=CAMERA, inner={0xA002: 96, 0xA003: 128}))) == []


def test_a_screen_size_with_a_camera(make, found):
    content = make.jpeg(make.exif_segment(first=CAMERA), pixels=make.pixels(1170, 2532))
    assert "screen size" in found(content)[0]


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_a_screenshot_without_a_camera_contradicts_nothing(form, make, found):
    assert found(getattr(make, form)(pixels=make.pixels(1170, 2532))) == []


def test_a_camera_and_a_generator(make, found):
    content = make.jpeg(
        make.exif_segment(first=CAMERA, inner={0x9286: b"ASCII\0\0\0x\nSteps: 20, Sampler: Euler, Seed: 1"})
    )
    assert "an AI origin too" in found(content)[0]
