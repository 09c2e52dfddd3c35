"""The forensic training: cycles, resuming, what is kept."""

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")

from aiforensics.lab.train import finetune as finetuning  # noqa: E402
from aiforensics.lab.train import run as running  # noqa: E402
from aiforensics.lab.train.finetune import finetune  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError  # noqa: E402
from aiforensics_models.networks import build_detector  # noqa: E402
from aiforensics_models.weights import WeightsError  # noqa: E402


@pytest.fixture(scope="module")
def samples(lattices):
    return lattices


def test_finetuning_keeps_a_history_and_resumes_where_it_stopped(samples, trained, tmp_path, tiny):
    folder, history = trained
    assert [row["step"] for row in history] == [2.0, 4.0, 6.0], "two cycles, one after the other"
    assert {"loss", "accuracy", "val_auc", "val_loss"} < set(history[0])
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    again = finetune(train, val, folder / "network.safetensors", tiny)
    assert again == history, "a finished run has nothing left to do"
    with pytest.raises(WeightsError, match="no such file of weights"):
        finetune(train, val, tmp_path / "x.safetensors", tiny, weights=str(tmp_path / "lost.safetensors"))


def test_the_members_weigh_sources_of_one_name_by_their_class(samples, tmp_path, monkeypatch, tiny):
    drawn = []
    real = finetuning._member_weights
    monkeypatch.setattr(finetuning, "_member_weights", lambda names, *rest: drawn.append(names) or real(names, *rest))
    shared = [replace(s, source="shared") for s in samples]
    train, val = ([s for s in shared if s.split == split] for split in ("train", "val"))
    finetune(train, val, tmp_path / "n.safetensors", replace(tiny, steps=2, held_steps=0))
    assert len(set(drawn[0])) == 2


def test_an_interrupted_network_ends_as_one_that_was_not(samples, trained, tmp_path, monkeypatch, tiny):
    def learn(run, *batch):
        if run.cycle.title == "first" and run.step == 3:
            raise KeyboardInterrupt
        real(run, *batch)

    real = running.Run.learn
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running.Run, "learn", learn)
        finetune(train, val, tmp_path / "n.safetensors", tiny)
    assert finetune(train, val, tmp_path / "n.safetensors", tiny) == trained[1]


def test_a_network_that_is_stopped_before_its_first_checkpoint_leaves_none_of_another(
    samples, tmp_path, monkeypatch, tiny
):
    def stopped(*_):
        raise KeyboardInterrupt

    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    one = replace(tiny, steps=2, held_steps=0, check_every=2)
    finetune(train, val, tmp_path / "n.safetensors", one)
    kept = (tmp_path / "n.safetensors").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running, "keep", stopped)
        finetune(train, val, tmp_path / "n.safetensors", replace(one, head_rate=0.01))
    assert (tmp_path / "n.safetensors").read_bytes() != kept
    finetune(train, val, tmp_path / "n.safetensors", one)
    assert (tmp_path / "n.safetensors").read_bytes() == kept


def test_a_network_that_diverges_is_one_line(samples, tmp_path, monkeypatch, tiny):
    monkeypatch.setattr(running, "score", lambda _network, views: np.full(len(views), np.nan))
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    with pytest.raises(RecipeError, match=r"diverged by step 2: give other first --weights"):
        finetune(train, val, tmp_path / "n.safetensors", tiny)


def test_other_first_weights_start_anew(samples, tmp_path, tiny):
    from safetensors.torch import save_file

    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    first, config = tmp_path / "first.safetensors", replace(tiny, steps=2, held_steps=0)
    steps = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        save_file(build_detector("tracenet").backbone.state_dict(), first)
        finetune(train, val, tmp_path / "n.safetensors", config, weights=str(first), report=steps.append)
    assert len(steps) == 2, "trained, kept, trained again"


def test_a_first_cycle_that_stopped_early_is_not_trained_on(samples, tmp_path, monkeypatch, tiny):
    monkeypatch.setattr("aiforensics.lab.train.run.roc_auc", lambda *_: 0.5)
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    config = replace(tiny, steps=8, patience=1)
    first = finetune(train, val, tmp_path / "n.safetensors", config)
    assert [row["step"] for row in first] == [2.0, 4.0, 6.0], "stopped at 4 of 8, then the second cycle"
    assert finetune(train, val, tmp_path / "n.safetensors", config) == first


def test_the_second_cycle_holds_the_first_blocks(trained):
    from safetensors.torch import load_file

    first, last = (load_file(trained[0] / name) for name in ("network.first.safetensors", "network.safetensors"))
    changed = {name for name, tensor in last.items() if not torch.equal(tensor, first[name])}
    held = ("backbone.residuals", "backbone.stem", "backbone.blocks.0.", "backbone.blocks.1.", "backbone.blocks.2.")
    assert not [name for name in changed if name.startswith(held)]
    assert {"heads.weight", "backbone.blocks.3.body.0.0.weight", "backbone.blocks.3.body.0.1.running_mean"} <= changed


def test_a_last_cycle_holds_nothing_and_the_mean_is_kept(samples, tmp_path, tiny):
    from safetensors.torch import load_file

    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    history = finetune(train, val, tmp_path / "n.safetensors", replace(tiny, steps=2, free_steps=2))
    assert [row["step"] for row in history] == [2.0, 4.0, 6.0], "three cycles"
    mean, held, free = (load_file(tmp_path / f"n{part}.safetensors") for part in ("", ".held", ".free"))
    stem = "backbone.stem.0.weight" if "backbone.stem.0.weight" in free else "backbone.stem.1.weight"
    assert not torch.equal(held[stem], free[stem])
    for name, tensor in mean.items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor, (held[name] + free[name]) / 2)


def test_training_is_reproducible(samples, trained, tmp_path, tiny):
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    assert finetune(train, val, tmp_path / "again.safetensors", tiny) == trained[1]


def test_compiling_is_asked_for_and_changes_no_name(samples, trained, tmp_path, monkeypatch, tiny):
    from safetensors.torch import load_file

    asked = []
    monkeypatch.setattr("torch.nn.Module.compile", lambda self: asked.append(type(self).__name__))
    train, val = ([s for s in samples if s.split == split] for split in ("train", "val"))
    assert finetune(train, val, tmp_path / "c.safetensors", tiny, compiled=True) == trained[1]
    assert asked == ["TraceNet", "TraceNet"], "once for each cycle"
    assert load_file(tmp_path / "c.safetensors").keys() == load_file(trained[0] / "network.safetensors").keys()
