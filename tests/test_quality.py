"""Evidence quality: where each limit lies, and what one window, one table or one colour is worth."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from aiforensics.analyzers.jpeg import Jpeg
from aiforensics.analyzers.protocol import Exhibit
from aiforensics.analyzers.spectrum import Spectrum
from aiforensics.image import JpegFacts, decode, from_array
from aiforensics.pipeline import examined
from aiforensics.quality import READ, assess, share_examined
from aiforensics_models.bundle import Bundle

EDGE = ((0, 88), (0, 88), (0, 0))
PLAIN = dict(zip(READ, (100.0, 100.0, 0.0, 0.0), strict=True))
"""Measured of a sharp picture that was never compressed."""


def level(pixels, seen=100.0, strangeness=0.0):
    return assess(from_array(pixels), {**PLAIN, "jpeg.quality_estimate": seen}, strangeness).quality.level


def reasons(pixels, strangeness=0.0):
    return assess(from_array(pixels), PLAIN, strangeness).quality.reasons


def grey_noise(deviation):
    noise = np.random.default_rng(1).normal(120, deviation, (300, 300, 1))
    return np.rint(noise).astype(np.uint8).repeat(3, axis=2)


@pytest.mark.parametrize(("height", "width", "share"), [(400, 400, 1.0), (90, 70, 1.0), (512, 1024, 3 / 8)])
def test_what_two_windows_share_is_examined_once(height, width, share):
    photo = np.tile(pictures.astronaut(), (1, 2, 1))[:height, :width]
    assert share_examined(from_array(photo)) == share


@pytest.mark.parametrize(
    ("strangeness", "expected", "said"),
    [
        (1.0, "good", ()),
        (1.5, "limited", ("unlike most pictures that the model was trained on",)),
        (2.0, "limited", ("unlike most pictures that the model was trained on",)),
        (2.5, "poor", ("very unlike the pictures that the model was trained on",)),
    ],
)
def test_what_lies_far_from_the_training_pictures_is_poor_evidence(strangeness, expected, said):
    photo = pictures.astronaut()
    assert (level(photo, strangeness=strangeness), reasons(photo, strangeness)) == (expected, said)


@pytest.mark.parametrize(("seen", "expected"), [(68.0, "good"), (67.9, "limited"), (42.0, "limited"), (41.9, "poor")])
def test_compression_limits_the_evidence(seen, expected):
    assert level(pictures.astronaut(), seen) == expected


@pytest.mark.parametrize(("seen", "condition"), [(83.0, "good"), (82.9, "compressed")])
@pytest.mark.parametrize(("side", "prefix"), [(176, ""), (512, ""), (513, "large-")])
def test_the_condition_is_that_of_the_compression_that_is_seen_and_of_the_size(side, prefix, seen, condition):
    values = {**PLAIN, "jpeg.quality_estimate": seen}
    assert (
        assess(from_array(np.pad(pictures.astronaut(), EDGE, "edge")[:side]), values, 0.0).condition
        == prefix + condition
    )


def test_small_and_colourless_pictures_have_one_condition_each():
    assert assess(from_array(pictures.astronaut()[:175]), PLAIN, 0.0).condition == "small"
    assert assess(from_array(pictures.astronaut()[..., :1].repeat(3, axis=2)), PLAIN, 0.0).condition == "grey"


@pytest.mark.parametrize(("seen", "stated"), [(30.0, 95), (95.0, 30)])
def test_the_worse_of_what_is_seen_and_what_is_stated_counts(seen, stated):
    facts = JpegFacts(((1,) * 64,), stated, "4:2:0", progressive=False)
    picture = replace(from_array(pictures.astronaut()), jpeg=facts)
    quality = assess(picture, {**PLAIN, "jpeg.quality_estimate": seen}, 0.0).quality
    assert quality.level == "poor"
    assert "quality 30" in quality.reasons[0]


@pytest.mark.parametrize(("side", "expected"), [(176, "good"), (175, "limited"), (96, "limited"), (95, "poor")])
def test_small_pictures_limit_the_evidence(side, expected):
    photo = Image.fromarray(pictures.astronaut()).resize((side, 200), Image.Resampling.BOX)
    assert level(np.asarray(photo)) == expected


def test_a_small_picture_on_a_large_page_is_small():
    pixels = np.full((800, 1200, 3), 255, np.uint8)
    pixels[320:400, 480:560] = np.random.default_rng(0).integers(0, 256, (80, 80, 3))
    assert "only 80 × 80 pixels inside a plain border" in reasons(pixels)


@pytest.mark.parametrize(("shades", "expected"), [(16, "poor"), (17, "limited")])
def test_few_shades_of_grey_are_poor(shades, expected):
    steps = np.linspace(0, 255, shades).astype(np.uint8)
    chosen = np.random.default_rng(0).integers(0, shades, (150, 150, 1)).repeat(2, axis=0).repeat(2, axis=1)
    assert level(steps[chosen].repeat(3, axis=2)) == expected


@pytest.mark.parametrize(("colours", "expected"), [(128, "poor"), (129, "limited"), (256, "limited"), (257, "good")])
def test_few_colours_limit_the_evidence(colours, expected):
    rng = np.random.default_rng(1)
    palette = rng.choice(256**3, colours, replace=False)
    chosen = palette[rng.integers(0, colours, (150, 150)).repeat(2, axis=0).repeat(2, axis=1)]
    assert level(np.stack([chosen >> 16, chosen >> 8 & 255, chosen & 255], axis=2).astype(np.uint8)) == expected


@pytest.mark.parametrize(("deviation", "flat"), [(2.5, True), (3.5, False)])
def test_a_picture_of_little_contrast_is_flat(deviation, flat):
    assert ("almost no texture to examine" in reasons(grey_noise(deviation))) == flat


@pytest.mark.parametrize(("spread", "coloured"), [(1.5, False), (3.0, True)])
def test_a_little_spread_between_the_channels_is_no_colour(spread, coloured):
    pixels = grey_noise(20)
    pixels[..., 0] += np.rint(np.random.default_rng(0).normal(0, spread, (300, 300))).astype(np.int8).view(np.uint8)
    assert any("black and white" in reason for reason in reasons(pixels)) != coloured


def test_one_window_of_colour_and_texture_is_enough():
    pixels = np.full((256, 600, 3), 120, np.uint8)
    pixels[:, :256] = pictures.astronaut()[:256, :256]
    assert level(pixels) == "good"


def test_colours_between_the_pixels_that_are_looked_at_first_count():
    pixels = pictures.astronaut().copy()
    pixels[::4, ::4] = 120
    assert level(pixels) == "good"


@pytest.mark.parametrize(("quality", "expected"), [(95, "good"), (60, "limited"), (20, "poor")])
def test_an_avif_of_few_bits_is_weak_evidence(quality, expected):
    stream = io.BytesIO()
    Image.fromarray(pictures.astronaut()).save(stream, "AVIF", quality=quality)
    assert assess(decode(stream.getvalue()), PLAIN, 0.0).quality.level == expected


@pytest.mark.parametrize(("quality", "expected"), [(80, "good"), (10, "limited"), (1, "poor")])
def test_a_webp_of_few_bits_is_weak_evidence(quality, expected):
    stream = io.BytesIO()
    Image.fromarray(pictures.astronaut()).save(stream, "WEBP", quality=quality)
    assert assess(decode(stream.getvalue()), PLAIN, 0.0).quality.level == expected


def test_a_lossless_webp_of_few_bits_is_good_evidence():
    graphic = np.full((800, 800, 3), 255, np.uint8)
    graphic[100:180, 100:180] = pictures.astronaut()[:80, 200:280]
    graphic[700:, 700:] = 90  # so that the plain part is no border
    graphic[:, 0] = graphic[0] = np.arange(800)[:, None] % 256
    stream = io.BytesIO()
    Image.fromarray(graphic).save(stream, "WEBP", lossless=True)
    picture = decode(stream.getvalue())
    assert 8 * len(picture.data) / 800**2 < 0.4
    assert assess(picture, PLAIN, 0.0).quality.level == "good"


@pytest.mark.parametrize(("share", "expected"), [(-3.9, "good"), (-4.1, "limited")])
def test_a_soft_picture_is_limited_evidence(share, expected):
    found = assess(from_array(pictures.astronaut()), {**PLAIN, "spectrum.top_share": share}, 0.0)
    assert found.quality.level == expected
    assert ("blurred, enlarged or smooth" in " ".join(found.quality.reasons)) == (expected == "limited")


@pytest.mark.parametrize(("earlier", "expected"), [(20.0, "poor"), (60.0, "limited"), (75.0, "good")])
def test_an_earlier_compression_off_the_grid_counts(earlier, expected):
    found = assess(from_array(pictures.astronaut()), {**PLAIN, "jpeg.quality_other": earlier}, 0.0)
    assert (found.quality.level, found.condition) == (expected, "good")
    assert ("earlier compression" in " ".join(found.quality.reasons)) == (expected != "good")


def test_of_an_enlarged_picture_the_detail_counts_that_it_holds():
    picture = from_array(pictures.astronaut())
    good = assess(picture, {**PLAIN, "spectrum.top_share": -5.0}, 0.0)
    assert good.quality.reasons == ("hardly any fine detail: out of focus, blurred, enlarged or smooth",)
    assert (good.condition, good.quality.level) == ("good", "limited")
    twice = assess(replace(picture, enlarged=2.0), {**PLAIN, "spectrum.top_share": -5.0}, 0.0)
    assert twice.quality.reasons == (
        "no more detail than 256 × 256 pixels hold (enlarged, blurred, noisy or smooth): examined at that size",
    )
    assert (twice.condition, twice.quality.level) == ("good", "limited")
    assert assess(replace(picture, enlarged=3.0), PLAIN, 0.0).condition == "small"
    poor = assess(replace(picture, enlarged=6.0), PLAIN, 0.0).quality
    assert (poor.level, poor.reasons[0]) == ("poor", "only 85 × 85 pixels")


@pytest.mark.parametrize(("quality", "expected"), [(20, "poor"), (60, "limited")])
def test_reducing_an_enlarged_picture_hides_no_compression(quality, expected):
    stream = io.BytesIO()
    Image.fromarray(pictures.astronaut()).resize((1024, 1024)).save(stream, "JPEG", quality=quality)
    saved_again = replace(from_array(np.asarray(Image.open(stream))), enlarged=2.0)
    found = assess(saved_again, PLAIN, 0.0)
    assert (found.quality.level, found.condition) == (expected, "good")
    assert any(f"compression (like JPEG quality {quality}" in reason for reason in found.quality.reasons)


def test_colours_are_counted_before_an_enlarged_picture_is_reduced():
    levels = np.random.default_rng(2).integers(0, 4, (300, 300, 3)).astype(np.uint8) * 80
    quality = assess(replace(from_array(levels), enlarged=2.0), PLAIN, 0.0).quality
    assert (quality.level, quality.reasons[0]) == (
        "poor",
        "only 64 colours, which hide the traces of the picture's making",
    )


def test_a_plain_page_costs_no_bits_so_what_lies_on_it_is_no_stronger_compressed():
    def said(picture):
        stored = io.BytesIO()
        picture.save(stored, "WEBP", quality=80)
        return assess(decode(stored.getvalue(), "page.webp"), PLAIN, 0.0).quality.reasons

    photo = Image.fromarray(pictures.astronaut())
    page = Image.new("RGB", (2048, 2048), "white")
    page.paste(photo, (768, 768))
    assert not [reason for reason in (*said(photo), *said(page)) if "bits per pixel" in reason]


@pytest.mark.parametrize("spread", [10, 80])
def test_nothing_but_noise_is_poor_evidence(spread):
    noise = np.random.default_rng(2).normal(128, spread, (300, 300, 3))
    told = "nothing but noise: neighbouring pixels are not alike"
    assert told in reasons(np.clip(noise, 0, 255).astype(np.uint8))
    strong = np.clip(noise - 128 + pictures.astronaut()[:300, :300], 0, 255).astype(np.uint8)
    assert told not in reasons(strong)


def saved(pixels, quality, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, **options)
    return decode(stream.getvalue())


def assessed(picture):
    measured = {
        name: value for one in (Jpeg(), Spectrum()) for name, value in one.measure(Exhibit(picture.windows)).items()
    }
    return assess(picture, measured, 0.0).quality


@pytest.mark.parametrize(("quality", "expected"), [(30, "poor"), (50, "limited"), (85, "good")])
@pytest.mark.parametrize("crop", [(4, 0), (0, 3), (3, 5)])
def test_a_crop_on_one_axis_alone_hides_no_compression(quality, expected, crop):
    down, across = crop
    pixels = np.asarray(saved(pictures.astronaut(), quality).image)[down:, across:]
    for found in (assessed(from_array(pixels)), assessed(saved(pixels, 92))):
        assert found.level == expected
        assert any("earlier compression" in reason for reason in found.reasons) == (expected != "good")


@pytest.mark.parametrize(("first", "kind"), [(50, "strong earlier"), (30, "heavy earlier")])
def test_a_compression_that_is_not_the_files_own_is_told_as_an_earlier_one(first, kind):
    again = np.asarray(saved(pictures.astronaut(), first).image)
    assert assessed(saved(again, 90)).reasons == (f"{kind} compression (like JPEG quality {first})",)
    once = assessed(saved(pictures.astronaut(), first)).reasons
    assert once == (f"{kind.split()[0]} compression (like JPEG quality {first})",), "it is the file's own"


def test_steps_of_another_kind_are_taken_for_no_earlier_compression():
    flat = [23] * 64
    found = assessed(saved(pictures.coffee(), 50, qtables=[flat, flat])).reasons
    assert found
    assert not any("earlier" in reason for reason in found)


def test_a_picture_is_called_black_and_white_only_where_it_was_examined():
    grey = np.random.default_rng(0).normal(128, 35, (1600, 1600, 1)).clip(0, 255).repeat(3, axis=2)
    pixels = cv2.GaussianBlur(grey, (0, 0), 1.0).astype(np.uint8)
    pixels[:700, :700] = np.linspace(60, 200, 700)[:, None, None] * np.array([1.0, 0.2, 0.1])
    assert reasons(pixels) == (
        "black and white where it was examined: no colour to measure (the shares of colour say only that)",
    )
    assert reasons(pixels[800:1200, 800:1200]) == (
        "black and white: no colour to measure (the shares of colour say only that)",
    )


def test_a_smooth_subject_is_not_said_to_be_enlarged_blurred_or_noisy_for_certain():
    clouds = cv2.GaussianBlur(np.random.default_rng(1).normal(size=(400, 400)), (0, 0), 40)
    pixels = 120 + np.stack([50 * clouds, 40 * clouds, 30 * np.roll(clouds, 60, 0)], axis=-1) / clouds.std()
    picture, values = examined(
        from_array(pixels.clip(0, 255).round().astype(np.uint8)), Bundle.load("default").enlargement
    )
    (told,) = assess(picture, values, 0.0).quality.reasons
    assert picture.enlarged > 1.0
    assert "(enlarged, blurred, noisy or smooth)" in told
