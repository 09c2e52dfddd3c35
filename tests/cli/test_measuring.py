"""`audit` and `evaluate`: what a refused picture means for the exit status."""

import io
import json
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from aiforensics import pipeline
from aiforensics_cli import measuring


@pytest.fixture
def data(picture, monkeypatch, fakes):
    """A set of 12 + 12 pictures, and a scanner with a bundle."""

    class Scanner(fakes.GateScanner):
        def __init__(self, model="default", **options):
            super().__init__(model, **options)
            self.bundle = SimpleNamespace(name=model, version="1", sha256="0" * 64, manifest={})

    monkeypatch.setattr(pipeline, "Scanner", Scanner)
    for i in range(24):
        label = "ai" if i % 2 else "real"
        first = picture(f"set/{label}/{label}{i}.png", seed=i)
    return first.parents[1]


@pytest.mark.parametrize("command", [("audit",), ("evaluate", "--split", "all")])
@pytest.mark.parametrize("where", ["file", "-"])
def test_a_refused_picture_is_told_and_is_status_2_and_the_results_are_written(run, data, tmp_path, command, where):
    out = "-" if where == "-" else tmp_path / "out.json"

    def measured():
        done = run(*command, data, "--json", out, "--report", tmp_path / "page.html")
        return done, json.loads(done.out if where == "-" else out.read_text())

    done, content = measured()
    assert (done.status, "refused" in done.err) == (0, False)
    assert content.get("refused", content.get("broken")) == []
    (data / "ai" / "torn.png").write_bytes(b"nothing of a picture")
    (tmp_path / "page.html").unlink()
    done, content = measured()
    assert done.status == 2
    assert "1 file was refused: " in done.err
    assert "torn.png" in done.err
    ((path, _),) = content.get("refused", content.get("broken"))
    assert path == str(data / "ai" / "torn.png")
    assert "<html" in (tmp_path / "page.html").read_text()


def test_an_audit_names_the_duplicates_that_it_counts(run, data):
    (data / "ai" / "copy.png").write_bytes((data / "real" / "real0.png").read_bytes())
    done = run("audit", data)
    assert done.status == 0
    line = next(line for line in done.out.splitlines() if line.startswith("family"))
    assert str(data / "ai" / "copy.png") in line
    assert str(data / "real" / "real0.png") in line


def test_a_terminal_breaks_remarks_between_words(monkeypatch):
    content = {
        "cues": {},
        "remarks": [{"level": "warning", "text": "long words " * 12, "advice": "do that " * 12}],
        "duplicates": {"examples": []},
    }
    stream = io.StringIO()
    monkeypatch.setattr(
        measuring, "results", lambda: Console(file=stream, width=60, force_terminal=True, no_color=True)
    )
    measuring.show_audit("Files", content)
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in stream.getvalue().splitlines()]
    (at,) = [i for i, line in enumerate(lines) if line.startswith("warning long words")]
    assert re.match(r" {8}(long|words) ", lines[at + 1])
    assert all(len(line) <= 60 for line in lines)
    assert not any(line.endswith((" lon", " wor", " tha")) for line in lines)
