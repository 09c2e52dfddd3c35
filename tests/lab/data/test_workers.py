"""Work in worker processes: order, threads, what travels, and what happens when one dies or the work stops."""

import multiprocessing
import os
import signal
import time
from functools import partial

import pytest

from aiforensics.lab.data.workers import WorkerError, side_by_side


def told(item, *, by):
    return item * by, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def die(item):
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def fail(item):
    raise ZeroDivisionError(f"item {item}")


def test_what_comes_out_is_in_order_and_from_processes_of_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = list(side_by_side(partial(told, by=2), range(8), 2))
    assert [value for value, _, _ in found] == [0, 2, 4, 6, 8, 10, 12, 14]
    assert os.getpid() not in {process for _, process, _ in found}
    assert {threads for _, _, threads in found} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(("items", "workers"), [([1, 2, 3], 1), ([1], 4), ([], 4)])
def test_one_worker_or_one_item_is_done_here(items, workers):
    found = side_by_side(partial(told, by=1), items, workers)
    assert [process for _, process, _ in found] == [os.getpid()] * len(items)


def test_a_worker_that_is_killed_is_told_in_one_line():
    with pytest.raises(WorkerError, match=r"a worker process was killed.*give fewer --workers"):
        list(side_by_side(die, range(8), 2))
    _assert_none_left()


def test_an_error_of_the_work_is_the_error_here():
    with pytest.raises(ZeroDivisionError, match="item 0"):
        list(side_by_side(fail, range(8), 2))


def test_work_that_nobody_waits_for_any_more_ends():
    results = side_by_side(partial(told, by=1), range(1000), 2)
    next(results)
    results.close()
    _assert_none_left()


def _assert_none_left():
    deadline = time.monotonic() + 60
    while multiprocessing.active_children() and time.monotonic() < deadline:  # the pool's own thread waits for them too
        time.sleep(0.05)
    assert not multiprocessing.active_children()
