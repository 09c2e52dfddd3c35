"""Where results go is looked at before the work: nothing is scanned or measured whose result would be lost."""

import os
from pathlib import Path

import pytest

from aiforensics import pipeline

COMMANDS = [
    ("evaluate", "--report"),
    ("evaluate", "--json"),
    ("audit", "--report"),
    ("audit", "--json"),
    ("batch", "--html"),
    ("batch", "--csv"),
    ("batch", "--jsonl"),
    ("scan", "--report"),
    ("scan", "--maps"),
    ("explain", "--maps"),
]
FILES = [case for case in COMMANDS if case[1] != "--maps"]


@pytest.fixture
def refused(run, picture, monkeypatch):
    """Runs a command that has to end before any work with one line about an output, and gives that line."""

    def work(*_, **__):
        pytest.fail("the work began")

    monkeypatch.setattr(pipeline, "Scanner", work)
    monkeypatch.setattr("aiforensics.lab.data.dataset.load_dataset", work)

    def call(command, option, place):
        done = run(command, picture("in.png"), f"{option}={place}")
        assert (done.status, done.out) == (2, "")
        (line,) = done.err.splitlines()
        assert line.startswith(f"aiforensics: {place}: ")
        return line

    return call


@pytest.mark.parametrize(("command", "option"), FILES)
def test_a_file_in_a_folder_that_is_missing(refused, tmp_path, command, option):
    line = refused(command, option, tmp_path / "none" / "out.html")
    assert f"there is no folder {tmp_path / 'none'}" in line


@pytest.mark.parametrize(("command", "option"), COMMANDS)
def test_a_place_below_a_file(refused, tmp_path, command, option):
    (tmp_path / "text").write_text("no folder")
    assert f"{tmp_path / 'text'} is not a folder" in refused(command, option, tmp_path / "text" / "out")


@pytest.mark.parametrize(("command", "option"), COMMANDS)
def test_a_folder_that_may_not_be_written(refused, tmp_path, monkeypatch, command, option):
    (tmp_path / "shut").mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, how: Path(path).name != "shut" and allowed(path, how))
    assert "nothing may be written into the folder" in refused(command, option, tmp_path / "shut" / "out")


@pytest.mark.parametrize(("command", "option"), FILES)
def test_a_file_that_may_not_be_written(refused, tmp_path, monkeypatch, command, option):
    (tmp_path / "shut.html").write_text("kept")
    monkeypatch.setattr(os, "access", lambda path, how: how != os.W_OK or Path(path).name != "shut.html")
    assert "this file may not be written" in refused(command, option, tmp_path / "shut.html")


@pytest.mark.parametrize(("command", "option"), FILES)
@pytest.mark.parametrize(
    "start",
    [
        *(
            b"8BPS",
            b"PK\3\4",
            b"%PDF-1.7",
            b"\xff\x0a",
            b"\x1f\x8b\x08",
            b"7z\xbc\xaf\x27\x1c",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        ),
        *(b"\0\0\0\x20ftypisom", b"RIFF....AVI ", b"SQLite format 3\0", b"name" + b"\0" * 253 + b"ustar"),
    ],
)
def test_a_document_in_the_place_of_a_result(run, picture, tmp_path, command, option, start):
    (tmp_path / "keep").write_bytes(start + b" kept")
    done = run(command, picture("in.png"), f"{option}={tmp_path / 'keep'}")
    assert (done.status, done.out, (tmp_path / "keep").read_bytes()) == (2, "", start + b" kept")
    assert done.err.startswith("aiforensics: the results would overwrite a")


@pytest.mark.parametrize(("command", "option"), FILES)
def test_what_else_a_command_reads_is_never_replaced(run, picture, tmp_path, command, option):
    """Certificates, the files of a bundle, first weights, and a picture of an input folder that is broken."""
    read = picture("in/in.png").parent
    (tmp_path / "bundle").mkdir()
    kept = [tmp_path / name for name in ("ca.pem", "bundle/bundle.json", "bundle/CARD.md", "first.pth", "in/torn.JPG")]
    for file in kept:
        file.write_bytes(b"kept")
    used = {"scan": ["--trust", kept[0]], "batch": ["--trust", kept[0], "--overwrite"]}
    used["evaluate"] = ["--leave-one-source-out", "--weights", kept[3]]
    model = [] if command == "audit" else ["--model", tmp_path / "bundle"]
    others = {"scan": kept[:3], "batch": [*kept[:3], kept[4]], "audit": kept[4:], "evaluate": kept[1:]}
    for file in others[command]:
        done = run(command, read, *model, *used.get(command, []), f"{option}={file}")
        assert (done.status, done.out, file.read_bytes()) == (2, "", b"kept")
        assert done.err == f"aiforensics: the results would overwrite an input: {file}\n"


@pytest.mark.parametrize(("command", "option"), [c for c in FILES if c[1] in ("--json", "--csv", "--jsonl")])
def test_a_folder_in_the_place_of_a_file(refused, tmp_path, command, option):
    assert "this is a folder" in refused(command, option, tmp_path)


def test_the_folder_of_checkpoints(run, tmp_path):
    (tmp_path / "text").write_text("no folder")
    done = run("evaluate", tmp_path, "--leave-one-source-out", "--work", tmp_path / "text" / "work")
    assert (done.status, done.out) == (2, "")
    assert f"{tmp_path / 'text'} is not a folder" in done.err


@pytest.mark.parametrize(("command", "option"), FILES)
def test_links_that_lead_to_each_other(refused, tmp_path, command, option):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert "this link leads to itself" in refused(command, option, tmp_path / "one")


@pytest.mark.usefixtures("fake_pipeline")
def test_a_link_to_a_file_that_is_still_to_be_made_is_a_good_place(run, picture, tmp_path):
    (tmp_path / "link.html").symlink_to(tmp_path / "page.html")
    assert run("scan", picture("a.png"), "--report", tmp_path / "link.html", "--maps", tmp_path / "m" / "n").status == 0
    assert (tmp_path / "page.html").is_file()
    (tmp_path / "astray.html").symlink_to(tmp_path / "none" / "page.html")
    assert run("scan", picture("a.png"), "--report", tmp_path / "astray.html").status == 2


@pytest.mark.usefixtures("fake_pipeline")
@pytest.mark.parametrize("option", [("scan", "--report"), ("batch", "--workers=1", "--html")])
def test_a_pipe_without_a_name_is_a_good_place(run, picture, option):
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe:
        *command, flag = option
        assert run(*command, picture("a.png"), f"{flag}=/dev/fd/{writer}").status == 0
        os.close(writer)
        assert pipe.read().endswith(b"</html>")


@pytest.mark.usefixtures("fake_pipeline")
@pytest.mark.parametrize("place", ["/dev/stderr", "/dev/null"])
def test_a_device_is_a_good_place(run, picture, place):
    assert run("batch", picture("a.png"), f"--csv={place}", "--workers", 1).status == 0
