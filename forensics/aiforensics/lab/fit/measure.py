"""Every feature of many delivered pictures, measured by several processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiforensics.decision import SPECS
from aiforensics.features import EDITION
from aiforensics.image import Picture, decode, from_array, read
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.data.views import CONDITIONS, GREY, LARGE_CONDITIONS, seeded, training_view
from aiforensics.lab.data.workers import side_by_side
from aiforensics.pipeline import asked, examined, measure
from aiforensics.quality import LARGE, assess
from aiforensics_models.enlargement import Enlargement
from aiforensics_models.heads import EMBEDDING
from aiforensics_models.preparation import Preparation
from aiforensics_models.runtime import OnnxNetwork
from aiforensics_models.small import SMALL, Twice

NAMES: tuple[str, ...] = tuple(SPECS)
"""Columns of a table, in order."""
RANDOM = "random"
"""Name of the training distribution, beside the names of the matched conditions."""
_NAMED = {view.name: view for view in (*CONDITIONS, GREY, *LARGE_CONDITIONS)}
VIEWS: tuple[str, ...] = (RANDOM, *_NAMED)
"""Names of all views that are measured."""
LARGE_VIEWS: frozenset[str] = frozenset(view.name for view in LARGE_CONDITIONS)
"""Of them those that take a large file."""
_CHUNK = 16
_SAVE_EVERY = 100
"""Chunks between two savings of what was measured."""


class TableError(ValueError):
    """A table that cannot be used, with the one line that tells what to do."""


@dataclass(frozen=True)
class Table:
    """Features of delivered pictures.

    Attributes
    ----------
    sample, view
        (n,) index of the sample and name of the view.
    origin
        (n,) what was measured by what: the picture's key, the sums of its file and of the network's, if one was asked,
        and that of what tells enlarged pictures.
    condition
        (n,) the calibration condition that the pipeline saw.
    values
        (n, features) in the order of `NAMES`.
    spread
        (n,) deviation of the network's log-odds over ensemble members and windows (`Opinion.spread`).
    embedding
        (n, dimension) mean embedding over the windows.

    What a network would say is 0 where none was asked.
    """

    sample: NDArray[np.int64]
    view: NDArray[np.str_]
    origin: NDArray[np.str_]
    condition: NDArray[np.str_]
    values: NDArray[np.float64]
    spread: NDArray[np.float64]
    embedding: NDArray[np.float32]

    def column(self, name: str) -> NDArray[np.float64]:
        """(n,) one feature."""
        return self.values[:, NAMES.index(name)]

    def columns(self, names: Sequence[str]) -> NDArray[np.float64]:
        """(n, names) some features."""
        return self.values[:, [NAMES.index(name) for name in names]]

    def of(self, samples: NDArray[np.int64]) -> Table:
        """The rows of some samples, whose indices count from 0 in the order that is given."""
        place = np.full(int(self.sample.max()) + 1, -1)
        place[samples] = np.arange(len(samples))
        rows = place[self.sample] >= 0
        columns = {name: getattr(self, name)[rows] for name in self.__dataclass_fields__}
        return Table(**{**columns, "sample": place[columns["sample"]]})

    def save(self, path: Path) -> None:
        """Write as npz without pickles."""
        columns = {name: getattr(self, name) for name in self.__dataclass_fields__}
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, names=np.array(NAMES), edition=np.array([EDITION, SMALL]), **columns)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read what `save` wrote.

        Raises
        ------
        TableError
            If the table was measured by a version with other features.
        """
        with np.load(path, allow_pickle=False) as data:
            if data["names"].tolist() != list(NAMES) or data["edition"].tolist() != [EDITION, SMALL]:
                raise TableError(f"{path} holds the measurements of another version: remove it to measure again")
            return cls(**{name: data[name] for name in cls.__dataclass_fields__})


