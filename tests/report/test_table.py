"""The page of a batch."""

import json
import time
from dataclasses import replace

from aiforensics.evidence import Provenance, Quality, Refusal
from aiforensics.report import batch_page, table

from .conftest import WHEN, made_up_finding
from .test_scan import HOSTILE, check


def _page(rows, path, **options):
    batch_page(rows, path, generated=WHEN, **options)
    text = path.read_text(encoding="utf-8")
    return text, check(text)


def test_rows_are_ordered_and_counted(tmp_path):
    rows = [
        made_up_finding("real", path="r.jpg"),
        Refusal("broken.jpg", "truncated", "The file ends early"),
        made_up_finding("ai", path="a.jpg"),
        made_up_finding("inconclusive", path="i.jpg", quality=Quality("limited", ("150 × 150 pixels",))),
    ]
    _, page = _page(rows, tmp_path / "b.html", title="holiday")
    places = [page.text.index(name) for name in ("a.jpg", "i.jpg", "r.jpg", "broken.jpg")]
    assert places == sorted(places)
    assert "4 inputs, 1 of them refused" in page.text
    assert "1 likely AI 33.3%" in page.text
    assert "default 0.1.0" in page.text


def test_a_score_that_is_not_to_be_used_gives_no_place_among_the_highest(tmp_path):
    rows = [
        made_up_finding("inconclusive", path="poor.jpg", p_ai=0.99),
        made_up_finding("ai", path="a.jpg"),
        made_up_finding("real", path="r.jpg"),
    ]
    page = _page(rows, tmp_path / "b.html")[1].text
    places = [page.index(name) for name in ("a.jpg", "r.jpg", "poor.jpg")]
    assert places == sorted(places)
    assert "those too poor to judge last" in page
    assert "too poor to judge last" not in _page(rows[1:], tmp_path / "b.html")[1].text


def test_pictures_deep_in_a_folder_are_told_apart(tmp_path):
    deep = "evidence/" + "folder/" * 60
    quality = Quality("poor", ("a reason " * 40,))
    rows = [made_up_finding("real", path=f"{deep}{name}.jpg", quality=quality) for name in ("one", "two")]
    page = _page([*rows, Refusal(f"{deep}three.jpg", "unreadable", "why " * 200)], tmp_path / "b.html")[1].text
    assert all(f"/{name}.jpg" in page for name in ("one", "two", "three"))
    assert page.count("evidence/folder") == 3
    assert page.count("why…") == 1
    assert page.count("a reaso…") == 2
    assert deep not in page


def test_objects_of_the_contract_give_the_same_page(tmp_path):
    rows = [made_up_finding("ai"), Refusal("b", "timeout", "Took longer than 20 s")]
    objects = [json.loads(json.dumps(row.to_dict())) for row in rows]
    assert _page(rows, tmp_path / "a.html")[0] == _page(objects, tmp_path / "b.html")[0]


def test_a_row_says_what_the_file_claims(tmp_path):
    claimed = replace(made_up_finding("real"), provenance=Provenance("claimed", "ai"))
    text = _page([claimed, made_up_finding("real")], tmp_path / "b.html")[1].text
    assert "Unsigned claim: made by AI" in text


def test_a_row_shows_its_interval(tmp_path):
    text = _page([made_up_finding("ai", interval=(0.35, 0.81))], tmp_path / "b.html")[1].text
    assert "35%" in text
    assert "81%" in text


def test_hostile_names_stay_text(tmp_path):
    rows = [made_up_finding("ai", path=HOSTILE + "\u202e" + "x" * 10**6), Refusal(HOSTILE, "unreadable", HOSTILE)]
    text, page = _page(rows, tmp_path / "b.html", title=HOSTILE)
    assert "<script" not in text
    assert "⟦U+202E⟧" in page.text
    assert len(text) < 40_000


def test_nothing_and_only_refusals_have_a_page(tmp_path):
    assert "0 inputs" in _page([], tmp_path / "b.html")[1].text
    assert (
        "1 input, 1 of them refused" in _page([Refusal("a", "not-found", "No such file")], tmp_path / "b.html")[1].text
    )


def test_of_many_the_highest_have_rows_and_all_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "SHOWN", 3)
    rows = [made_up_finding("real", path=f"r{i}.jpg", p_ai=i / 100) for i in (5, 1, 9, 3, 9, 2, 8, 4)]
    rows += [made_up_finding("ai", path="ai.jpg"), *(Refusal(f"x{i}", "timeout", "Too slow") for i in range(4))]
    page = _page(rows, tmp_path / "b.html")[1].text
    assert "13 inputs, 4 of them refused" in page
    assert "8 likely real 88.9%" in page
    assert "These are the 3 highest of 9 findings." in page
    assert "These are the first 3 of 4." in page
    assert [page.count(name) for name in ("ai.jpg", "r9.jpg", "r8.jpg", "x2", "x3")] == [1, 2, 0, 1, 0]
    assert "highest of" not in _page(rows[:2], tmp_path / "b.html")[1].text


def test_thousands_of_rows_are_quick_and_small(tmp_path):
    start = time.perf_counter()
    rows = [made_up_finding("real", path=f"IMG_{i:05}.jpg") for i in range(3000)]
    batch_page(rows, tmp_path / "b.html")
    assert time.perf_counter() - start < 20
    assert (tmp_path / "b.html").stat().st_size < 3_000_000
