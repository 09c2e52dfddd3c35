"""Two runs in one work folder would go on from each other's checkpoints."""

import sys

import pytest

from aiforensics.lab.data.alone import LOCK, WorkError, alone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")


def test_one_run_at_a_time_works_in_a_folder(tmp_path):
    folder = tmp_path / "a" / "work"
    with alone(folder):
        line = r"another run works in .*work: wait until it ends, or name another folder"
        with pytest.raises(WorkError, match=line), alone(folder):
            pytest.fail("two runs")
        with pytest.raises(WorkError), alone(folder / ".." / "work"):
            pytest.fail("two runs")
        with alone(tmp_path / "another"):
            pass
    with pytest.raises(ZeroDivisionError), alone(folder):
        _ = 1 / 0
    with alone(folder):
        assert [path.name for path in folder.iterdir()] == [LOCK]


def test_a_picture_that_no_run_has_made_is_never_replaced(tmp_path):
    (tmp_path / "history.png").write_bytes(b"of France")
    with pytest.raises(WorkError, match=r"would overwrite .*history\.png"), alone(tmp_path):
        pytest.fail("it began")
    (tmp_path / "audit.json").write_text("{}")  # of a run of an earlier version
    with alone(tmp_path):
        (tmp_path / "audit.json").unlink()
    with alone(tmp_path):
        assert (tmp_path / "history.png").read_bytes() == b"of France"
