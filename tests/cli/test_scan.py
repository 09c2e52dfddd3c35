import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from aiforensics_cli.examine import Policy, Tally

CONTRACT = {
    *("schema", "path", "sha256", "bytes", "format", "width", "height", "verdict", "p_ai", "interval", "quality"),
    *("provenance", "analyzers", "reasons", "model", "tool", "seconds"),
}
PORCH = Path(__file__).parent.parent / "support" / "porch.py"
pytestmark = pytest.mark.usefixtures("fake_pipeline")


def test_json_is_one_object_per_input_in_order(run, picture):
    paths = [picture("b.png"), picture("ai.jpg"), picture("a.webp")]
    done = run("scan", *paths, "--json")
    assert done.status == 0
    assert [o["path"] for o in done.objects] == [str(p) for p in paths]
    assert [o["verdict"] for o in done.objects] == ["real", "ai", "real"]
    assert all(o.keys() >= CONTRACT for o in done.objects)
    assert done.err == ""


def test_people_get_verdict_interval_quality_provenance_and_reasons(run, picture):
    done = run("scan", picture("ai.jpg"))
    assert done.status == 0
    for part in (
        "Likely AI-generated",
        "12% (10% to 20%)",
        "●",
        "good",
        "Absence proves nothing",
        "the error level is even",
    ):
        assert part in done.out
    assert "\x1b" not in done.out
    assert done.out.count("not proof") == 1


def test_standard_input(run, picture):
    done = run("scan", "-", "--json", stdin=picture("a.png").read_bytes())
    assert (done.status, done.objects[0]["path"], done.objects[0]["format"]) == (0, "-", "PNG")
    assert run("scan", "-", stdin=b"").status == 2


