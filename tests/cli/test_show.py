import io
from dataclasses import replace

import pytest
from rich.console import Console

from aiforensics.evidence import Claim, Measurement, Provenance, Quality
from aiforensics_cli.show import bar, show_finding


def shown(finding, **settings):
    stream = io.StringIO()
    settings.setdefault("width", 80)
    show_finding(Console(file=stream, highlight=False, markup=False, emoji=False, **settings), finding)
    return stream.getvalue()


def test_the_bar_marks_interval_and_value():
    assert bar(0.0, 0.5, 1.0, 5) == "━━●━━"
    assert bar(0.0, 0.0, 0.25, 5) == "●━···"
    assert bar(1.0, 1.0, 1.0, 5) == "····●"


@pytest.mark.parametrize("width", [20, 30, 40, 80, 200])
def test_a_terminal_of_any_width_gets_lines_that_fit(fakes, width, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = shown(fakes.finding("a.jpg"), width=width, force_terminal=True, color_system=None)
    assert max(map(len, text.splitlines())) <= width
    assert "12%" in text


def test_colour_is_for_terminals_that_want_it(fakes, monkeypatch):
    finding = fakes.finding("a.jpg")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;32m" in shown(finding, force_terminal=True, color_system="standard")
    assert "\x1b" not in shown(finding)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in shown(finding, force_terminal=True, color_system="standard")


def test_texts_of_strangers_are_neither_markup_nor_control(fakes):
    claim = Claim("software", "[bold red]x[/] \x1b[2J\u202e :smile:", "EXIF")
    finding = replace(
        fakes.finding("[link=http://x]a[/link].jpg"),
        provenance=Provenance("claimed", "edited", (claim,)),
        quality=Quality("poor", ("[blink]256 px",)),
        notes=("[dim]note",),
    )
    text = shown(finding)
    for part in ("[link=http://x]a[/link].jpg", "[bold red]x[/] \\x1b[2J\\u202e :smile:", "[blink]256 px", "[dim]note"):
        assert part in text


def test_only_the_strongest_reasons_are_shown(fakes):
    finding = fakes.finding("a.jpg")
    finding = replace(finding, reasons=tuple(replace(finding.reasons[0], text=f"reason {i}") for i in range(9)))
    text = shown(finding)
    assert "reason 4" in text
    assert "reason 5" not in text


@pytest.mark.parametrize(("whole", "said"), [(-0.64, True), (0.64, False), (None, False)])
def test_reasons_that_weaker_ones_outweigh_are_said_to_be(fakes, whole, said):
    finding = fakes.finding("a.jpg")
    reasons = tuple(replace(finding.reasons[0], contribution=share) for share in (-0.34, 0.16, 0.13, 0.13, 0.12))
    finding = replace(finding, reasons=reasons, analyzers=(Measurement("color", (), whole),))
    text = shown(finding, width=200)
    line = "The weaker ones outweigh these (+0.20): all together make -0.64 and speak for a real picture."
    assert (line in text) is said
    assert ("outweigh" in text) is said
    assert "outweigh" not in shown(replace(finding, p_ai=0.51), width=200), "calibration moved it over the middle"


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_a_narrow_code_page_gets_plain_signs_and_names_as_they_are(fakes, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    finding = fakes.finding("a→b.jpg")
    reason = replace(finding.reasons[0], contribution=0.5, text="8×8 blocks")
    show_finding(Console(file=stream, width=80), replace(finding, reasons=(reason,)))
    stream.seek(0)
    title, *lines = stream.read().splitlines()
    assert title.startswith(r"a\u2192b.jpg")
    assert "=o==" in "".join(lines)
    assert "-> AI" in "".join(lines)
    assert "\\" not in "".join(lines)


def test_every_sign_of_our_own_words_has_a_plain_one():
    from dataclasses import astuple

    from aiforensics import explain
    from aiforensics.analyzers import ANALYZERS
    from aiforensics_cli.console import _PLAIN

    told = [*explain.LIMITS, explain.CAUTION, explain.SHARES, *astuple(explain.NETWORK_CARD)]
    for analyzer in ANALYZERS:
        told += [*astuple(analyzer.card), *(word for spec in analyzer.specs for word in (spec.unit, spec.meaning))]
    assert {sign for sign in "".join(told) if not sign.isascii()} <= set(_PLAIN)
