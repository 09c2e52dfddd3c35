"""Scripts beside the packages, which the documents name: every name of ours that they import is there."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "models" / "training").glob("*.py")))
pytestmark = pytest.mark.train


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_what_a_script_imports_of_ours_is_there(script):
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiforensics"):
            for name in node.names:
                assert hasattr(import_module(node.module), name.name), f"{node.module} has no {name.name}"