def measure_all(
    samples: Sequence[Sample],
    networks: Sequence[Path],
    network_of: Sequence[int],
    views: Sequence[str],
    *,
    enlargement: Enlargement | None = None,
    workers: int = 2,
    keep: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Table:
    """Deliver every sample under its views and measure what comes out.

    Parameters
    ----------
    samples
        Pictures.
    networks, network_of
        ONNX files, and for each sample the index of the one that judges it; -1 where none is asked.
    views
        Names out of `VIEWS`; those of `LARGE_VIEWS` are measured of large files alone.
    enlargement
        What tells enlarged pictures; without it every picture is measured as it is.
    workers
        Processes.
    keep
        The table's file, written every few minutes and at the end. Rows that it holds already, of the same picture,
        view and network, are not measured again.
    progress
        Told how many samples are done, and of how many; those that are known do not count.

    Raises
    ------
    TableError
        If `keep` was measured by a version with other features.
    aiforensics.lab.data.workers.WorkerError
        If a worker is killed.
    """
    sums = [*(sum_of(path)[:16] for path in networks), "-"]  # -1 is the last
    told = "" if enlargement is None else f" {enlargement.sum[:16]}"
    origins = [
        f"{one.key} {sum_of(one.path)[:16]} {sums[net]}{told}" for one, net in zip(samples, network_of, strict=True)
    ]
    rows = _rows_of(Table.load(keep)) if keep is not None and keep.exists() else {}
    seen_as = [_fitting(sample.path, views) for sample in samples]
    wanted = {i: tuple(v for v in seen_as[i] if (origin, v) not in rows) for i, origin in enumerate(origins)}
    missing = [i for i, few in wanted.items() if few]
    judges = [*map(str, networks), None]
    jobs = [
        (enlargement, [(i, samples[i], judges[network_of[i]], wanted[i]) for i in missing[at : at + _CHUNK]])
        for at in range(0, len(missing), _CHUNK)
    ]
    progress(0, len(missing))
    for done, found in enumerate(side_by_side(_measure_chunk, jobs, workers), 1):
        rows |= {(origins[i], view): row for i, view, row in found}
        progress(min(done * _CHUNK, len(missing)), len(missing))
        if keep is not None and done % _SAVE_EVERY == 0:
            _table([(0, *key) for key in rows], rows).save(keep)
    table = _table([(i, origin, view) for i, origin in enumerate(origins) for view in seen_as[i]], rows)
    if keep is not None:
        table.save(keep)
    return table


_Row = tuple[str, NDArray[np.float64], float, NDArray[np.float32]]
"""Condition, values, spread, embedding, which is empty where no network was asked."""
_Job = tuple[Enlargement | None, Sequence[tuple[int, Sample, str | None, tuple[str, ...]]]]
_NETWORKS: dict[str, Twice] = {}
"""Networks that this process has opened."""


def _rows_of(table: Table) -> dict[tuple[str, str], _Row]:
    columns = zip(
        table.origin.tolist(),
        table.view.tolist(),
        table.condition.tolist(),
        table.values,
        table.spread.tolist(),
        table.embedding,
        strict=True,
    )
    return {
        (origin, view): (condition, values, spread, embedding)
        for origin, view, condition, values, spread, embedding in columns
    }


def _table(wanted: Sequence[tuple[int, str, str]], rows: Mapping[tuple[str, str], _Row]) -> Table:
    """Rows in the order of `wanted`: index of the sample, origin and view."""
    found = [rows[origin, view] for _, origin, view in wanted]
    embedding = np.zeros((len(found), max(len(row[3]) for row in found)), np.float32)
    for vector, row in zip(embedding, found, strict=True):
        vector[: len(row[3])] = row[3]
    return Table(
        sample=np.array([i for i, _, _ in wanted], np.int64),
        view=np.array([view for _, _, view in wanted]),
        origin=np.array([origin for _, origin, _ in wanted]),
        condition=np.array([row[0] for row in found]),
        values=np.stack([row[1] for row in found]),
        spread=np.array([row[2] for row in found]),
        embedding=embedding,
    )


def _fitting(path: Path, views: Sequence[str]) -> tuple[str, ...]:
    """The views that a file is large enough for, by its header; one that Pillow does not open counts as small."""
    if LARGE_VIEWS.isdisjoint(views):
        return tuple(views)
    try:
        with Image.open(path) as image:
            large = min(image.size) > LARGE
    except (OSError, Image.DecompressionBombError):
        large = False
    return tuple(view for view in views if large or view not in LARGE_VIEWS)


def _measure_chunk(job: _Job) -> list[tuple[int, str, _Row]]:
    enlargement, pictures = job
    found = []
    for index, sample, network, views in pictures:
        picture = read(sample.path)
        rows = (_measure_one(_delivered(picture, sample, view), network, enlargement) for view in views)
        found += [(index, view, row) for view, row in zip(views, rows, strict=True)]
    return found


def _measure_one(picture: Picture, network: str | None, enlargement: Enlargement | None) -> _Row:
    if network is None:
        picture, values = examined(picture, enlargement)
        values |= {**asked(picture), EMBEDDING: 0.0}
        return _condition(picture, values), _ordered(values), 0.0, np.zeros(0, np.float32)
    if network not in _NETWORKS:
        _NETWORKS[network] = Twice(OnnxNetwork(Path(network), Preparation("window", 0)), SMALL)
    picture, values, opinion = measure(picture, _NETWORKS[network], enlargement)
    return _condition(picture, values), _ordered(values), opinion.spread, opinion.embedding


def _condition(picture: Picture, values: Mapping[str, float]) -> str:
    return assess(picture, values, 0.0).condition


def _ordered(values: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([values[name] for name in NAMES])


def _delivered(picture: Picture, sample: Sample, view: str) -> Picture:
    rng = seeded(f"{sample.key}/{view}")
    if view == RANDOM:
        return from_array(training_view(picture, rng))
    return decode(_NAMED[view].file(np.asarray(picture.image, np.uint8), rng), sample.path.name)
