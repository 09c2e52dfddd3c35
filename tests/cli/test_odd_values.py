"""Numbers that make no sense are usage errors, said before anything is read."""

import pytest

LEARN = ["--out", "bundle"]
ADAPT = ["default", "--strategy", "head", *LEARN]
SEEDED = {
    "audit": [],
    "evaluate": [],
    "train": LEARN,
    "compare": ["--recipes", "cnn"],
    "adapt": ADAPT,
    "synth train": ["--kind", "vae", *LEARN],
    "synth sample": LEARN,
}
CASES = [
    *((command, more, option) for command, more in SEEDED.items() for option in ("--seed=-1", "--seed=2147483648")),
    *(("batch", [], f"--timeout={value}") for value in ("inf", "1e12", "nan", "-1", "0", "86401")),
    *(
        (command, more, f"--{name}={value}")
        for command, more, names in (
            ("train", LEARN, ("rate", "minutes", "weight-decay", "emphasis")),
            ("adapt", ADAPT, ("rate", "minutes")),
            ("compare", ["--recipes", "cnn"], ("minutes",)),
            ("synth train", ["--kind", "vae", *LEARN], ("minutes",)),
        )
        for name in names
        for value in ("nan", "inf")
    ),
]


def words(done):
    """The message without the frame that it stands in."""
    return " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize(("command", "more", "option"), CASES, ids=lambda value: str(value)[:30])
def test_an_odd_value_is_a_usage_error(run, tmp_path, monkeypatch, command, more, option):
    monkeypatch.chdir(tmp_path)
    done = run(*command.split(), *more, tmp_path, option)
    assert (done.status, done.out) == (2, "")
    assert f"Invalid value for '{option.partition('=')[0]}'" in done.err
    assert "internal error" not in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", [("=",), ("", "")], ids=["glued", "apart"])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        *(("batch", f"--{name}") for name in ("files-from", "csv", "jsonl", "html", "model", "ray", "trust")),
        *(("scan", f"--{name}") for name in ("report", "maps", "model")),
        ("evaluate --leave-one-source-out", "--work"),
        ("synth train --kind vae", "--out"),
    ],
)
def test_an_empty_value_is_no_current_folder(run, tmp_path, monkeypatch, command, option, form):
    monkeypatch.chdir(tmp_path)
    done = run(*command.split(), tmp_path, option + form[0], *form[1:])
    assert (done.status, done.out) == (2, "")
    assert f"Invalid value for '{option}': it is empty" in words(done)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train {} --kind vae --out out", "sample {} --out out"])
def test_an_empty_folder_name_is_no_current_folder(run, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    done = run("synth", *(word.format("") for word in command.split()))
    assert (done.status, done.out) == (2, "")
    assert "this name is empty: name a folder" in words(done)


def test_an_empty_model_is_no_current_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("models", "show", "")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("aiforensics: there is no model '': ")


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_tolerance_is_a_number(run, picture, value):
    done = run("verify", picture("a.png"), picture("b.png"), f"--tolerance={value}")
    assert done.status == 2
    assert "Invalid value for '--tolerance'" in words(done)


@pytest.mark.parametrize("value", ["inf", "1e12"])
def test_the_longest_time_is_said(run, tmp_path, value):
    assert "at most one day" in words(run("batch", tmp_path, "--timeout", value))


@pytest.mark.usefixtures("fake_pipeline")
def test_a_day_is_a_time(run, picture):
    assert run("batch", picture("a.png"), "--timeout", 86400, "--workers", 1).status == 0
