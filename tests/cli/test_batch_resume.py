"""What `batch --resume` goes on with, and what it refuses to go on with."""

import zipfile

import pytest

from aiforensics_cli import many

pytestmark = pytest.mark.usefixtures("fake_pipeline")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_resume_scans_a_second_picture_of_the_same_name(run, picture, tmp_path, kind):
    out, page = tmp_path / f"o.{kind}", tmp_path / "o.html"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(picture("p.png"), "p.png")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.write(picture("q.png", seed=1), "p.png")
    flags = ["batch", tmp_path / "a.zip", picture("r.png"), tmp_path / "r.png", f"--{kind}", out, "--workers", 1]
    assert run(*flags).status == 0
    whole = out.read_bytes().splitlines(keepends=True)
    for rest in (1, 2, 3, 4):
        out.write_bytes(b"".join(whole[:-rest]))
        assert f"{rest} picture" in run(*flags, "--resume", "--html", page).err
        assert len(out.read_bytes().splitlines()) == len(whole)
        assert [page.read_text().count(f"{name}</bdi>") for name in ("a.zip!p.png", "r.png")] == [2, 2]
    assert "nothing to do" in run(*flags, "--resume").err


def test_two_files_are_continued_from_where_each_ended(run, picture, tmp_path):
    table, lines, page = tmp_path / "o.csv", tmp_path / "o.jsonl", tmp_path / "o.html"
    flags = ["batch", *[picture("p.png")] * 4, "--csv", table, "--jsonl", lines, "--workers", 1]
    assert run(*flags).status == 0
    for short, rest in ((table, 3), (lines, 3)):
        for file, cut in ((table, 1), (lines, 1), (short, rest - 1)):
            file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-cut]))
        assert "3 pictures in" in run(*flags, "--resume", "--html", page).err
        assert len(table.read_text().splitlines()) - 1 == len(lines.read_text().splitlines()) == 4
        assert page.read_text().count("p.png</bdi>") == 4


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_another_model_is_told_before_anything_is_scanned(run, picture, tmp_path, kind, monkeypatch):
    out = tmp_path / f"o.{kind}"
    flags = ["batch", picture("a.png"), f"--{kind}", out, "--workers", 1]
    assert run(*flags).status == 0
    before = out.read_bytes()
    monkeypatch.setattr(many, "scan_items", None)
    for more in ((), (picture("b.png"),)):
        done = run(*flags, *more, "--resume", "--model", "other")
        assert (done.status, out.read_bytes()) == (2, before)
        line = "was written with the model default 1.0 abababababab, this is other 1.0 abababababab: use another file"
        assert done.err == f"aiforensics: {out} {line}\n"


def test_what_redact_leaves_out_is_not_kept_from_the_run_before(run, picture, tmp_path):
    out = tmp_path / "o.jsonl"
    flags = ["batch", picture("private.png"), picture("z.png"), "--jsonl", out, "--workers", 1, "--resume"]
    assert run(*flags).status == 0
    before = out.read_bytes()
    done = run(*flags, "--redact")
    assert (done.status, out.read_bytes()) == (2, before)
    assert done.err == f"aiforensics: {out}: line 1 was written without --redact: use another file\n"
    out.unlink()
    assert [run(*flags, "--redact").status for _ in range(2)] == [0, 0]
    assert "Jane" not in out.read_text()
    before = out.read_bytes()
    done = run(*flags, picture("more/private.png"))
    assert (done.status, out.read_bytes()) == (2, before)
    line = f"aiforensics: {out}: line 1 was written with --redact: give it again, or use another file\n"
    assert done.err == line
