import io
import json
import sys
from types import SimpleNamespace

import pytest

from aiforensics import pipeline
from aiforensics_cli import many
from aiforensics_cli.app import main


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs the command line in this process: `run("scan", "a.png")` gives status, out and err."""

    def call(*args, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["aiforensics", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        objects = [json.loads(line) for line in out.splitlines() if line.startswith('{"')]
        return SimpleNamespace(status=caught.value.code or 0, out=out, err=err, objects=objects)

    return call


@pytest.fixture
def fake_pipeline(monkeypatch, fakes):
    """Puts the fake scanner in the place of the real one, for what does not depend on a model."""
    monkeypatch.setattr(pipeline, "Scanner", fakes.GateScanner)
    monkeypatch.setattr(many, "Bundle", fakes.Bundle)
    return fakes
