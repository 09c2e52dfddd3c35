"""The mapper of a batch over a Ray cluster; needs the extra `ray`.

Pictures are read here and travel to the nodes, so the nodes need no common disk. They need the same version of this
package, and the bundle where `model` is a folder. Ray unpickles what nodes send, so they must be machines that you
trust; their answers are read as those of local workers all the same.
"""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable, Generator, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from aiforensics.batch.answer import MAX_ANSWER_BYTES, AnswerError, read_message, to_result
from aiforensics.batch.crew import START_SECONDS, check_terms, in_order
from aiforensics.batch.listing import Item, read_member
from aiforensics.batch.worker import Result, Scans
from aiforensics.evidence import ErrorKind, Refusal
from aiforensics.image import Limits, read


def scan_items(
    items: Iterable[Item | Refusal],
    factory: Callable[[], Scans],
    *,
    address: str = "",
    workers: int | None = None,
    timeout: float = 60.0,
) -> Generator[Result, None, None]:
    """Scan items on a Ray cluster and give the results in the order of the items.

    Parameters
    ----------
    items, factory, timeout
        As for `aiforensics.batch.scan_items`; the factory travels to the nodes.
    address
        The cluster, such as `auto` or `ray://head:10001`; empty for the one that Ray finds, or a local one.
    workers
        Number of actors, one processor each, 1 or more; default: one per processor of the cluster.

    Yields
    ------
    Result
        A finding or a refusal in the form of the command line contract, one per item.

    Raises
    ------
    ModuleNotFoundError
        Without the extra `ray`.
    ValueError
        As from `aiforensics.batch.scan_items`.
    """
    check_terms(workers, timeout)
    ray: Any = import_module("ray")  # an optional library, imported in this file only
    factory()  # what is wrong with the model shows here once, not on the nodes for each picture
    started = not ray.is_initialized()
    if started:
        ray.init(address=address or None, log_to_driver=False, include_dashboard=False if not address else None)
    try:
        size = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        yield from in_order(items, _RayCrew(ray, factory, size, timeout))
    finally:
        if started:
            ray.shutdown()


class _Scanner:
    """What lives on a node."""

    def __init__(self, factory: Callable[[], Scans]) -> None:
        self.scanner = factory()

    def scan(self, data: bytes, path: str) -> bytes:
        """The result as JSON, which the driver reads as it reads a local worker's."""
        try:
            result = self.scanner.scan_bytes(data, path).to_dict()
        except Exception as error:  # a defect that one file lays bare must not cost the others
            result = Refusal.of(path, error).to_dict()
        return json.dumps(result).encode()


class _RayCrew:
    """Actors on the cluster, each replaced when it dies or stalls."""

    def __init__(self, ray: Any, factory: Callable[[], Scans], size: int, timeout: float) -> None:  # noqa: ANN401
        self.ray = ray
        self.factory = factory
        self.size = size
        self.timeout = timeout
        self.idle: list[Any] = []
        self.busy: dict[Any, tuple[Any, int, Item, float]] = {}
        self.refused: dict[int, Result] = {}

    def has_room(self) -> bool:
        return len(self.busy) < self.size

    def give(self, number: int, item: Item) -> None:
        try:
            data = _read(item)
        except Exception as error:  # as on the nodes: one bad file must not cost the others
            self.refused[number] = Refusal.of(item.path, error).to_dict()
            return
        deadline = time.monotonic() + self.timeout + (0.0 if self.idle else START_SECONDS)
        actor = self.idle.pop() if self.idle else self._new_actor()
        self.busy[actor.scan.remote(data, item.path)] = (actor, number, item, deadline)

    def collect(self) -> dict[int, Result]:
        results, self.refused = self.refused, {}
        if results or not self.busy:
            return results
        patience = max(0.0, min(deadline for *_, deadline in self.busy.values()) - time.monotonic())
        ready, _ = self.ray.wait(list(self.busy), timeout=patience)
        late = [ref for ref, (*_, deadline) in self.busy.items() if deadline <= time.monotonic() and ref not in ready]
        for ref in ready:
            results.update(self._take(ref))
        for ref in late:
            results.update(self._lose(ref, "timeout", f"no result within {self.timeout:g} s"))
        return results

    def close(self) -> None:
        for actor in [*self.idle, *(actor for actor, *_ in self.busy.values())]:
            self.ray.kill(actor)

    def _new_actor(self) -> Any:  # noqa: ANN401
        return self.ray.remote(num_cpus=1)(_Scanner).remote(self.factory)

    def _take(self, ref: Any) -> dict[int, Result]:  # noqa: ANN401
        try:
            said = self.ray.get(ref)
        except self.ray.exceptions.RayTaskError as error:
            lost = Refusal.of("", error.cause)
            return self._lose(ref, lost.kind, lost.message)
        except self.ray.exceptions.OutOfMemoryError:
            lost = Refusal.of("", MemoryError())
            return self._lose(ref, lost.kind, lost.message)
        except self.ray.exceptions.RayActorError:
            return self._lose(ref, "unreadable", "this file ended the process that read it")
        except self.ray.exceptions.RayError as error:
            return self._lose(ref, "unreadable", f"the cluster lost this file: {type(error).__name__}")
        actor, number, item, _ = self.busy[ref]
        try:
            result = to_result(read_message(_answer(said)), item.path)
        except AnswerError as error:
            return self._lose(ref, "unreadable", f"the process that read this file gave no result: {error}")
        del self.busy[ref]
        self.idle.append(actor)
        return {number: result}

    def _lose(self, ref: Any, kind: ErrorKind, line: str) -> dict[int, Result]:  # noqa: ANN401
        actor, number, item, _ = self.busy.pop(ref)
        self.ray.kill(actor)
        return {number: Refusal(item.path, kind, line).to_dict()}


def _answer(said: object) -> bytes:
    if not isinstance(said, bytes) or len(said) > MAX_ANSWER_BYTES:
        raise AnswerError(f"it is not JSON of at most {MAX_ANSWER_BYTES} bytes")
    return said


def _read(item: Item) -> bytes:
    if item.member >= 0:
        return read_member(item)
    file = Path(item.file)
    try:
        if stat.S_ISREG(file.stat().st_mode):
            with file.open("rb") as stream:
                return stream.read(Limits().max_bytes + 1)  # the gate on the node refuses what is longer
    except (OSError, ValueError):
        pass
    return read(file).data  # the gate says why not, in the words of a local run
