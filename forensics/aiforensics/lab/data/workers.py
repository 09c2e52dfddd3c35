"""Work done side by side by processes of their own: what comes out does not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from aiforensics.batch.crew import one_thread_and_no_interrupt

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 16
"""Items that wait for each worker, those that wait for an earlier one among them."""


class WorkerError(Exception):
    """A worker process was killed."""


def side_by_side(work: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """Do the same work on every item, and give what comes out in the order of the items.

    Parameters
    ----------
    work
        What is done. With more than one worker it travels to each of them once, so it can be pickled.
    items
        What it is done on.
    workers
        Processes, each on one thread; with one the work is done here.

    Raises
    ------
    WorkerError
        If a worker is killed.
    """
    if workers == 1 or len(items) < 2:
        yield from map(work, items)
        return
    with pool(workers, partial(_learn, work)) as processes:
        with one_thread_and_no_interrupt():  # each of the first items starts a process
            waiting = deque(processes.submit(_do, item) for item in items[:workers])
        for item in items[workers:]:
            waiting.append(processes.submit(_do, item))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def pool(workers: int, start: Callable[[], object]) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of fresh processes that end with the block, however it ends, and with this process.

    Parameters
    ----------
    workers
        Processes.
    start
        What each calls first; it travels to them.

    Raises
    ------
    WorkerError
        If a worker is killed while the block waits for it.
    """
    others = set(multiprocessing.active_children())
    processes = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(start,)
    )
    try:
        yield processes
    except BaseException as error:  # Ctrl-C, too
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        processes.shutdown(wait=False)
        if isinstance(error, BrokenProcessPool):
            raise WorkerError(
                "a worker process was killed, as systems do where memory is short: give fewer --workers"
            ) from error
        raise
    processes.shutdown()


_WORK: Callable[[Any], Any]
"""The work of this worker process."""


def _start(start: Callable[[], object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    start()


def _end_with_the_parent() -> None:
    """End this worker where its run was killed: it would wait for ever, or write where a second run writes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _learn(work: Callable[[Any], Any]) -> None:
    import cv2  # noqa: PLC0415 - in the worker alone

    global _WORK  # noqa: PLW0603 - the one way to hand something to a pool's workers once
    _WORK = work
    cv2.setNumThreads(1)  # it reads none of the variables


def _do(item: Any) -> Any:  # noqa: ANN401 - whatever the work takes and gives
    return _WORK(item)
