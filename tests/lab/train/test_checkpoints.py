"""Checkpoints: the old one stays until the new one is whole, and a damaged one stops nobody."""

import pytest

torch = pytest.importorskip("torch")

from aiforensics.lab.train.checkpoints import (  # noqa: E402
    generators,
    keep,
    keep_json,
    recall,
    recall_json,
    restore_generators,
)

pytestmark = pytest.mark.train


def test_a_checkpoint_that_is_interrupted_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    keep(path, {"step": 1})

    def cut(_state, partial):
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch, "save", cut)
        keep(path, {"step": 2})
    assert recall(path) == {"step": 1}
    keep(path, {"step": 2})
    assert recall(path) == {"step": 2}
    assert [one.name for one in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_damaged_checkpoint_counts_as_none(tmp_path):
    whole, path, lines = tmp_path / "whole.pt", tmp_path / "checkpoint.pt", []
    assert recall(path, lines.append) is None
    keep(whole, {"weights": torch.zeros(3000)})
    content = whole.read_bytes()
    torch.save(torch.zeros(3), whole)
    other = whole.read_bytes()
    cut = (content[:20], content[: len(content) // 2], content[:-1])
    for damaged in (b"", b"no checkpoint", *cut, b"\x80\x02s", b"\x80\x02h\0", b"\x80\x02X\0", other):
        path.write_bytes(damaged)
        assert recall(path, lines.append) is None
    assert len(lines) == 9
    assert "is damaged: starting anew" in lines[0]


def test_data_is_kept_as_checkpoints_are(tmp_path):
    path, lines = tmp_path / "history.json", []
    assert recall_json(path, lines.append) is None
    keep_json(path, [1, 2], indent=1)
    assert recall_json(path, lines.append) == [1, 2]
    path.write_text("[1, ")
    assert recall_json(path, lines.append) is None
    assert len(lines) == 1


def test_random_numbers_go_on_where_they_were():
    state = generators()
    first = torch.rand(3)
    restore_generators(state)
    assert torch.equal(torch.rand(3), first)
