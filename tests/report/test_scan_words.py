"""What the page of a scan says beside its verdict: figures, names, maps, windows, the command."""

from dataclasses import replace

from aiforensics.evidence import Quality

from .test_scan import Page, check


def test_each_of_several_pictures_is_named_over_its_verdict(write, examine):
    page = check(write(examine("ai"), examine("real", "rocket")))
    for name in ("astronaut.jpg", "rocket.jpg"):
        assert f"{name} · Origin, judged by the pixels" in page.text
    assert "· Origin" not in Page(write(examine("ai"))).text


def test_every_zone_of_the_scale_is_named(write, examine):
    text = write(replace(examine("ai", maps=False), thresholds=(0.107, 0.943)))
    assert all(f"{name}</text>" in text for name in (">real", ">inconclusive", ">AI"))
    assert '<text class="figure zero" x="0" y="68">0%</text>' in text


def test_a_picture_that_is_piped_in_is_asked_for_in_the_command(write, examine):
    page = Page(write(examine("ai", path="-", maps=False)))
    assert "--json - < PICTURE" in page.text
    assert "PICTURE: the file of this SHA-256" in page.text


def test_a_window_of_a_narrow_picture_is_said_to_hold_its_mirror_image(write, examine):
    examination = examine("inconclusive", maps=False)
    narrow = replace(examination.picture, stored=examination.picture.stored.crop((100, 0, 140, 300)))
    assert "continued by its mirror image" in write(replace(examination, picture=narrow))
    assert "continued by its mirror image" not in write(examination)


def test_figures_are_not_rounded_into_what_is_not_so(write, examine):
    close = replace(examine("inconclusive", p_ai=0.942, quality=Quality("good"), maps=False), thresholds=(0.107, 0.943))
    page = Page(write(close))
    assert "below 10.7% real, from 94.3% AI, inconclusive between" in page.text
    assert "512 × 512 pixels (0.3 megapixels)" in page.text
    assert "0.0 megapixels" not in Page(write(examine("ai", width=90, height=70, maps=False))).text


def test_a_map_by_gradcam_is_called_so_and_read_otherwise(write, examine):
    plain = examine("ai")
    drawn = tuple(replace(one, title="Grad-CAM") for one in plain.activation)
    page, other = (write(one) for one in (plain, replace(plain, activation=drawn)))
    assert "Class activation, window 1" in page
    assert "mean of the last layer" in page
    assert "Grad-CAM, window 1" in other
    assert "are no part of the share" in other
    assert "Class activation" not in other
    assert "mean of the last layer" not in other