def bad_inputs(folder):
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 40).save(buffer, "JPEG")
    huge = bytearray(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0")
    files = {
        "empty.jpg": b"",
        "text.jpg": b"not a picture\n",
        "cut.jpg": buffer.getvalue()[:600],
        "huge.png": bytes(huge),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [*files, ".", "missing.png"]


@pytest.mark.parametrize("index", range(6))
def test_bad_input_is_one_line_and_the_error_object(run, tmp_path, index):
    name = bad_inputs(tmp_path)[index]
    done = run("scan", tmp_path / name, "--json")
    assert done.status == 2
    (result,) = done.objects
    assert result["schema"] == "aiforensics.finding/1"
    assert result["error"]["kind"] in {"unreadable", "unsupported", "too-large", "truncated", "not-found"}
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith(f"aiforensics: {tmp_path / name}: ")
    assert run("scan", tmp_path / name).out == ""


def test_a_directory_points_to_batch(run, tmp_path):
    assert "batch" in run("scan", tmp_path).err


@pytest.mark.parametrize("command", ["scan", "explain"])
def test_an_empty_name_is_not_found(run, picture, monkeypatch, command):
    monkeypatch.chdir(picture("a.png").parent)
    done = run(command, "")
    assert (done.status, done.out) == (2, "")
    assert done.err == "aiforensics: '': this name is empty: name a file\n"


def test_one_bad_input_does_not_stop_the_others(run, picture, tmp_path):
    done = run("scan", tmp_path / "none.png", picture("a.png"), "--json")
    assert done.status == 2
    assert ["error" in o for o in done.objects] == [True, False]


def test_a_defect_that_one_picture_lays_bare_does_not_stop_the_others(run, picture):
    done = run("scan", picture("bug.png"), picture("a.png"), "--json")
    assert done.status == 2
    assert ["error" in o for o in done.objects] == [True, False]
    assert done.objects[0]["error"] == {
        "kind": "unreadable",
        "message": "the scan failed: ZeroDivisionError: a defect",
    }
    assert done.err.endswith("bug.png: the scan failed: ZeroDivisionError: a defect\n")


@pytest.mark.parametrize(
    ("names", "policies", "status"),
    [
        (["ai"], ["ai"], 1),
        (["real"], ["ai"], 0),
        (["real", "ai"], ["ai"], 1),
        (["ai", "real"], ["inconclusive"], 0),
        (["unsure"], ["inconclusive"], 1),
        (["unsure"], ["ai", "inconclusive"], 1),
        (["told"], ["provenance"], 1),
        (["forged"], ["provenance"], 1),
        (["told", "forged"], ["ai"], 0),
        (["ai", "missing"], ["ai"], 1),
        (["real", "missing"], ["ai"], 2),
    ],
)
def test_fail_on(run, picture, names, policies, status):
    paths = ["missing.png" if name == "missing" else picture(f"{name}.png") for name in names]
    flags = [part for policy in policies for part in ("--fail-on", policy)]
    assert run("scan", *paths, *flags).status == status


def test_an_unknown_policy_is_a_usage_error(run, picture):
    assert run("scan", picture("a.png"), "--fail-on", "everything").status == 2


def test_maps_have_names_of_letters_and_digits(run, picture, tmp_path):
    out = tmp_path / "maps"
    done = run("scan", picture("../x; rm -rf ~.png"), picture("ünï.png"), "--maps", out)
    assert done.status == 0
    names = sorted(p.name for p in out.iterdir())
    assert len(names) == 2
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names)
    assert names[0].startswith("001-")
    assert names[0].endswith("-x-rm-rf-ela-0-16.png")
    with Image.open(out / names[0]) as shown:
        assert shown.size == (6, 4)


@pytest.mark.parametrize("wanted", ["--maps", "--report"])
def test_maps_that_cannot_be_drawn_cost_their_own_input_alone(run, picture, tmp_path, monkeypatch, fakes, wanted):
    class Spoilt(fakes.Examination):
        @property
        def maps(self):
            if "spoilt" in self.finding.path:
                raise ZeroDivisionError("no pixels")
            return super().maps

    monkeypatch.setattr(fakes, "Examination", Spoilt)
    done = run("scan", picture("spoilt.png"), picture("ai.png"), "--json", wanted, tmp_path / "out.html")
    assert done.status == 2
    assert [one.get("verdict") for one in done.objects] == [None, "ai"]
    assert "its maps cannot be drawn: ZeroDivisionError: no pixels" in done.err


def test_the_report_is_written_beside_the_results(run, picture, tmp_path):
    page = tmp_path / "r.html"
    done = run("scan", picture("ai.png"), tmp_path / "none.png", "--report", page, "--json")
    assert done.status == 2
    assert len(done.objects) == 2
    text = page.read_text()
    assert "Likely AI-generated" in text
    assert "none.png" in text


def test_a_report_never_overwrites_a_picture(run, picture, tmp_path):
    one, other, hidden = picture("a.png"), picture("b.jpg"), picture("c.png").rename(tmp_path / "r.html")
    (tmp_path / "link.html").symlink_to(one)
    (tmp_path / "notes.txt").write_text("no picture")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for inputs, report in (
        ([one], one),
        ([other], one),
        ([other], hidden),
        ([one], tmp_path / "link.html"),
        ([one, tmp_path / "notes.txt"], tmp_path / "notes.txt"),
    ):
        done = run("scan", *inputs, "--report", report)
        assert done.status == 2
        assert "would overwrite" in done.err
        assert len(done.err.splitlines()) == 1
        assert done.out == ""
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "old.html").write_text("an old page")
    assert run("scan", one, "--report", tmp_path / "old.html").status == 0


