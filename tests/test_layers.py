"""The contracts of pyproject.toml on who imports whom, run as a test."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_run_downwards():
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


def test_contributing_names_every_layer_of_the_house():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one.get("containers") == ["aiforensics"])
    stated = " → ".join(f"`{layer.replace('(', '').replace(')', '')}`" for layer in layers)
    assert stated in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_an_optional_library_is_imported_in_one_file():
    homes = {
        library: [
            path.relative_to(ROOT).as_posix()
            for folder in ("forensics", "cli")
            for path in (ROOT / folder).rglob("*.py")
            if f"import {library}" in (text := path.read_text("utf-8")) or f'import_module("{library}")' in text
        ]
        for library in ("pillow_heif", "rawpy", "c2pa", "ray")
    }
    assert {library: files for library, files in homes.items() if len(files) > 1} == {}
