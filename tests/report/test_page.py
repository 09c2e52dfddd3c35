"""The template environment and the stylesheet."""

import errno
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from PIL import Image

import aiforensics.report
from aiforensics.report import batch_page
from aiforensics.report.page import PageError, cut, visible, write_page
from aiforensics.report.pictures import data_uris

CSS = (Path(aiforensics.report.__file__).parent / "style.css").read_text(encoding="utf-8")


def test_a_missing_variable_is_an_error_and_leaves_no_file(tmp_path):
    page = tmp_path / "page.html"
    with pytest.raises(UndefinedError, match="views"):
        write_page("scan.html.j2", page, {})
    with pytest.raises(TemplateNotFound):
        write_page("../../evidence.py", page, {})
    assert not page.exists()


def test_the_base_page_stands_alone(tmp_path):
    write_page("base.html.j2", tmp_path / "page.html", {})
    assert "This page is one file" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_time_asks_for_nothing_that_only_some_systems_write(tmp_path):
    class Elsewhere(datetime):
        def strftime(self, form):
            assert "%-" not in form, "ValueError on Windows"
            return super().strftime(form)

    write_page("base.html.j2", tmp_path / "page.html", {}, Elsewhere(2026, 3, 5, 9, 30, tzinfo=UTC))
    assert ">5 March 2026, 09:30 UTC<" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_visible_keeps_ordinary_text():
    for text in ("plain", "Žluťoučký kůň", "東京", "tab\there\nline", "naïve – “quoted” 🙂"):
        assert visible(text) == text


def test_cut_keeps_everything_but_the_tail():
    first, rest, dropped = cut("x" * 5000)
    assert (len(first), len(first) + len(rest), dropped) == (240, 4000, 1000)
    assert cut("short") == ("short", "", 0)


def test_pictures_keep_to_the_budget():
    noise = [Image.effect_noise((256, 256), 90).convert("RGB") for _ in range(6)]
    for budget in (400_000, 60_000, 12_000):
        uris = data_uris(noise, budget)
        assert len(uris) == 6
        assert sum(map(len, uris)) <= budget
    assert data_uris([], 10) == ()


def test_a_wide_last_column_is_the_batch_pages_alone():
    wide = re.findall(r"\.(\w+) td:last-child \{ min-width", CSS)
    assert wide == ["worded", "measurements"]
    folder = Path(aiforensics.__file__).parent
    assert [page.name for page in folder.rglob("*.j2") if "worded" in page.read_text("utf-8")] == ["batch.html.j2"]


def test_a_name_in_an_index_keeps_some_width_on_a_phone():
    phone = CSS.split("@media (max-width: 34rem) {")[1].split("@page")[0]
    assert re.search(r"\.index th bdi \{ min-width: [5-9]rem; \}", phone)


def test_no_figure_of_a_scale_runs_into_the_next_on_a_phone():
    assert ".scale .zero { display: none; }" in CSS.split("@media (max-width: 34rem) {")[1].split("@page")[0]


def _palettes():
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6});", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)[:2]
    )
    assert set(light) == set(dark)
    return [("light", light), ("dark", dark)]


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, two):
    high, low = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("name", "palette"), _palettes())
def test_contrast_meets_wcag_aa(name, palette):
    for text in ("ink", "soft", "ai", "real", "none", "link"):
        for ground in ("paper", "sheet", "faint"):
            assert _contrast(palette[text], palette[ground]) >= 4.5, (name, text, ground)
    for mark in ("ai-fill", "real-fill", "none-fill"):
        assert _contrast(palette[mark], palette["sheet"]) >= 3, (name, mark)
    for tint in ("ai-tint", "real-tint", "none-tint"):
        assert _contrast(palette["ink"], palette[tint]) >= 4.5, (name, tint)


def test_a_page_never_overwrites_a_picture(picture):
    path = picture("a.png")
    before = path.read_bytes()
    with pytest.raises(PageError, match=r"overwrite a picture: .*a\.png"):
        write_page("base.html.j2", path, {})
    assert path.read_bytes() == before


def test_the_place_of_a_page_may_be_a_text(tmp_path):
    batch_page([], str(tmp_path / "page.html"), title="By name")
    assert "By name" in (tmp_path / "page.html").read_text("utf-8")


def test_a_page_that_cannot_be_replaced_is_written_where_it_is(tmp_path, monkeypatch):
    """A file that is a mount of its own takes no other in its place."""
    page = tmp_path / "page.html"
    page.write_text("the page of before")

    def busy(self, target):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(type(page), "replace", busy)
    write_page("base.html.j2", page, {})
    assert "This page is one file" in page.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [page]
