import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

import pytest

from aiforensics_cli import many

pytestmark = pytest.mark.usefixtures("fake_pipeline")
PORCH = Path(__file__).parents[1] / "support" / "porch.py"
HEADER = "path,sha256,format,width,height,verdict,p_ai,low,high,quality,provenance,top_reason,error"


@pytest.fixture
def album(picture, tmp_path):
    """A folder of two good pictures, a bad one, a text, and a ZIP beside it."""
    picture("album/ai.png")
    picture("album/sub/z.jpg")
    (tmp_path / "album" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "album" / "notes.txt").write_bytes(b"text")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(picture("m.png"), "inside/unsure.png")
    return tmp_path / "album"


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_without_a_file_goes_to_standard_output(run, album):
    done = run("batch", album, "--csv", "--workers", 2)
    assert done.status == 2
    assert done.out.startswith(HEADER)
    found = rows(done.out)
    assert [Path(r["path"]).name for r in found] == ["ai.png", "bad.png", "z.jpg"]
    assert [r["verdict"] for r in found] == ["ai", "", "real"]
    assert found[1]["error"].startswith("unsupported: ")
    assert "3 pictures in" in done.err
    assert "1 other file left out" in done.err
    assert "1 ai · 1 real · 1 refused" in done.err


def test_files_archives_and_pages(run, album, tmp_path):
    table, lines, page = tmp_path / "o.csv", tmp_path / "o.jsonl", tmp_path / "o.html"
    done = run(
        "batch",
        "--csv",
        table,
        "--jsonl",
        lines,
        "--html",
        page,
        album / "ai.png",
        tmp_path / "more.zip",
        "--workers",
        1,
    )
    assert done.status == 0
    assert done.out == ""
    found = rows(table.read_text())
    assert [r["path"] for r in found] == [str(album / "ai.png"), f"{tmp_path / 'more.zip'}!inside/unsure.png"]
    objects = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [o["verdict"] for o in objects] == ["ai", "inconclusive"]
    assert "inside/unsure.png" in page.read_text()


def test_an_empty_name_is_not_the_current_folder(run, album, monkeypatch):
    monkeypatch.chdir(album)
    done = run("batch", "", "--csv", "--workers", 1)
    assert done.status == 2
    (row,) = rows(done.out)
    assert (row["path"], row["error"]) == ("", "not-found: this name is empty: name a file or a folder")
    (line,) = run("batch", "", "--workers", 1).out.splitlines()
    assert line.split() == [
        "refused",
        *["'':", "this", "name", "is", "empty:", "name", "a", "file", "or", "a", "folder"],
    ]
    assert len(rows(run("batch", ".", "--csv", "--workers", 1).out)) == 3


