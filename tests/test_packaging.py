"""What an installation promises: light imports, honest metadata, a README whose commands exist."""

import json
import re
import shlex
import subprocess
import sys
import time
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import aiforensics
from aiforensics_cli.app import COMMANDS, EXTRAS
from aiforensics_cli.checkup import requirements

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
README = (ROOT / "README.md").read_text("utf-8")
HEAVY = {"torch", "torchvision", "sklearn", "xgboost", "matplotlib", "onnx"}


def python(code):
    """Runs code in a fresh interpreter with the three source roots on its path; gives its output."""
    roots = [str(ROOT / name) for name in ("forensics", "cli", "models")]
    code = f"import sys; sys.path[:0] = {roots!r}; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout


def seconds(code):
    def once():
        start = time.perf_counter()
        python(code)
        return time.perf_counter() - start

    return min(once() for _ in range(5))


def modules(code):
    return set(python(f"{code}\nprint(); print(*sys.modules)").splitlines()[-1].split())


def command_line(*args):
    """Code that runs the command line and survives its exit."""
    return (
        f"sys.argv = ['aiforensics', *{args!r}]; from aiforensics_cli.app import main; import contextlib\n"
        "with contextlib.suppress(SystemExit): main()"
    )


def test_the_import_is_light():
    assert modules("import aiforensics") & (HEAVY | {"numpy", "PIL", "cv2", "scipy", "onnxruntime"}) == set()
    bare, ours, numpy = (seconds(code) for code in ("pass", "import aiforensics", "import numpy"))
    assert ours - bare <= max(numpy - bare, 0.05)


def test_help_loads_no_library_of_the_scan():
    assert modules(command_line("--help")) & (HEAVY | {"numpy", "PIL", "cv2", "scipy", "onnxruntime"}) == set()
    assert modules(command_line("scan", "--help")) & (HEAVY | {"numpy", "cv2", "scipy", "onnxruntime"}) == set()


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_the_help_of_every_command_is_light(row):
    loaded = modules(command_line(row.name, "--help"))
    assert loaded & (HEAVY | {"numpy", "PIL", "cv2", "scipy", "onnxruntime"}) == set()


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("show",)], ids=" ".join)
def test_bundles_are_told_of_without_what_reads_pictures(words):
    assert modules(command_line("models", *words)) & (HEAVY | {"PIL", "cv2", "scipy", "onnxruntime"}) == set()


def test_a_scan_never_loads_the_training_libraries():
    loaded = modules(command_line("scan", "samples/cat.jpg", "--json"))
    assert "onnxruntime" in loaded
    assert loaded & (HEAVY - {"xgboost"}) == set()
    assert loaded & {"rich", "ssl"} == set()  # for people, and for --trust


def test_the_public_names_exist():
    for name in aiforensics.__all__:
        assert getattr(aiforensics, name) is not None
    listed = python("import aiforensics; print(*dir(aiforensics))").split()  # where nothing is imported yet
    assert set(aiforensics.__all__) <= set(listed)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = aiforensics.nothing


def test_the_metadata_agree_with_the_code():
    assert PROJECT["project"]["version"] == aiforensics.__version__
    assert f"version: {aiforensics.__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## {aiforensics.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert set(requirements()) == {line.partition(">=")[0] for line in PROJECT["project"]["dependencies"]}
    assert set(EXTRAS.values()) | {"all"} == set(PROJECT["project"]["optional-dependencies"])
    for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert (ROOT / package / "py.typed").exists()
    module, _, function = PROJECT["project"]["scripts"]["aiforensics"].partition(":")
    assert callable(getattr(import_module(module), function))


def test_the_source_archive_holds_what_its_tests_read():
    packed = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {".ci", "Makefile", "benchmarks", "docs", "samples", "tests"} <= set(packed)


def blocks(language):
    """Fenced code blocks of the README."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def readme_commands():
    lines = [line.split("  #")[0].removeprefix("$ ") for block in blocks("sh(?:ell)?") for line in block.splitlines()]
    return sorted({line.strip() for line in lines if line.strip().startswith("aiforensics ")})


def test_the_readme_names_its_two_commands_and_they_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("line", readme_commands())
def test_the_commands_of_the_readme_exist(line, capsys, monkeypatch):
    from aiforensics_cli.app import main

    words = shlex.split(line.split("|")[0].split(">")[0])
    assert words[1] in {row.name for row in COMMANDS}
    chain = [words[1], *(word for word in words[2:3] if words[1] in ("models", "synth"))]
    monkeypatch.setattr(sys, "argv", ["aiforensics", *chain, "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    shown = capsys.readouterr().out
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert option in shown


def test_the_readme_shows_what_its_commands_print():
    check = [sys.executable, ROOT / "benchmarks" / "readme_output.py", "--check"]
    done = subprocess.run(check, capture_output=True, text=True, cwd=ROOT, check=False)
    assert not done.returncode, done.stderr


def test_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target
    for target in re.findall(r'src="(?!https?://)([^"]+)"', README):
        assert (ROOT / target).exists(), target


def test_the_documents_state_the_figures_of_the_shipped_bundle():
    path = ROOT / "models" / "aiforensics_models" / "bundles" / "default" / "metrics.json"
    found = json.loads(path.read_text("utf-8"))
    low, high = found["intervals"]["roc_auc"]
    reach, as_found = f"({low:.3f}–{high:.3f})", found["as_found"]["roc_auc"]
    recipes = (ROOT / "docs" / "RECIPES.md").read_text("utf-8")
    row = f"see its card) | **{found['roc_auc']:.3f}** {reach} | {found['accuracy']:.3f} | {as_found:.3f} |"
    assert row in recipes
    assert f"{found['pictures']['judged']} pictures, both classes delivered alike" in recipes
    alone = [found["conditions"][name]["roc_auc"] for name in ("clean", "jpeg90", "jpeg75", "half")]
    assert f"| ROC AUC, all conditions | {found['roc_auc']:.3f} {reach} |" in README
    assert f"half size | {' / '.join(f'{auc:.3f}' for auc in alone)} |" in README
    assert f"| real pictures called `ai` | {found['false_alarms']:.1%} |".replace("%", " %") in README
