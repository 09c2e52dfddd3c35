"""The command of the pretraining: what is wrong with its command line is one line."""

import sys

import numpy as np
import pytest

from aiforensics.lab.train import pretrain


@pytest.fixture
def refused(picture, tmp_path, monkeypatch, capsys):
    """Runs the command with a teacher; gives the line that it ends with."""
    picture("pool/a.png")

    def call(teacher):
        out = tmp_path / "new" / "out.safetensors"
        words = [tmp_path / "pool", "--teacher", teacher, "--out", out, "--device", "cpu", "--steps", "1"]
        monkeypatch.setattr(sys, "argv", ["pretrain", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            pretrain.main()
        (line,) = capsys.readouterr().err.splitlines()
        assert caught.value.code == 2
        return line

    return call


@pytest.fixture
def teacher(tmp_path):
    """Writes a teacher of random weights; gives its path."""
    pytest.importorskip("torch")
    from safetensors.numpy import save_file

    from aiforensics.lab.train.teacher import STAGES

    def make(seed=0):
        rng = np.random.default_rng(seed)
        tensors, inputs, block = {}, 32, 1

        def add(name, outputs, per_group, side):
            tensors[f"{name}.c.weight"] = rng.normal(0, 0.1, (outputs, per_group, side, side)).astype(np.float32)
            tensors[f"{name}.c.bias"] = np.zeros(outputs, np.float32)

        add("f.0", 32, 3, 3)
        for expansion, channels, repeats, _ in STAGES:
            for _ in range(repeats):
                hidden, layer = inputs * expansion, int(expansion != 1)
                if layer:
                    add(f"f.{block}.m.0", hidden, inputs, 1)
                add(f"f.{block}.m.{layer}", hidden, 1, 3)
                add(f"f.{block}.m.{layer + 1}", channels, hidden, 1)
                inputs, block = channels, block + 1
        save_file(tensors, tmp_path / f"teacher{seed}.safetensors")
        return tmp_path / f"teacher{seed}.safetensors"

    return make


def test_a_damaged_picture_is_one_line(refused, teacher, tmp_path):
    (tmp_path / "pool" / "a.png").write_bytes(b"no picture")
    line = refused(teacher())
    assert str(tmp_path / "pool" / "a.png") in line
    assert line.endswith("remove or replace it")


def test_other_pictures_or_another_teacher_start_anew(teacher, picture, tmp_path):
    from aiforensics.lab.train.distil import PretrainConfig
    from aiforensics.lab.train.distil import pretrain as run
    from aiforensics.lab.train.teacher import Teacher

    config, out = PretrainConfig(steps=1, batch=2, side=64), tmp_path / "new" / "out.safetensors"

    figures = []

    def trains(seed=0):
        checkpoint = out.with_suffix(".checkpoint")
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        figures.append(run([tmp_path / "a.png"], Teacher(teacher(seed)), out, config))
        return checkpoint.stat().st_mtime_ns != before

    picture("a.png")
    assert [trains(), trains()] == [True, False]
    picture("a.png", seed=1)
    assert [trains(), trains()] == [True, False]
    assert trains(seed=1)
    assert figures[1] == figures[0], "a run that is done says what it came to"
    assert all(len(one) == 7 for one in figures)


def test_a_run_that_is_killed_while_it_writes_is_not_done(teacher, picture, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from aiforensics.lab.train import distil
    from aiforensics.lab.train.teacher import Teacher

    def killed(*_args):
        raise KeyboardInterrupt

    config, out = distil.PretrainConfig(steps=1, batch=2, side=64), tmp_path / "out.safetensors"
    job = ([picture("a.png")], Teacher(teacher()), out, config)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(distil, "save_weights", killed)
        distil.pretrain(*job)
    distil.pretrain(*job)
    assert out.is_file()


def test_a_student_that_diverges_is_told_and_not_written(refused, teacher, tmp_path):
    from safetensors.numpy import load_file, save_file

    path = teacher()
    weights = load_file(path)
    save_file(weights | {"f.0.c.bias": weights["f.0.c.bias"] + np.nan}, path)
    assert "the student diverged by step 1: give another --seed" in refused(path)
    assert not (tmp_path / "new" / "out.safetensors").exists()


@pytest.mark.parametrize("steps", ["0", "-3"])
def test_steps_that_teach_nothing_are_refused(monkeypatch, picture, tmp_path, capsys, steps):
    picture("pool/a.png")
    words = [str(tmp_path / "pool"), "--teacher", "none", "--out", str(tmp_path / "out"), "--steps", steps]
    monkeypatch.setattr(sys, "argv", ["pretrain", *words])
    with pytest.raises(SystemExit) as caught:
        pretrain.main()
    assert caught.value.code == 2
    assert f"--steps {steps} teaches nothing: give 1 or more" in capsys.readouterr().err


def test_progress_goes_where_the_caller_says(teacher, picture, tmp_path, capsys):
    from aiforensics.lab.train.distil import PretrainConfig
    from aiforensics.lab.train.distil import pretrain as run
    from aiforensics.lab.train.teacher import Teacher

    out, lines = tmp_path / "new" / "out.safetensors", []
    out.parent.mkdir()
    out.with_suffix(".checkpoint").write_bytes(b"damaged")
    picture("a.png")
    run([tmp_path / "a.png"], Teacher(teacher()), out, PretrainConfig(steps=1, batch=2, side=64), lines.append)
    assert len(lines) == 1
    assert capsys.readouterr().err == ""


def test_a_teacher_that_cannot_be_used_is_one_line(refused, tmp_path):
    pytest.importorskip("torch")
    from safetensors.numpy import save_file

    assert "cannot be read as safetensors" in refused(tmp_path / "missing.safetensors")
    assert "cannot be read as safetensors" in refused(tmp_path / "pool" / "a.png")
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    assert "is not a folded MobileNetV2" in refused(tmp_path / "other.safetensors")


def test_a_missing_extra_is_one_line(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("devices", "distil", "teacher"):
        monkeypatch.delitem(sys.modules, f"aiforensics.lab.train.{name}", raising=False)
    assert refused("x").endswith("this needs the package torch: pip install '.[train]' in the checkout")
