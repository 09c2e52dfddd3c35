"""Leave-one-source-out: how a recipe does on generators and cameras that it has never seen.

Three rows, always side by side. *random*: the test split, whose prompts are new but whose sources are known. *unseen
generator*: whole AI sources, and every picture of their generators' families, are left out of training. *double*: whole
real sources are left out as well, so that neither the generator nor the camera is known. Only the last says how the
detector will do on a stranger's picture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiforensics.lab.data.dataset import DatasetError, Sample, check_classes
from aiforensics.lab.data.folds import family
from aiforensics.lab.data.progress import Progress
from aiforensics.lab.data.views import CONDITIONS, View
from aiforensics.lab.judge import metrics
from aiforensics.lab.judge.detector import Prediction, Predictor
from aiforensics.lab.judge.evaluate import Judged, Panel, panel, plain, scores_of
from aiforensics.lab.judge.metrics import DRAWS, Figure, Floats

Fit = Callable[[Sequence[Sample]], Predictor]
"""Training samples (of the splits `train` and `val`, told apart by their `split`) → a predictor."""
REAL_FOLDS = 4
MIN_PICTURES = 20
ROWS = ("random", "unseen generator", "double")


@dataclass(frozen=True)
class LeftOut:
    """One AI source that was left out, or in the row *random* its test pictures.

    Attributes
    ----------
    roc_auc
        Against the held-out real pictures: the mean of the AUCs under each condition, with its interval, none
        where no draw moves it.
    by_condition
        The AUC under each condition.
    called_ai, called_real
        Shares over all conditions; the rest is inconclusive.
    """

    pictures: int
    roc_auc: Figure
    by_condition: dict[str, float]
    called_ai: float
    called_real: float


@dataclass(frozen=True)
class Row:
    """One row of the table: every AI source, every held-out real source, and all of it pooled."""

    name: str
    ai: dict[str, LeftOut]
    real: dict[str, dict[str, Any]]
    pooled: Panel

    @property
    def mean_auc(self) -> float:
        """The mean AUC over AI sources, each counting once."""
        return float(np.mean([found.roc_auc.value for found in self.ai.values()]))

    @property
    def worst(self) -> str:
        """The AI source with the lowest AUC."""
        return min(self.ai, key=lambda source: self.ai[source].roc_auc.value)

    def to_dict(self) -> dict[str, Any]:
        """Turn the row into plain data for JSON."""
        alarms = [row["called_ai"] for row in self.real.values()]
        worst = max(self.real, key=lambda source: self.real[source]["called_ai"])
        content: dict[str, Any] = plain(
            {
                "mean_auc": self.mean_auc,
                "worst_auc": self.ai[self.worst].roc_auc.value,
                "worst_source": self.worst,
                "mean_false_alarms": float(np.mean(alarms)),
                "worst_false_alarms": max(alarms),
                "worst_real_source": worst,
                "ai_sources": {
                    source: {
                        "pictures": found.pictures,
                        "roc_auc": found.roc_auc.value,
                        "roc_auc_interval": [found.roc_auc.low, found.roc_auc.high],
                        "by_condition": found.by_condition,
                        "called_ai": found.called_ai,
                        "called_real": found.called_real,
                    }
                    for source, found in self.ai.items()
                },
                "real_sources": self.real,
                "pooled": self.pooled.to_dict(),
            }
        )
        return content


@dataclass(frozen=True)
class LeaveOut:
    """The three rows, and how they came about."""

    rows: tuple[Row, ...]
    folds: int
    min_pictures: int

    def to_dict(self) -> dict[str, Any]:
        """Turn the table into plain data for JSON."""
        settings = {"folds": self.folds, "min_pictures": self.min_pictures}
        return {**settings, "rows": {row.name: row.to_dict() for row in self.rows}}


@dataclass(frozen=True, slots=True)
class Cut:
    """One fit of a row: what it learns from, and the AI and real pictures that judge it."""

    row: str
    train: list[Sample]
    ai: list[Sample]
    real: list[Sample]


def cuts(
    samples: Sequence[Sample],
    *,
    min_pictures: int = MIN_PICTURES,
    folds: int | None = None,
    rows: Sequence[str] = ROWS,
    seed: int = 0,
) -> tuple[int, list[Cut]]:
    """Cut a data set as `leave_one_source_out` does, all of it at once: what cannot be cut is told before a fit.

    Parameters
    ----------
    samples, min_pictures, folds, rows, seed
        As of `leave_one_source_out`.

    Returns
    -------
    The parts that AI sources are left out in, and every fit's pictures.

    Raises
    ------
    DatasetError
        Fewer than two AI sources have `min_pictures`, fewer than two real sources exist, or what some fit would learn
        from lacks a class in `train` or `val`.
    """
    rng = np.random.default_rng(seed)
    count = {s: sum(x.source == s and x.label == "ai" for x in samples) for s in {x.source for x in samples}}
    ai_sources = [s for s in sorted(count) if count[s] >= min_pictures]
    real_sources = sorted({x.source for x in samples if x.label == "real"})
    if len(ai_sources) < 2 or len(real_sources) < 2:
        raise DatasetError(
            f"leaving sources out needs two AI sources of {min_pictures} pictures and two real ones: "
            f"there are {len(ai_sources)} and {len(real_sources)}"
        )
    parts = min(folds or len(ai_sources), len(ai_sources))
    ai_parts = _parts(ai_sources, parts, rng)
    real_parts = _parts(real_sources, min(REAL_FOLDS, len(real_sources), parts), rng)  # no part without its turn
    jobs = [(row, part) for row in ROWS if row in rows for part in ([set()] if row == "random" else ai_parts)]
    return parts, [
        _cut(samples, row, part, real_parts[turn % len(real_parts)] if row == "double" else set(), ai_sources)
        for turn, (row, part) in enumerate(jobs)
    ]


def leave_one_source_out(
    samples: Sequence[Sample],
    fit: Fit,
    *,
    conditions: Sequence[View] = CONDITIONS,
    min_pictures: int = MIN_PICTURES,
    folds: int | None = None,
    rows: Sequence[str] = ROWS,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress | None = None,
) -> LeaveOut:
    """Fit a recipe again and again with sources left out, and judge what was left out.

    Parameters
    ----------
    samples
        The whole data set, with its splits. Training sees `train` and `val` alone; real pictures of the first two rows
        are judged on `test`, what is left out is judged whole.
    fit
        The recipe.
    conditions
        The matched conditions.
    min_pictures
        AI sources with fewer pictures are never left out; they always train.
    folds
        AI sources are left out in this many parts; one at a time where it is None. Real sources are left out in four
        parts that take turns, or in as many as AI sources where those are fewer: each is judged.
    rows
        Which of `random`, `unseen generator` and `double` to compute.
    draws, seed
        Of the bootstrap; `seed` also shuffles sources into folds.
    progress
        Told the number of fits done and their total.

    Raises
    ------
    DatasetError
        As of `cuts`, before anything is fitted.
    """
    parts, found = cuts(samples, min_pictures=min_pictures, folds=folds, rows=rows, seed=seed)
    tables = {row: _Table(conditions) for row in ROWS if row in rows}
    for done, cut in enumerate(found, 1):
        tables[cut.row].add(fit(cut.train), cut.ai, cut.real)
        if progress is not None:
            progress(done, len(found))
    return LeaveOut(tuple(table.row(row, draws=draws, seed=seed) for row, table in tables.items()), parts, min_pictures)


class _Table:
    """Collects the judgements of one row over its folds."""

    def __init__(self, conditions: Sequence[View]) -> None:
        self.conditions = conditions
        self.by_source: dict[str, tuple[int, list[Judged]]] = {}
        self.folds: list[list[Judged]] = []

    def add(self, predict: Predictor, ai: Sequence[Sample], real: Sequence[Sample]) -> None:
        """Judge what a fold left out, under every condition."""
        tested = [*ai, *real]
        per_view = [list(zip(tested, _predictions(predict, tested, view), strict=True)) for view in self.conditions]
        self.folds.append(per_view)
        for source in sorted({sample.source for sample in ai}):
            mine = [[p for p in judged if p[0].label == "real" or p[0].source == source] for judged in per_view]
            self.by_source[source] = (sum(sample.source == source for sample in ai), mine)

    def row(self, name: str, *, draws: int, seed: int) -> Row:
        """Compute the figures of the row."""
        ai = {
            source: self._left_out(*found, draws=draws, seed=seed) for source, found in sorted(self.by_source.items())
        }
        pooled = [pair for per_view in self.folds for judged in per_view for pair in judged]
        real = [pair for pair in pooled if pair[0].label == "real"]
        sources = [sample.source for sample, _ in real]
        alarms = metrics.by_key(scores_of(real), sources, draws=draws, seed=seed)
        title = "; ".join(view.title for view in self.conditions)
        return Row(name, ai, alarms, panel(name, title, self._once(), draws=draws, seed=seed))

    def _once(self) -> Judged:
        """Every picture as one of the folds judged it that left it out, each fold in its turn.

        A real one may be left out of many, and counted so often it would outweigh the AI ones.
        """
        folds_of: dict[tuple[str, Path], list[int]] = {}  # of two pictures of one key each counts
        for fold, per_view in enumerate(self.folds):
            for sample, _ in per_view[0]:
                folds_of.setdefault((sample.key, sample.path), []).append(fold)
        chosen = {name: folds[turn % len(folds)] for turn, (name, folds) in enumerate(sorted(folds_of.items()))}
        return [
            pair
            for fold, per_view in enumerate(self.folds)
            for judged in per_view
            for pair in judged
            if chosen[pair[0].key, pair[0].path] == fold
        ]

    def _left_out(self, pictures: int, judged: list[Judged], *, draws: int, seed: int) -> LeftOut:
        scores = [scores_of(pairs) for pairs in judged]

        def mean_auc(weights: Floats) -> dict[str, Floats]:
            return {"roc_auc": np.mean([metrics.weighted_auc(one, weights) for one in scores], axis=0)}

        low, high = metrics.bootstrap(scores[0], mean_auc, draws=draws, seed=seed)["roc_auc"]
        by_condition = [float(metrics.weighted_auc(one, np.ones((1, len(one))))[0]) for one in scores]
        said = [p.verdict for pairs in judged for sample, p in pairs if sample.label == "ai"]
        return LeftOut(
            pictures=pictures,
            roc_auc=metrics.moved(metrics.of_both(Figure(float(np.mean(by_condition)), low, high), scores[0])),
            by_condition=dict(zip((view.name for view in self.conditions), by_condition, strict=True)),
            called_ai=said.count("ai") / len(said),
            called_real=said.count("real") / len(said),
        )


def _parts(sources: Sequence[str], count: int, rng: np.random.Generator) -> list[set[str]]:
    shuffled: list[str] = [sources[int(i)] for i in rng.permutation(len(sources))]
    return [set(shuffled[part::count]) for part in range(count)]


def _cut(samples: Sequence[Sample], row: str, out_ai: set[str], out_real: set[str], ai_sources: Sequence[str]) -> Cut:
    """Training samples, left-out AI samples and held-out real samples of one fold; no group stands on both sides."""
    if row == "random":
        ai = [s for s in samples if s.label == "ai" and s.split == "test" and s.source in ai_sources]
    else:
        ai = [s for s in samples if s.label == "ai" and s.source in out_ai]
    if row == "double":
        real = [s for s in samples if s.label == "real" and s.source in out_real]
    else:
        real = [s for s in samples if s.label == "real" and s.split == "test"]
    families = {family(s) for s in ai} if row != "random" else set()
    tested = {s.group for s in [*ai, *real]}
    train = [
        s
        for s in samples
        if s.split != "test"
        and s.group not in tested
        and not (s.label == "ai" and family(s) in families)
        and not (s.label == "ai" and s.source in out_ai)
        and not (s.label == "real" and s.source in out_real)
    ]
    if not ai or not real or len({s.label for s in train}) < 2:
        raise DatasetError(f"the row {row} has too few sources or test pictures to leave any out{_why(ai, families)}")
    check_classes(train)
    return Cut(row, train, ai, real)


def _why(left_out: Sequence[Sample], families: Collection[str]) -> str:
    """Say which families went with the sources that were left out, where that may be why nothing is left."""
    if not families:
        return ""
    names = ", ".join(sorted({s.generator or s.source for s in left_out})[:3])
    whole = ", ".join(sorted(one.removeprefix("ai:") for one in families)[:3])
    return f": with {names} goes all of the family {whole}, by the first word of the generators' names or their lineage"


def _predictions(predict: Predictor, samples: Sequence[Sample], view: View) -> Sequence[Prediction]:
    found = predict(samples, view)
    if len(found) != len(samples):
        raise ValueError(f"the predictor gave {len(found)} predictions for {len(samples)} samples")
    return found