def scan_with_no_reader(*arguments):
    """Scan as a program of its own, whose standard output nobody reads from the start."""
    process = subprocess.Popen(
        [sys.executable, PORCH, "scan", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    return process.wait(timeout=30), err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_report_and_maps_are_finished_when_the_reader_goes_away(picture, tmp_path, form):
    page, maps = tmp_path / "r.html", tmp_path / "maps"
    paths = [picture(f"{name}.png", 64, 64) for name in ("one", "two", "three")]
    assert scan_with_no_reader(*paths, *form, "--report", page, "--maps", maps) == (141, "")
    assert all(f"{name}.png" in page.read_text() for name in ("one", "two", "three"))
    assert len(list(maps.iterdir())) == 3


def test_a_match_goes_before_a_reader_that_went_away(picture, tmp_path):
    page = tmp_path / "r.html"
    assert scan_with_no_reader(picture("ai.png"), "--report", page, "--fail-on", "ai") == (1, "")
    assert "ai.png" in page.read_text()


def test_without_a_reader_people_get_the_status_of_a_closed_pipe(picture):
    assert scan_with_no_reader(picture("a.png")) == (141, "")


def test_an_unwritable_report_is_one_line(run, picture, tmp_path):
    done = run("scan", picture("a.png"), "--report", tmp_path / "no" / "r.html")
    assert done.status == 2
    assert done.err == f"aiforensics: {tmp_path}/no/r.html: there is no folder {tmp_path}/no: make it first\n"


def test_metadata_of_strangers_reaches_the_terminal_as_escapes(run, picture):
    done = run("scan", picture("told.png"))
    assert "\x1b" not in done.out
    assert "\\x1b[31mred" in done.out


def test_a_missing_model_is_one_line(run, picture):
    done = run("scan", picture("a.png"), "--model", "missing")
    assert done.status == 2
    assert done.err == "aiforensics: there is no bundle named missing\n"


def test_json_survives_names_that_are_not_unicode(run, picture, tmp_path):
    path = picture("a.png").rename(tmp_path / "caf\udce9.png")
    done = run("scan", path, "--json")
    assert done.out.isascii()
    assert json.loads(done.out)["path"] == str(path)
    assert run("scan", path).status == 0


def test_a_match_goes_before_a_refusal():
    tally = Tally([Policy.AI])
    tally.matched = tally.refused = True
    assert tally.status == 1


def test_a_name_with_brackets_is_no_markup(run, picture):
    done = run("scan", picture("a[/b].png"), picture("c.png"), "--json")
    assert done.status == 0
    assert len(done.objects) == 2


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_words_survive_an_output_that_is_not_unicode(picture, encoding):
    command = [sys.executable, PORCH, "scan", picture("日本.png"), picture("c.png")]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    assert b"\\u65e5" in done.stdout
    assert done.stdout.count(b"Provenance") == 2


def test_closed_streams_are_no_defect(picture, tmp_path):
    line = f"{shlex.quote(sys.executable)} {shlex.quote(str(PORCH))}"
    done = subprocess.run(["sh", "-c", f"{line} scan {picture('a.png')} >&- 2>&-"], check=False)
    assert done.returncode == 0
    done = subprocess.run(["sh", "-c", f"{line} scan - --json <&-"], check=False, capture_output=True)
    assert done.returncode == 2
    assert b"AttributeError" not in done.stdout + done.stderr
    table = tmp_path / "o.csv"
    done = subprocess.run(["sh", "-c", f"{line} batch {picture('a.png')} --csv {table} >&-"], check=False)
    assert done.returncode == 0
    assert len(table.read_text().splitlines()) == 2


def test_an_interrupted_report_holds_what_was_done(run, picture, tmp_path, monkeypatch, fakes):
    before = fakes.GateScanner.examine

    def interrupted(self, source):
        if "second" in str(source):
            raise KeyboardInterrupt
        return before(self, source)

    monkeypatch.setattr(fakes.GateScanner, "examine", interrupted)
    page = tmp_path / "o.html"
    done = run("scan", picture("first.png"), picture("second.png"), "--report", page)
    assert done.status == 130
    assert "first.png" in page.read_text()


def test_a_full_disk_costs_no_earlier_page_and_is_named(run, picture, tmp_path, monkeypatch):
    page = tmp_path / "o.html"
    page.write_text("the page of before")

    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(page), "write_text", full)
    done = run("scan", picture("a.png"), "--report", page)
    assert done.status == 2
    assert f"{page}: No space left on device" in done.err
    assert page.read_bytes() == b"the page of before"
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize("words", [("scan", "a.png", "--report", "-"), ("batch", "a.png", "--html", "-")])
def test_a_page_does_not_go_to_standard_output(run, words):
    done = run(*words)
    assert done.status == 2
    assert "a page goes to a file" in done.err
