import importlib
import sys
from pathlib import Path

import pytest

collect_ignore = ["garbling_scanners.py"]  # a module of worker processes, which finds its imports there alone


@pytest.fixture
def garbling(fakes, monkeypatch):
    """The module of scanners that garble what they say, importable by worker processes too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield importlib.import_module("garbling_scanners")
    sys.modules.pop("garbling_scanners", None)


@pytest.fixture
def folder(tmp_path):
    """Makes files in a folder: `folder("a.png", "b.jpg")`."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        return tmp_path

    return make
