"""The supervisor: one process per worker, each replaced when it dies or stalls.

`concurrent.futures` gives up the whole pool when one process dies, so this is a small supervisor of its own: a socket
to each worker, a deadline for each item.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Protocol

from aiforensics.batch.answer import MAX_ANSWER_BYTES, AnswerError, read_message, to_result
from aiforensics.batch.listing import Item
from aiforensics.batch.worker import THREADS, Result, Scans, serve
from aiforensics.evidence import ErrorKind, Refusal

AHEAD = 8192
"""Results that may wait for an earlier one, so that memory stays bounded while the order of the input is kept."""
AHEAD_LENGTH = 100_000_000
"""Characters of all that wait at most, as JSON; one has some 9,000, and four times that much memory as an object."""
START_SECONDS = 120.0
"""A worker that is not ready after this long (Python, the libraries, the model) counts as failed."""
START_ATTEMPTS = 3
"""Failed starts in a row before the batch gives up."""
_GUARD = 'a script must be a file, and call this under if __name__ == "__main__": (the error above says more)'
_DIED = "this file ended the process that read it"


class BatchError(Exception):
    """A batch that cannot run or continue, with the one line that tells its owner what to do."""


def scan_items(
    items: Iterable[Item | Refusal],
    factory: Callable[[], Scans],
    *,
    workers: int | None = None,
    timeout: float = 60.0,
) -> Generator[Result, None, None]:
    """Scan items in worker processes and give the results in the order of the items.

    Memory does not grow with the number of items. Closing the iterator ends the workers. They are fresh processes that
    read the calling script again, so it must be a file, and call this under `if __name__ == "__main__":`.

    Parameters
    ----------
    items
        What to scan; a refusal among them goes straight to the results.
    factory
        Makes a worker's scanner, such as `functools.partial(Scanner, "default")`. It travels to another process.
    workers
        Number of processes, 1 or more; default: one per usable processor.
    timeout
        Seconds for one item, more than 0. A worker that takes longer is ended and replaced, and the item refused.

    Yields
    ------
    Result
        A finding or a refusal in the form of the command line contract, one per item.

    Raises
    ------
    BatchError
        When no worker can start.
    TypeError
        When something among the items is none, such as a name.
    ValueError
        When the first result is asked for, if `workers` is below 1, or `timeout` not positive and finite.
    """
    check_terms(workers, timeout)
    yield from in_order(items, _Crew(factory, workers or usable_processors(), timeout))


def check_terms(workers: int | None, timeout: float) -> None:
    """Refuse terms that no batch can keep.

    Raises
    ------
    ValueError
        If `workers` is below 1, or `timeout` not positive and finite.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}: give 1 or more, or None for one per processor")
    if not 0 < timeout < math.inf:
        raise ValueError(f"timeout is {timeout:g}: give a finite number of seconds above 0")


class Crew(Protocol):
    """Something that scans items side by side: local processes, or a cluster."""

    def has_room(self) -> bool:
        """Whether an item can be given now."""
        ...

    def give(self, number: int, item: Item) -> None:
        """Begin to scan an item."""
        ...

    def collect(self) -> dict[int, Result]:
        """Wait until something happens; gives the results that it brought, if any, by their numbers."""
        ...

    def close(self) -> None:
        """End all scans."""
        ...


def in_order(items: Iterable[Item | Refusal], crew: Crew) -> Generator[Result, None, None]:
    """Give the results of a crew in the order of the items, in bounded memory; closes the crew at the end."""
    source = enumerate(items)
    arrived: dict[int, str] = {}
    given = done = waiting = 0
    open_ended = True
    try:
        while open_ended or done < given:
            while open_ended and given - done < AHEAD and waiting < AHEAD_LENGTH and crew.has_room():
                number, item = next(source, (-1, None))
                if number < 0:
                    open_ended = False
                    break
                if not isinstance(item, Item | Refusal):
                    raise TypeError(f"{item!r} is no item of a batch: give a Listing of names, such as Listing([name])")
                given += 1
                if isinstance(item, Refusal):
                    arrived[number] = json.dumps(item.to_dict())
                else:
                    crew.give(number, item)
            if done not in arrived and done < given:
                arrived |= {number: json.dumps(result) for number, result in crew.collect().items()}
            while done in arrived:
                yield json.loads(arrived.pop(done))
                done += 1
            waiting = sum(map(len, arrived.values()))
    finally:
        crew.close()


