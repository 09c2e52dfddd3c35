"""The pages: complete, self-contained, hostile names escaped, and well-formed drawings."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from aiforensics.lab.audit.auditing import audit
from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.views import CLEAN, CONDITIONS, SWEEP
from aiforensics.lab.judge.detector import Prediction
from aiforensics.lab.judge.evaluate import Evaluation, panel
from aiforensics.lab.judge.leaveout import leave_one_source_out
from aiforensics.lab.pages.audit import audit_page
from aiforensics.lab.pages.charts import Axis, Series, interval_bar, line_chart
from aiforensics.lab.pages.comparison import comparison_page
from aiforensics.lab.pages.evaluation import _plots, evaluation_page
from aiforensics.lab.pages.standing import beats_chance, in_words, leader, ranked
from aiforensics.lab.pages.words import reach, with_interval

HOSTILE = "<script>alert(1)</script>\u202e"


def judged(seed: int, count: int = 60):
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(count):
        label = "ai" if i % 2 else "real"
        source = HOSTILE if i % 4 == 1 else f"{label}-{i % 6}"
        p = float(np.clip(rng.normal(0.65 if label == "ai" else 0.35, 0.2), 0, 1))
        verdict = "ai" if p > 0.7 else "real" if p < 0.4 else "inconclusive"
        sample = Sample(Path(f"{i}.png"), label, source, source if label == "ai" else "", f"g{i}", "test")
        pairs.append((sample, Prediction(p, verdict, (p, p), ("good", "limited", "poor")[i % 3])))
    return pairs


@pytest.fixture(scope="module")
def content():
    panels = tuple(panel(v.name, v.title, judged(i), draws=20) for i, v in enumerate(CONDITIONS))
    pooled = [pair for i in range(4) for pair in judged(i)]
    found = Evaluation(
        panel("matched", "all", pooled, keys=True, draws=20),
        panels,
        panel("as found", "files as found", judged(9), keys=True, draws=20),
        tuple((v, panel(v.name, v.title, judged(20 + i, 24), draws=20)) for i, v in enumerate(SWEEP)),
        (("bad.jpg", HOSTILE),),
    )
    return found.to_dict() | {"settings": {"model": HOSTILE}}


def drawings(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314 - our own


def test_the_evaluation_page_is_complete_and_safe(content, tmp_path) -> None:
    path = tmp_path / "page.html"
    when = datetime(2026, 11, 20, tzinfo=UTC)
    evaluation_page(content, path, title="Of a set", generated=when)
    page = path.read_text()
    assert HOSTILE not in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert " style=" not in page
    assert f"{content['roc_auc']:.3f}" in page
    assert "(4 conditions, 240 judgements, 50.0 % of them of AI pictures: accuracy, precision," in page
    for view in CONDITIONS:
        assert view.name in page
    for family in {view.family for view in SWEEP}:
        assert family in page
    assert len(drawings(page)) > 30
    again = tmp_path / "again.html"
    evaluation_page(content, again, title="Of a set", generated=when)
    assert again.read_text() == page


def test_the_headline_says_what_was_seen_in_training(content, tmp_path) -> None:
    for seen, told in (
        (None, ""),
        (0, ""),
        (1, "1 of the 60 judged pictures was"),
        (34, "34 of the 60 judged pictures were"),
    ):
        evaluation_page(content | {"seen_in_training": seen, "pictures": {"judged": 60}}, tmp_path / "p.html")
        summary, _ = (tmp_path / "p.html").read_text().split("</section>", 1)
        assert ("the figures flatter" in summary) is bool(seen)
        assert told in summary


def compared(content, path, **seen) -> str:
    """The page of systems that saw so many of 20 test pictures, the first of them with the best figures."""
    costs = {"parameters": 1, "bytes": 1, "milliseconds": 1.0, "pictures": {"judged": 20}}
    entries = {
        name: content | costs | {"roc_auc": 0.9 - 0.1 * i, "seen_in_training": known}
        for i, (name, known) in enumerate(seen.items())
    }
    comparison_page({"entries": entries, "settings": {"test": "20"}}, path)
    return re.sub(r"\s+", " ", path.read_text())


def test_a_system_that_was_tested_on_its_training_pictures_is_not_ahead(content, tmp_path) -> None:
    page = compared(content, tmp_path / "p.html", known=15, strange=0, last=0)
    assert "<b>strange</b> is ahead among those that saw none of these pictures in training" in page
    assert "ROC AUC 0.800 under matched" in page
    assert page.count("15 of 20 seen in training") == 2  # a row in each table
    page = compared(content, tmp_path / "p.html", unsaid=None, known=20)
    assert "None is ahead" in page
    assert "not known what it learned from" in page
    page = compared(content, tmp_path / "p.html", first=0, second=0)
    assert re.search(r"<b>first</b> is ahead <span", page)
    assert "training</b>" not in page


def held(value, low, high, pictures=20, few=False):
    told = {"from": "first", "roc_auc": value, "interval": [low, high], "pictures": pictures, "of": 20, "few": few}
    return {**told, "says": in_words(told)}


@pytest.mark.parametrize(
    ("first", "second", "apart", "said", "unsaid"),
    [
        (
            (0.45, 0.36, 0.54),
            (0.4, 0.3, 0.5),
            (-0.05, -0.1, 0.0),
            "None is shown to be better than chance (0.5)",
            "is ahead",
        ),
        (
            (0.55, 0.48, 0.62),
            (0.4, 0.3, 0.5),
            (-0.15, -0.2, -0.1),
            "the highest ROC AUC under matched conditions is 0.550, of first",
            "ahead",
        ),
        (
            (0.4, None, None),
            (None, None, None),
            (None, None, None),
            "None is shown to be better than chance (0.5)",
            "ahead",
        ),
        ((0.8, 0.7, 0.9), (0.7, 0.6, 0.8), (-0.1, -0.2, 0.01), "better than second is not shown", "None is"),
        ((0.8, 0.7, 0.9), (0.7, 0.6, 0.8), (-0.1, -0.15, -0.04), "<b>first</b> is ahead", "not shown"),
        ((0.8, 0.78, 0.82), (0.7, 0.68, 0.72), (-0.1, -0.15, 0.0), "better than second is not shown", "None is"),
        ((1.0, None, None), (0.7, 0.6, 0.8), (-0.3, -0.4, -0.2), "<b>first</b> is ahead", "not shown"),
        ((0.9, None, None), (0.8, None, None), (-0.1, None, None), "better than second is not shown", "None is"),
    ],
)
def test_ahead_is_who_beats_chance_and_how_surely_is_said(
    content, tmp_path, first, second, apart, said, unsaid
) -> None:
    costs = {"parameters": 1, "bytes": 1, "milliseconds": 1.0, "pictures": {"judged": 20}, "seen_in_training": 0}
    entries = {
        name: content | costs | {"roc_auc": value, "intervals": content["intervals"] | {"roc_auc": [low, high]}}
        for name, (value, low, high) in (("first", first), ("second", second))
    }
    entries["second"]["difference"] = held(*apart)
    comparison_page({"entries": entries, "settings": {"test": "20"}}, tmp_path / "p.html")
    summary = re.sub(r"\s+", " ", (tmp_path / "p.html").read_text()).split('<p class="caution">')[0]
    assert said in summary
    assert unsaid not in summary


def test_the_others_are_held_against_the_first_to_which_the_pictures_are_new() -> None:
    entries = {
        name: {"roc_auc": auc, "seen_in_training": seen}
        for name, auc, seen in (("worse", 0.7, 0), ("best", 0.8, 0), ("flattered", 0.95, 3), ("unsaid", 0.9, None))
    }
    assert ranked(entries) == ["flattered", "unsaid", "best", "worse"]
    assert leader(entries) == "best"
    assert leader({name: entries[name] for name in ("unsaid", "flattered")}) == "flattered"
    assert leader({"undefined": {"roc_auc": None, "seen_in_training": 0}, "worse": entries["worse"]}) == "worse"


def test_one_of_many_is_better_than_chance_where_the_interval_of_all_at_once_says_so() -> None:
    one = {"roc_auc": 0.6, "intervals": {"roc_auc": [0.52, 0.68]}, "seen_in_training": 0}
    assert beats_chance({"one": one}, "one")
    assert beats_chance({str(i): one for i in range(2)}, "1"), "0.6 less 1.14 times 0.08"
    assert not beats_chance({str(i): one for i in range(11)}, "1"), "less 1.45 times"
    assert beats_chance({"1": {**one, "roc_auc": 1.0, "intervals": {"roc_auc": [None, None]}}, "2": one}, "1")


def test_the_page_says_who_is_told_apart_from_the_first(content, tmp_path) -> None:
    costs = {"parameters": 1, "bytes": 1, "milliseconds": 1.0, "pictures": {"judged": 20}, "seen_in_training": 0}
    others = {
        "near": held(-0.02, -0.05, 0.01),
        "far": held(-0.3, -0.4, -0.2),
        "torn": held(-0.1, -0.3, 0.1, pictures=17),
        "few": held(-0.1, None, None, few=True),
        "twin": held(0.0, None, None),
    }
    entries = {name: content | costs | {"roc_auc": 0.8, "difference": one} for name, one in others.items()}
    entries = {"first": content | costs | {"roc_auc": 0.9}, **entries}
    comparison_page({"entries": entries, "settings": {"test": "20"}}, tmp_path / "p.html")
    page = re.sub(r"\s+", " ", (tmp_path / "p.html").read_text())
    section = page.split('<h2 id="differences"')[1].split("</section>")[0]
    rows = dict(re.findall(r'<th scope="row">(\w+)</th><td class="number"><b>(.*?)</td></tr>', section))
    told = {name: re.sub(r"<[^>]*>", "|", row) for name, row in rows.items()}
    assert told == {
        "near": "−0.020|||−0.050 to +0.010||not told apart from first by these pictures",
        "far": "−0.300|||−0.400 to −0.200||below first",
        "torn": "−0.100|||−0.300 to +0.100||not told apart from first by these pictures (the 17 that both judged)",
        "few": "−0.100|||–||not told apart from first: no interval, too few groups of a class",
        "twin": "0.000|||–||not told apart from first: no interval, the same difference in every draw",
    }
    assert "That it is better than near, torn, few, twin is not shown" in page
    assert "Where two intervals overlap" not in page
    comparison_page({"entries": {"first": entries["first"]}, "settings": {"test": "20"}}, tmp_path / "p.html")
    assert "told apart" not in (tmp_path / "p.html").read_text()


def test_the_page_tells_no_training_time_of_a_run_that_went_on(content, tmp_path) -> None:
    costs = {"parameters": 1, "bytes": 1, "milliseconds": 1.0, "pictures": {"judged": 20}, "seen_in_training": 0}
    for told, words in (({}, "elsewhere"), ({"train_seconds": None}, "in several runs"), ({"train_seconds": 9}, "9 s")):
        comparison_page({"entries": {"one": content | costs | told}, "settings": {"test": "20"}}, tmp_path / "p.html")
        assert f'<td class="number">{words}</td>' in (tmp_path / "p.html").read_text()


@pytest.mark.parametrize(("passes", "ticks"), [(2, "1 2"), (6, "1 2 3 4 5 6"), (12, "1 3 5 7 9 11")])
def test_an_axis_of_passes_counts_whole_ones(content, tmp_path, passes, ticks) -> None:
    costs = {"parameters": 1, "bytes": 1, "milliseconds": 1.0, "pictures": {"judged": 20}, "seen_in_training": 0}
    history = [{"epoch": i + 1, "loss": 0.7, "val_loss": 0.7, "accuracy": 0.5} for i in range(passes)]
    entries = {"cnn": content | costs | {"history": {"cnn": history}}}
    comparison_page({"entries": entries, "settings": {"test": "20"}}, tmp_path / "p.html")
    drawn = (tmp_path / "p.html").read_text().split("accuracy and AUC")[0]
    assert " ".join(re.findall(r'text-anchor="middle">([\d.]+)<', drawn)) == ticks


def test_a_single_system_is_ahead_of_nobody(content, tmp_path) -> None:
    page = compared(content, tmp_path / "p.html", alone=0)
    assert "<h1>1 system</h1>" in page
    assert "<b>alone</b> is better than chance (0.5) <span" in page


def test_the_page_shows_sources_left_out(content, tmp_path) -> None:
    samples = [
        Sample(Path(f"{s}{i}.png"), "ai" if s[0] == "a" else "real", s, s if s[0] == "a" else "", f"{s}{i}", split)
        for s in ("ax", "ay", "r1", "r2")
        for i, split in enumerate(["train", "val", "test"] * 10)
    ]

    def fit(_train):
        return lambda tested, _view: [Prediction(0.8 if s.label == "ai" else 0.3, "inconclusive") for s in tested]

    found = leave_one_source_out(samples, fit, conditions=(CLEAN,), draws=10).to_dict()
    evaluation_page(content | {"leave_one_source_out": found}, tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert "unseen generator: every source" in page
    assert "double: every source" in page


def test_the_page_survives_an_evaluation_of_one_class_a_condition(tmp_path) -> None:
    only = panel("clean", "x", [pair for pair in judged(0) if pair[0].label == "real"], keys=True, draws=10)
    evaluation_page(Evaluation(only, (only,), None).to_dict(), tmp_path / "p.html")
    assert "–" in (tmp_path / "p.html").read_text()


def test_an_interval_is_never_one_number_twice(tmp_path) -> None:
    assert [reach(ends) for ends in ((0.1, 0.25), (0.0, 0.0004), (None, None))] == ["0.100–0.250", "within 0.001", "–"]
    assert reach((0.101, 0.104), digits=2) == "within 0.01"
    dull = [
        (sample, Prediction(0.5, "inconclusive", (0.5, 0.5), "good"))
        for sample in (pair[0] for seed in range(4) for pair in judged(seed))
    ]
    found = panel("clean", "x", dull, keys=True, draws=20)
    content = Evaluation(found, (found,), None).to_dict()
    assert with_interval(content, "roc_auc") == ("0.500", "–")
    evaluation_page(content, tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert "no interval: too few pictures, or one figure in every draw, as where all pictures got one score" in page
    assert not re.search(r"\b(\d\.\d{3})(?:–| to )\1\b", page)
    assert '<th scope="col" class="number">Groups</th>' in page


def test_the_audit_page_names_what_was_found(make_folder, tmp_path) -> None:
    root = make_folder(12)
    (root / "ai/ai-one").rename(root / f"ai/{HOSTILE.replace('/', '')}")
    report = audit(load_dataset(root, need=())).to_dict()
    audit_page([("Files", report)], tmp_path / "a.html", title="A set")
    page = (tmp_path / "a.html").read_text()
    assert "<script" not in page
    assert all(remark["text"].split("<")[0][:30] in page for remark in report["remarks"])
    assert drawings(page)


def test_the_audit_page_says_what_was_not_tested(make_folder, tmp_path) -> None:
    report = audit(load_dataset(make_folder(12), need=())).to_dict()
    audit_page([("Files", report)], tmp_path / "a.html", title="A set")
    page = (tmp_path / "a.html").read_text()
    assert re.search(r'"row">metadata</th>.*?<b>–</b></td><td class="number quiet">–<', page)
    assert "The metadata was not tested: no picture has any" in page
    untested = {name: {"value": None, "low": None, "high": None, "leaks": False} for name in report["cues"]}
    audit_page([("Files", report | {"cues": untested, "leaks": False})], tmp_path / "a.html", title="A set")
    assert "No cue was tested</b>" in (tmp_path / "a.html").read_text()


def test_a_chart_places_its_points() -> None:
    chart = line_chart("t", Axis("x", 0, 10), Axis("y"), [Series("a", [0, 5, 10], [0, None, 1])], diagonal=True)
    figure = ElementTree.fromstring(chart)  # noqa: S314 - our own
    points = [tuple(map(float, p.split(","))) for p in figure.find(".//polyline").get("points").split()]
    assert len(points) == 2
    assert points[0][0] < points[1][0]
    assert points[0][1] > points[1][1]
    empty = line_chart("t", Axis("x"), Axis("y"), [Series("a", [], []), Series("<b>", [0.5], [float("nan")])])
    assert "<b>" not in empty
    assert "polyline" not in empty


@pytest.mark.parametrize(
    ("high", "ticks"),
    [(0.736338, "0 0.2 0.4 0.6"), (1.0, "0 0.2 0.4 0.6 0.8 1"), (12.0, "0 2.5 5 7.5 10"), (147.0, "0 50 100")],
)
def test_axes_get_round_ticks(high, ticks):
    chart = line_chart("t", Axis("x", ticks=(0, 1)), Axis("y", 0, high), [Series("a", [0, 1], [0, high])])
    assert re.findall(r'text-anchor="end">([^<]*)<', chart) == ticks.split()


def test_a_band_has_a_gap_where_there_is_no_interval() -> None:
    low, high = [0.1, 0.2, None, 0.4, None], [0.3, 0.4, None, 0.6, None]
    levels = Axis("x", 0, 4)
    chart = line_chart("t", levels, Axis("y"), [Series("a", [0, 1, 2, 3, 4], [0.2, 0.3, 1.0, 0.5, 1.0], low, high)])
    bands = re.findall(r'<polygon points="([^"]*)"([^/]*)/>', chart)
    assert [len(points.split()) for points, _ in bands] == [4, 2], "nothing over the third and the last level"
    assert ["stroke=" in look for _, look in bands] == [False, True], "one that stands alone is a stroke"
    none = line_chart("t", levels, Axis("y"), [Series("a", [0, 1], [1, 1], [None, None], [None, None])])
    assert "polygon" not in none


def test_a_line_leaves_out_what_its_axis_does_not_reach() -> None:
    chart = line_chart("t", Axis("x"), Axis("y", 0, 0.5), [Series("a", [0, 0.5, 1], [0.9, 0.5, 0.25])])
    assert re.findall(r'points="([^"]*)"', chart) == ["207.0,10.0 368.0,124.0"]


@pytest.mark.parametrize(
    ("coverage", "risk", "top"),
    [
        ([0.1 * i for i in range(1, 11)], [0.5] * 10, 0.5),
        ([i / 12 for i in range(1, 13)], [1.0, *[1 / 3] * 11], 0.4),
        ([i / 200 for i in range(1, 201)], [*[1.0] * 19, *[0.01] * 181], 0.1),
    ],
)
def test_risk_and_coverage_fits_small_sets_and_forgets_the_surest_alone(content, coverage, risk, top) -> None:
    clean = content["conditions"]["clean"]
    curves = clean["curves"] | {"risk_coverage": {"coverage": coverage, "risk": risk}}
    drawn = _plots(content | {"conditions": {"clean": clean | {"curves": curves}}, "as_found": None})[3]
    assert max(map(float, re.findall(r'text-anchor="end">([^<]*)<', drawn))) == top
    heights = [float(point.split(",")[1]) for point in re.findall(r'points="([^"]*)"', drawn)[0].split()]
    assert len(heights) == sum(one <= top for one in risk)
    assert heights == pytest.approx([238 - 228 * one / top for one in risk if one <= top], abs=0.06)


def test_an_interval_bar_stays_inside_and_draws_nothing_of_none() -> None:
    assert "rect" not in interval_bar(None, (None, None), "ai")
    for value in (-1.0, 0.0, 0.3, 0.5, 1.0, 2.0):
        bar = ElementTree.fromstring(interval_bar(value, (0.0, 1.0), "real", base=0.5)).find("rect")  # noqa: S314
        assert 0 <= float(bar.get("x")) <= 140
        assert float(bar.get("x")) + float(bar.get("width")) <= 140