def test_without_outputs_a_line_each(run, album):
    lines = run("batch", album, "--workers", 1).out.splitlines()
    assert [line.split()[0] for line in lines] == ["ai", "refused", "real"]
    assert lines[0].split()[1:3] == ["12%", "good"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_resume_scans_only_what_is_missing(run, album, tmp_path, kind):
    out = tmp_path / f"o.{kind}"
    flags = ["batch", f"--{kind}", out, album, "--workers", 1]
    assert run(*flags).status == 2
    whole = out.read_bytes()
    cut = whole.rfind(b"\n", 0, -1) + 30
    out.write_bytes(whole[:cut])
    (album / "ai.png").unlink()  # done already: it must not be looked at again
    page = tmp_path / "o.html"
    done = run(*flags, "--resume", "--html", page)
    assert out.read_bytes().splitlines()[:-1] == whole.splitlines()[:-1]
    assert "1 picture in" in done.err
    assert "ai.png" in page.read_text()
    assert "nothing to do" in run(*flags, "--resume").err


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_earlier_batch_is_replaced_only_where_that_is_asked_for(run, album, tmp_path, kind):
    out, page = tmp_path / f"o.{kind}", tmp_path / "o.html"
    assert run("batch", album, f"--{kind}", out, "--html", page, "--workers", 1).status == 2
    before = out.read_bytes()
    one = ["batch", album / "ai.png", f"--{kind}", out, "--html", page, "--workers", 1]
    done = run(*one)
    assert (done.status, out.read_bytes()) == (2, before)
    assert done.err == (
        f"aiforensics: {out} was written by an earlier batch: go on with --resume, or replace it with --overwrite\n"
    )
    assert "bad.png" in page.read_text()
    assert run(*one, "--overwrite", "--resume").status == 2
    assert run(*one, "--overwrite").status == 0
    assert len(out.read_bytes().splitlines()) < len(before.splitlines())
    assert "bad.png" not in page.read_text()


@pytest.mark.parametrize("option", ["csv", "jsonl", "html"])
def test_a_file_of_somebody_else_is_replaced_only_where_that_is_asked_for(run, album, tmp_path, option):
    one = ["batch", album / "ai.png", f"--{option}={tmp_path / 'notes'}", "--workers", 1]
    other = next(f"--{kind}={tmp_path / 'other'}" for kind in ("html", "csv") if kind != option)
    assert run("batch", album / "ai.png", other, "--workers", 1).status == 0
    for text in (b"a year of work\n", (tmp_path / "other").read_bytes()):
        (tmp_path / "notes").write_bytes(text)
        for more in ([], [f"--csv={tmp_path / 'o.csv'}", "--resume"]) if option == "html" else ([],):
            done = run(*one, *more)
            assert (done.status, done.out, (tmp_path / "notes").read_bytes()) == (2, "", text)
            assert done.err.startswith(f"aiforensics: {tmp_path / 'notes'} ")
            assert done.err.endswith(": name another file, or replace it with --overwrite\n")
    assert run(*one, "--overwrite").status == 0
    assert b"a year of work" not in (tmp_path / "notes").read_bytes()
    (tmp_path / "notes").write_bytes(b"")
    assert run(*one).status == 0
    assert run(*one).status == (0 if option == "html" else 2)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize("place", ["file", "-"])
def test_names_come_from_a_file_or_standard_input(run, picture, tmp_path, end, place):
    names = [picture(name) for name in ("b.png", "ai é.png", "more/z.jpg")]
    text = end.join([os.fsencode(names[0]), os.fsencode(names[1]), b"", os.fsencode(names[2].parent), b""])
    (tmp_path / "file").write_bytes(text)
    source = place if place == "-" else tmp_path / place
    done = run("batch", "--files-from", source, picture("first.png"), "--csv", "--workers", 1, stdin=text)
    assert [r["path"] for r in rows(done.out)] == [str(p) for p in (tmp_path / "first.png", *names)]
    assert done.status == 0


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
@pytest.mark.parametrize(
    ("mark", "encoding"), [(BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be"), (BOM_UTF8, "utf-8")]
)
@pytest.mark.parametrize("place", ["file", "-"])
def test_names_are_read_in_the_encodings_that_windows_writes(run, picture, tmp_path, end, mark, encoding, place):
    names = [str(picture(name)) for name in ("b.png", "ai é €.png")]
    text = mark + end.join([*names, ""]).encode(encoding)
    (tmp_path / "file").write_bytes(text)
    done = run(
        "batch", "--files-from", place if place == "-" else tmp_path / place, "--csv", "--workers", 1, stdin=text
    )
    assert ([r["path"] for r in rows(done.out)], done.status) == (names, 0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BOM_UTF16_LE + b"/\0a", "begins as UTF-16 and does not go on so: save the names as UTF-8"),
        ("/a.png\r\n".encode("utf-16-le"), "looks like UTF-16 without its mark: save the names as UTF-8"),
        ("/a.png\n".encode("utf-16-be"), "looks like UTF-16 without its mark: save the names as UTF-8"),
        (b"\xff\xd8\xff\0/\0", "is a picture: --files-from reads names, one per line"),
    ],
)
def test_what_is_no_list_of_names_never_names_a_folder(run, tmp_path, text, line):
    (tmp_path / "names").write_bytes(text)
    done = run("batch", "--files-from", tmp_path / "names", "--csv")
    assert (done.status, done.out, done.err) == (2, "", f"aiforensics: {tmp_path / 'names'} {line}\n")


def test_standard_input_is_no_picture_of_a_batch(run, picture):
    done = run("batch", picture("a.png"), "-", "--csv")
    line = "batch does not read standard input: use scan -, or --files-from - for names"
    assert (done.status, done.out, done.err) == (2, "", f"aiforensics: {line}\n")


def test_a_list_of_names_is_no_place_for_results(run, picture, tmp_path):
    (tmp_path / "names").write_text(f"{picture('a.png')}\n")
    assert "overwrite an input" in run("batch", "--files-from", tmp_path / "names", f"--csv={tmp_path / 'names'}").err
    assert "overwrite an input" in run("batch", "--files-from", tmp_path / "names", f"--csv={tmp_path / 'a.png'}").err
    done = run("batch", "--files-from", tmp_path / "none", "--csv")
    assert (done.status, done.err) == (2, f"aiforensics: {tmp_path / 'none'}: No such file or directory\n")
    assert "--files-from" in run("batch").err


def test_a_resumed_batch_tells_of_what_was_refused_before(run, album, tmp_path):
    assert run("batch", album, "--csv", tmp_path / "o.csv", "--workers", 1).status == 2
    done = run("batch", album, "--csv", tmp_path / "o.csv", "--resume", "--workers", 1)
    assert done.status == 2
    assert "nothing to do; 1 refused in the run before" in done.err


def test_what_is_left_out_is_told_by_kind(run, album):
    (album / "more.zip").write_bytes(b"PK")
    (album / "a.jxl").write_bytes(b"x")
    assert "3 other files left out (" in run("batch", album, "--workers", 1).err


def test_usage_errors(run, album):
    assert run("batch", album, "--csv", "--jsonl").status == 2
    assert run("batch", album, "--resume").status == 2
    assert run("batch", album, "--csv", "--resume").status == 2
    assert run("batch").status == 2
    assert run("batch", album, "--workers", 0).status == 2


@pytest.mark.parametrize("option", ["csv", "jsonl", "html"])
def test_results_never_overwrite_an_input_a_picture_or_a_document(run, album, tmp_path, picture, option):
    (tmp_path / "keep.psd").write_bytes(b"8BPS\0\1 a drawing")
    shutil.copy(tmp_path / "more.zip", tmp_path / "keep.zip")
    others = (tmp_path / "keep.psd", tmp_path / "keep.zip")
    for target in (album / "ai.png", tmp_path / "more.zip", picture("other.png"), *others):
        before = target.read_bytes()
        done = run("batch", album, tmp_path / "more.zip", f"--{option}={target}", "--workers", 1)
        assert done.status == 2
        assert "would overwrite" in done.err
        assert len(done.err.splitlines()) == 1
        assert target.read_bytes() == before


def test_two_results_cannot_go_to_one_file(run, album, tmp_path):
    assert "one file" in run("batch", album, f"--csv={tmp_path / 'o'}", f"--jsonl={tmp_path / 'o'}").err


def test_two_names_of_one_file_that_is_still_to_be_made_are_one_place(run, album, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("o")
    for other in (tmp_path / "o", "album/../o", "link"):
        assert "one file" in run("batch", album, "--csv=o", f"--html={other}", "--workers", 1).err
        assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("option", ["csv", "jsonl", "html"])
def test_a_batch_that_cannot_start_leaves_the_last_results_alone(run, album, tmp_path, option):
    out = tmp_path / f"o.{option}"
    assert run("batch", album, f"--{option}", out, "--workers", 1).status == 2
    before = out.read_bytes()
    assert len(before) > 100
    assert run("batch", album, f"--{option}", out, "--overwrite", "--workers", 1, "--model", "missing").status == 2
    assert out.read_bytes() == before


@pytest.mark.parametrize("option", ["csv", "jsonl", "html"])
@pytest.mark.parametrize("more", [(), ("--ray",)])
def test_a_batch_that_cannot_start_makes_no_file_and_says_why_alone(run, album, tmp_path, monkeypatch, option, more):
    monkeypatch.setitem(sys.modules, "ray", None)
    out = tmp_path / f"new.{option}"
    done = run("batch", album, f"--{option}", out, "--workers", 1, "--model", "missing", *more)
    assert (done.status, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("aiforensics: this needs the package ray" if more else "aiforensics: there is no bundle")
    assert not out.exists()


def test_a_resumed_page_of_files_that_are_still_to_be_made(run, album, tmp_path):
    page = tmp_path / "o.html"
    assert run("batch", album, "--csv", tmp_path / "o.csv", "--html", page, "--resume", "--workers", 1).status == 2
    assert page.read_text().count("ai.png") == 1


def test_a_batch_of_nothing_writes_an_empty_table(run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "o.csv").write_text("another table\n")
    assert run("batch", tmp_path / "empty", "--csv", tmp_path / "o.csv", "--overwrite").status == 0
    assert (tmp_path / "o.csv").read_text().startswith(HEADER)
    assert rows(run("batch", tmp_path / "empty", "--csv").out) == []


def test_an_interrupted_batch_keeps_its_page(album, tmp_path, monkeypatch, fakes):
    def interrupted(*_, **__):
        yield fakes.finding("first.png").to_dict()
        raise KeyboardInterrupt

    monkeypatch.setattr(many, "scan_items", interrupted)
    page = tmp_path / "o.html"
    with many.Outputs(None, None, page) as outputs, pytest.raises(KeyboardInterrupt):
        many.run([album], fakes.Scanner, outputs, workers=1, timeout=1, ray=None)
    assert "first.png" in page.read_text()


def test_a_resumed_page_shows_a_picture_once(run, album, tmp_path):
    lines, table, page = tmp_path / "o.jsonl", tmp_path / "o.csv", tmp_path / "o.html"
    (album / "new\nline.png").write_bytes((album / "ai.png").read_bytes())
    for first in (lines, table):
        for path in (lines, table):
            path.unlink(missing_ok=True)
        run("batch", album, f"--{first.suffix[1:]}", first, "--workers", 1)
        run("batch", album, "--jsonl", lines, "--csv", table, "--html", page, "--resume", "--workers", 1)
        assert page.read_text().count("ai.png") == 1
        assert page.read_text().count("line.png") == 1
        assert len(rows(table.read_text())) == len(lines.read_text().splitlines()) == 4


def test_a_missing_model_is_one_line(run, album):
    done = run("batch", album, "--model", "missing", "--workers", 1)
    assert done.status == 2
    assert "aiforensics: there is no bundle named missing\n" in done.err


def test_a_missing_ray_says_which_extra(run, album, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    done = run("batch", album, "--ray")
    assert done.status == 2
    assert "pip install '.[ray]' in the checkout" in done.err


@pytest.fixture
def long_batch(tmp_path, picture):
    """Starts a batch of many slow pictures, with a signal handled or ignored, and waits for its first results."""
    begun = []

    def start(count, number=signal.SIGINT, handler=signal.SIG_DFL, more=()):
        for i in range(count):
            picture(f"album/{i:02}-slow.png", 64, 64)
        out, page = tmp_path / "o.csv", tmp_path / "o.html"
        command = [sys.executable, PORCH, "batch", tmp_path / "album", "--csv", out, "--html", page, "--workers", "2"]
        command += more
        process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A background job is born ignoring SIGINT, and one under nohup SIGHUP.
            preexec_fn=lambda: signal.signal(number, handler),  # noqa: PLW1509 - no threads here
        )
        begun.append(process)
        deadline = time.monotonic() + 60
        while not (out.exists() and out.read_bytes().count(b"\n") > 2):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return process, out, page

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "status", "more"),
    [
        (signal.SIGINT, 130, []),
        (signal.SIGTERM, 143, []),
        (signal.SIGTERM, 143, ["--debug"]),
        pytest.param(signal.SIGHUP, 143, [], id="SIGHUP"),
    ],
)
def test_a_signal_keeps_what_is_done(long_batch, number, status, more):
    process, out, page = long_batch(60, number, more=more)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Traceback" not in err
    assert "interrupted; what is done is kept" in err
    assert 2 <= len(rows(out.read_text())) < 60
    assert "00-slow.png" in page.read_text()


def test_a_terminal_that_closes_does_not_end_a_batch_under_nohup(long_batch):
    process, out, _ = long_batch(12, signal.SIGHUP, signal.SIG_IGN)
    os.killpg(process.pid, signal.SIGHUP)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(rows(out.read_text())) == 12


def test_workers_whose_parent_is_killed_end_without_a_word(long_batch):
    process, *_ = long_batch(60)
    process.kill()
    _, err = process.communicate(timeout=30)  # until the last worker has closed it too
    assert err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
@pytest.mark.parametrize("more", [[], ["--csv"]], ids=["lines", "csv"])
def test_a_bar_on_a_terminal_goes_with_results_in_a_pipe(album, more):
    import pty

    screen, terminal = pty.openpty()
    porch = Path(__file__).parents[1] / "support" / "porch.py"
    command = [sys.executable, porch, "batch", album, *more, "--workers", "1"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=terminal, check=False, env=os.environ | {"TERM": "xterm"}
    )
    os.close(terminal)
    shown = b"".join(iter(lambda: _read(screen), b"")).decode()
    os.close(screen)
    assert done.returncode == 2
    assert done.stdout.count(b"\n") == 3 + bool(more)
    assert all(name in done.stdout for name in (b"ai.png", b"z.jpg", b"bad.png"))
    assert "bad.png" not in shown
    assert "picture" in shown
    assert "internal error" not in shown


def _read(screen):
    try:
        return os.read(screen, 65536)
    except OSError:  # the last one on the other side has closed it
        return b""


@pytest.mark.parametrize("place", ["album", "empty"])
def test_a_full_disk_is_told_with_the_name_of_the_file(run, album, tmp_path, place):
    (tmp_path / "empty").mkdir()
    done = run("batch", album.parent / place, "--csv=/dev/full", "--workers", 1)
    assert done.status == 2
    assert done.err.splitlines()[-1] == "aiforensics: /dev/full: No space left on device"


@pytest.mark.parametrize(
    "command", [["scan", "--json"], ["batch", "--jsonl", "--workers", "1"], ["scan", "--json", "--debug"]]
)
def test_a_reader_that_goes_away_ends_it_quietly(picture, command):
    paths = [picture(f"{i}.png", 64, 64) for i in range(20)]
    process = subprocess.Popen(
        [sys.executable, PORCH, *command, *paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert json.loads(process.stdout.readline())["verdict"] == "real"
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 141
    assert "Traceback" not in err
    assert "Broken" not in err


def test_page_and_file_are_finished_when_the_reader_goes_away(picture, tmp_path):
    page, lines = tmp_path / "o.html", tmp_path / "o.jsonl"
    paths = [picture(f"{i}.png", 64, 64) for i in range(12)]
    process = subprocess.Popen(
        [sys.executable, PORCH, "batch", "--csv", "-", "--html", page, "--jsonl", lines, "--workers", "1", *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().startswith("path,")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 141
    assert "Traceback" not in err
    assert len(lines.read_text().splitlines()) == 12
    assert all(f"{i}.png" in page.read_text() for i in range(12))


def test_a_trust_list_is_that_of_every_worker(run, album, monkeypatch):
    given = []

    def scan_items(_items, factory, **_):
        given.append(factory.keywords["trust"])
        yield from ()

    monkeypatch.setattr(many, "scan_items", scan_items)
    trust = album / "root.pem"
    trust.write_text("certificates")
    assert run("batch", album, "--trust", trust).status == 0
    assert given == [trust]
