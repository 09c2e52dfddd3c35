"""Several networks trained side by side, each by one process on one thread.

Single-threaded processes use the cores of a CPU better than one process whose threads wait for each other.
"""

from __future__ import annotations

import multiprocessing
import textwrap
from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any

from aiforensics.lab.data.dataset import Sample, digest
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.data.workers import WorkerError, pool
from aiforensics.lab.train.checkpoints import keep_json, recall_json
from aiforensics.lab.train.cycles import FinetuneConfig
from aiforensics.lab.train.export import WEIGHTS_FILE
from aiforensics.lab.train.finetune import finetune
from aiforensics.lab.train.recipes import RecipeError, weights_sum
from aiforensics_models.bundle import Device

History = list[dict[str, float]]
_HISTORY, _SETTINGS = "history.json", "settings.json"
_PICTURES = "pictures"


@dataclass(frozen=True, slots=True)
class NetworkJob:
    """A network to train.

    Attributes
    ----------
    name
        What progress lines call it.
    folder
        Where its weights, checkpoint and history go; a finished one is not trained again.
    samples
        Pictures; `train` is fitted, `val` chooses the best moment.
    config
        Knobs.
    weights
        First weights of the embedding network: `none`, `imagenet` or a file.
    start
        A trained network to go on from, instead.
    device, compiled
        Where PyTorch trains, and whether it compiles the network first.
    """

    name: str
    folder: Path
    samples: Sequence[Sample]
    config: FinetuneConfig
    weights: str = "none"
    start: Path | None = None
    device: Device = "auto"
    compiled: bool = False


def train_networks(jobs: Sequence[NetworkJob], workers: int, report: Report) -> dict[str, History]:
    """Train every job's network, `workers` at a time; the histories by name.

    With a single worker PyTorch uses all its threads.

    Raises
    ------
    RecipeError
        If a folder holds a finished network of other settings or pictures, or a worker is killed.
    """
    if workers == 1:
        return {job.name: _train(job, report) for job in jobs}
    lines: Any = multiprocessing.get_context("spawn").Queue()
    try:
        with pool(workers, partial(_start, lines)) as processes:
            futures = {job.name: processes.submit(_train_in_worker, job) for job in jobs}
            while not all(future.done() for future in futures.values()):
                wait(futures.values(), timeout=0.5, return_when="FIRST_EXCEPTION")
                _drain(lines, report)
                for future in futures.values():
                    if future.done():
                        future.result()  # an error ends the run now, not after the other networks
            _drain(lines, report)
    except WorkerError as error:
        raise RecipeError(f"{error}; the same command goes on from the checkpoints") from error
    return {name: future.result() for name, future in futures.items()}


def _train(job: NetworkJob, report: Report) -> History:
    job.folder.mkdir(parents=True, exist_ok=True)
    done, made_with = job.folder / _HISTORY, job.folder / _SETTINGS
    settings = _settings(job)
    finished: History | None = recall_json(done, report)
    old = recall_json(made_with, report)
    if finished is not None and old is not None:
        _compare(job, old, settings)
        return finished
    train = [sample for sample in job.samples if sample.split == "train"]
    val = [sample for sample in job.samples if sample.split == "val"]
    report(f"{job.name}: a network on {len(train)} pictures of {len({s.source for s in train})} sources")
    history = finetune(
        train,
        val,
        job.folder / WEIGHTS_FILE,
        job.config,
        weights=job.weights,
        start=job.start,
        device=job.device,
        compiled=job.compiled,
        report=lambda line: report(f"{job.name}: {line}"),
    )
    keep_json(made_with, settings, indent=1)
    keep_json(done, history)
    return history


def _settings(job: NetworkJob) -> dict[str, Any]:
    """What a finished network depends on."""
    return {
        **asdict(job.config),
        "weights": (weights_sum(job.weights) if job.start is None else sum_of(job.start))[:16],
        _PICTURES: digest(sorted(job.samples, key=lambda sample: sample.key))[:16],
    }


def _compare(job: NetworkJob, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Refuse a finished network of other settings or pictures: what it learned from may be test pictures now."""
    for name in sorted((old.keys() | new.keys()) - {_PICTURES}):
        if old.get(name) != new.get(name):
            raise RecipeError(
                f"{job.folder} holds a network of other settings ({name} {_short(old.get(name))}, now "
                f"{_short(new.get(name))}): "
                "give another --work, or remove that folder to train it again"
            )
    if old.get(_PICTURES) != new[_PICTURES]:
        raise RecipeError(
            f"{job.folder} holds a network that was trained on other pictures or another split: "
            "name another --work, or remove that folder to train it again"
        )


def _short(value: object) -> str:
    return textwrap.shorten(str(value), 60)


_LINES: Any = None
"""The queue of progress lines of this worker process."""


def _start(lines: Any) -> None:  # noqa: ANN401 - multiprocessing's queues have no common type
    import torch  # noqa: PLC0415 - in the worker alone

    global _LINES  # noqa: PLW0603 - the one way to hand a queue to a pool's workers
    _LINES = lines
    torch.set_num_threads(1)


def _train_in_worker(job: NetworkJob) -> History:
    return _train(job, _LINES.put)


def _drain(lines: Any, report: Report) -> None:  # noqa: ANN401 - as above
    while True:
        try:
            report(lines.get_nowait())
        except Empty:
            return
