import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from aiforensics import __version__
from aiforensics.analyzers import ANALYZERS
from aiforensics_cli import app
from aiforensics_cli.console import clean
from aiforensics_cli.many import _plain


def test_version_and_overview(run):
    assert run("--version").out == f"aiforensics {__version__}\n"
    done = run("--help")
    assert done.status == 0
    assert all(row.name in done.out for row in app.COMMANDS)


@pytest.mark.parametrize("row", app.COMMANDS, ids=lambda row: row.name)
def test_every_command_has_a_module_and_help(run, row):
    assert import_module(f"aiforensics_cli.commands.{row.name}").app
    done = run(row.name, "--help")
    assert done.status == 0
    assert f"aiforensics {row.name}" in done.out
    assert "completion" not in done.out


@pytest.mark.parametrize("row", app.COMMANDS, ids=lambda row: row.name)
def test_help_says_what_a_command_is_in_lines_that_80_columns_keep(row):
    command = typer.main.get_command(import_module(f"aiforensics_cli.commands.{row.name}").app)
    for one in (command, *getattr(command, "commands", {}).values()):
        _, *later = one.help.split("\n\n")
        assert all(len(line) <= 78 for text in later if "\n" in text for line in text.splitlines())


def test_the_options_of_train_stand_in_groups(run):
    shown = run("train", "--help").out
    places = [shown.index(f" {title} ──") for title in ("Data", "Training", "Fusion", "Output")]
    assert places == sorted(places)


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["scan", "--help"], ["models"]], ids=" ".join)
def test_help_and_version_end_as_results_do(args):
    def ended(place):
        command = [sys.executable, "-m", "aiforensics_cli", *args]
        done = subprocess.run(command, stdout=place, stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr

    reader, unread = os.pipe()
    os.close(reader)
    assert ended(unread) == (141, "")
    os.close(unread)
    with Path("/dev/full").open("w") as full:
        assert ended(full) == (2, "aiforensics: No space left on device\n")


def test_every_module_is_a_command():
    folder = Path(app.__file__).parent / "commands"
    assert {p.stem for p in folder.glob("[a-z]*.py")} == {row.name for row in app.COMMANDS}


def test_usage_errors_have_status_2(run):
    assert run("sacn").status == 2
    assert "scan" in run("sacn").err
    assert run("scan").status == 2
    assert run("scan", "a.png", "--nonsense").status == 2
    assert run("scan", "a.png", "--device", "tpu").status == 2


def _traced(capfd):
    with pytest.raises(SystemExit) as left:
        app.main()
    assert left.value.code == app.REFUSED
    told = capfd.readouterr().err
    assert told.startswith("Traceback (most recent call last):\n")
    return told


@pytest.mark.usefixtures("fake_pipeline")
def test_an_unexpected_error_is_one_line_and_debug_shows_where(run, picture, monkeypatch, capfd):
    done = run("scan", picture("a.png"), "--model", "defect")
    assert done.status == 2
    assert done.err == "aiforensics: internal error: RuntimeError: a defect (--debug shows where)\n"
    monkeypatch.setattr(sys, "argv", ["aiforensics", "scan", str(picture("a.png")), "--model", "defect", "--debug"])
    assert _traced(capfd).endswith("RuntimeError: a defect\n")


@pytest.mark.parametrize("command", [row.name for row in app.COMMANDS])
def test_help_says_truly_where_the_network_runs(run, command):
    told = " ".join(run(command, "--help").out.replace("│", "").split())
    if "--device" in told:
        where = (
            "auto and cpu: the CPU" if command in ("scan", "batch", "explain", "evaluate") else "Where training runs"
        )
        assert where in told


@pytest.mark.parametrize("command", ["scan", "explain"])
def test_debug_shows_where_an_analyzer_failed(run, picture, monkeypatch, capfd, command):
    def measure(_self, _exhibit):
        return {}["a slip"]

    monkeypatch.setattr(type(ANALYZERS[0]), "measure", measure)
    done = run(command, picture("a.png"))
    assert done.status == 2
    assert done.err.endswith("a.png: the scan failed: KeyError: 'a slip'\n")
    monkeypatch.setattr(sys, "argv", ["aiforensics", command, str(picture("a.png")), "--debug"])
    assert _traced(capfd).endswith("KeyError: 'a slip'\n")


@pytest.mark.usefixtures("fake_pipeline")
def test_a_refused_picture_has_no_traceback(run, picture):
    assert run("scan", picture("a.png"), "missing.png", "--debug").err == (
        "aiforensics: missing.png: there is no such file: check the path\n"
    )


def test_where_a_worker_failed_is_printed_for_who_asks(picture):
    porch = Path(__file__).parents[1] / "support" / "porch.py"
    command = [sys.executable, porch, "batch", picture("bug.png"), "missing.png", picture("z.png"), "--workers", "1"]
    for more in ([], ["--debug"]):
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert [line.split()[0] for line in done.stdout.splitlines()] == ["refused", "refused", "real"]
        assert done.stderr.count("Traceback") == done.stderr.count("\nZeroDivisionError: a defect\n") == bool(more)


def test_a_narrow_code_page_gets_plain_signs_from_every_command(picture):
    porch = Path(__file__).parents[1] / "support" / "porch.py"
    env = os.environ | {"PYTHONIOENCODING": "ascii"}

    def told(*words):
        done = subprocess.run([sys.executable, porch, *words], capture_output=True, text=True, check=False, env=env)
        return done.stdout, done.stderr

    _, summary = told("batch", picture("a·b.png"), "missing.png", "--workers", "1")
    assert summary.endswith(": 1 real - 1 refused\n")
    listed, _ = told("models", "list")
    assert " - sha256 " in listed
    assert _plain({"quality": {"level": "poor"}, "verdict": "inconclusive", "path": "a–b"}, "ascii").split() == [
        *("inconclusive", "-", "poor", "a–b")
    ]


@pytest.mark.parametrize("more", [[], ["--debug"]])
def test_messages_that_a_full_disk_does_not_take_cost_no_result_and_no_status(picture, more):
    porch = Path(__file__).parents[1] / "support" / "porch.py"

    def ended(*words):
        command = [sys.executable, porch, *words, *more]
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
        return done.returncode, len(done.stdout.splitlines())

    assert ended("scan", "missing.png", picture("a.png"), "--json") == (2, 2)
    assert ended("batch", picture("a.png"), "--jsonl", "--workers", "1") == (0, 1)
    assert ended("scan", picture("a.png"), "--model", "missing") == (2, 0)


@pytest.mark.parametrize(
    ("package", "extra"), [("torch", "train"), ("c2pa", "c2pa"), ("pillow_heif", "heif"), ("ray", "ray")]
)
def test_a_missing_extra_says_which(package, extra):
    error = ModuleNotFoundError(f"No module named '{package}.x'", name=f"{package}.x")
    assert app.expected(error) == f"this needs the package {package}: pip install '.[{extra}]' in the checkout"


def test_only_expected_errors_become_lines(tmp_path):
    assert app.expected(ValueError("x")) is None
    assert app.expected(ModuleNotFoundError("x", name="numpy")) is None
    assert app.expected(OSError(28, "No space left on device")) == "No space left on device"


@pytest.mark.usefixtures("fake_pipeline")
def test_ctrl_c_has_status_130(run, picture, monkeypatch, fakes, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(fakes.GateScanner, "examine", interrupted)
    for more in ([], ["--debug"]):
        done = run("scan", picture("a.png"), *more)
        assert done.status == 130
        assert done.err.strip().endswith("interrupted; what is done is kept")
    monkeypatch.setattr(fakes.GateScanner, "scan", interrupted)
    (report := tmp_path / "told.json").write_text('{"sha256": "", "model": {"name": "default"}}')
    assert run("verify", report, picture("a.png")).err.strip().endswith(": interrupted"), "nothing is kept of that"


def test_clean_keeps_words_and_escapes_signs_that_steer():
    assert clean("ünï × “a” 5\u202f%") == "ünï × “a” 5\u202f%"
    assert clean("a\x1b]8;;\x07\u202e\x9b\udce9\n") == "a\\x1b]8;;\\x07\\u202e\\x9b\\udce9\\n"