def usable_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def one_thread_and_no_interrupt() -> Iterator[None]:
    """Set what a process inherits while it starts: one thread per library, and deafness to Ctrl-C."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    try:
        yield
    finally:
        if in_main:
            signal.signal(signal.SIGINT, handler)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Worker:
    """One process, the socket to it, what it has said so far, and the item that it works on."""

    def __init__(self, factory: Callable[[], Scans]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = socket.socketpair()
        self.process = context.Process(target=serve, args=(theirs, factory), daemon=True, name="aiforensics-worker")
        with one_thread_and_no_interrupt():
            self.process.start()
        theirs.close()
        self.connection.setblocking(False)  # a worker that stops in mid-answer must not stop the parent
        self.heard = bytearray()
        self.ready = False
        self.job: tuple[int, Item] | None = None
        self.deadline = time.monotonic() + START_SECONDS

    def give(self, number: int, item: Item, timeout: float) -> None:
        """Hand over an item; a worker that is not ready gets it when it is, and its clock is that of the start."""
        self.job = number, item
        if self.ready:
            self._ask(item, timeout)

    def begin(self, timeout: float) -> None:
        """Take the worker for ready, and send it the item that waits for it."""
        self.ready = True
        if self.job is not None:
            self._ask(self.job[1], timeout)

    def _ask(self, item: Item, timeout: float) -> None:
        self.deadline = time.monotonic() + timeout
        try:
            self.connection.sendall(json.dumps([item.path, item.file, item.member]).encode() + b"\n")
        except OSError:
            self.ready = False  # it died (or went deaf) between two items, so this one is innocent and goes to another

    def hear(self) -> bytes:
        """Read what has come; the worker's line once it is whole, until then nothing.

        Raises
        ------
        EOFError
            If the worker has hung up.
        AnswerError
            If the line is longer than an answer may be.
        """
        said = self.connection.recv(1 << 18)
        if not said:
            raise EOFError
        self.heard += said
        if len(self.heard) > MAX_ANSWER_BYTES:
            raise AnswerError(f"its answer is over {MAX_ANSWER_BYTES} bytes")
        if not said.endswith(b"\n"):
            return b""
        line, self.heard = bytes(self.heard), bytearray()
        return line

    def end(self, grace: float = 0.0) -> str:
        """End the process, after `grace` seconds for ending by itself, and say in words how it ended."""
        self.process.join(grace)
        self.process.kill()
        self.process.join()
        code = self.process.exitcode or 0
        self.connection.close()
        self.process.close()
        return f"signal {_signal_name(-code)}" if code < 0 else f"exit status {code}"


class _Crew:
    """The workers; started one by one while there is work for them."""

    def __init__(self, factory: Callable[[], Scans], size: int, timeout: float) -> None:
        self.factory = factory
        self.size = size
        self.timeout = timeout
        self.workers: list[_Worker] = []
        self.again: deque[tuple[int, Item]] = deque()
        self.failed_starts = 0

    def has_room(self) -> bool:
        """Whether an item can be given now."""
        return not self.again and (len(self.workers) < self.size or any(w.job is None for w in self.workers))

    def give(self, number: int, item: Item) -> None:
        """Give an item to an idle worker, or to a new one."""
        worker = next((w for w in self.workers if w.job is None), None)
        if worker is None:
            worker = _Worker(self.factory)
            self.workers.append(worker)
        worker.give(number, item, self.timeout)

    def collect(self) -> dict[int, Result]:
        """Wait until something happens: a result, a death, or a deadline."""
        while self.again:
            self.give(*self.again.popleft())
        busy = {w.connection: w for w in self.workers if w.job is not None}
        patience = min(w.deadline for w in busy.values()) - time.monotonic()
        results: dict[int, Result] = {}
        spoken = wait(list(busy), min(max(0.0, patience), 3600.0))  # systems wait some weeks at most
        for connection, worker in busy.items():
            if connection in spoken:
                results.update(self._hear(worker))
            if worker in self.workers and worker.job is not None and worker.deadline <= time.monotonic():
                results.update(self._lose(worker, "timeout", f"no result within {self.timeout:g} s"))
        return results

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.end()
        self.workers.clear()

    def _hear(self, worker: _Worker) -> dict[int, Result]:
        """Take a worker's message: that it is ready, or a result; anything else costs it its place."""
        try:
            line = worker.hear()
            if not line:
                return {}
            message = read_message(line)
            if worker.ready and worker.job is not None:
                number, item = worker.job
                result = to_result(message, item.path)
                worker.job = None
                return {number: result}
        except (EOFError, OSError):
            return self._lose(worker, "unreadable", _DIED)
        except AnswerError as error:
            return self._lose(worker, "unreadable", f"the process that read this file gave no result: {error}")
        if "failed" in message:
            raise BatchError(str(message["failed"]))
        if message.keys() != {"ready"}:
            return self._lose(worker, "unreadable", "the process did not start as it should")
        worker.begin(self.timeout)
        self.failed_starts = 0
        return {}

    def _lose(self, worker: _Worker, kind: ErrorKind, line: str) -> dict[int, Result]:
        """Take a dead, stalled or unsound worker out; its item is refused, unless it never became ready."""
        self.workers.remove(worker)
        died = line == _DIED
        ending = worker.end(grace=5.0 if died else 0.0)
        if worker.job is None:
            return {}
        if worker.ready:
            number, item = worker.job
            detail = f"{line} ({ending})" if died else line
            return {number: Refusal(item.path, kind, detail).to_dict()}
        self.failed_starts += 1
        if self.failed_starts >= START_ATTEMPTS:
            what_to_do = _GUARD if ending == "exit status 1" else "try fewer workers"  # 1: Python's own for an error
            raise BatchError(f"no worker process could start ({ending}): {what_to_do}") from None
        self.again.append(worker.job)
        return {}


def _signal_name(number: int) -> str:
    """Name a signal; most of the real-time ones have numbers alone."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
