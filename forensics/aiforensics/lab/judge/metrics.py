"""Figures of a detector on labelled pictures, with grouped bootstrap intervals.

Labels are 1 for `ai` and 0 for `real`. `accuracy`, `balanced_accuracy`, `precision`, `recall`, `f1` and the confusion
matrix force an answer on every picture at `p_ai` ≥ 0.5; `coverage`, `selective_accuracy`, `false_alarms` and the like
follow the verdicts at the shipped thresholds, where `inconclusive` is an answer of its own.

Intervals are percentiles of a bootstrap that draws whole groups (the same prompt, the same scene) with replacement
(Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8): pictures of one group are not
independent. All draws are computed at once, as rows of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiforensics.lab.judge.calibration import calibration_error, error_interval, errors_if_calibrated
from aiforensics.lab.judge.shares import FEW, STILL, share_interval

Floats = NDArray[np.float64]
DRAWS = 1000
"""Bootstrap draws."""
_CHUNK = 2_000_000
"""Weights held at once, so that memory does not grow with the data set."""

FORCED = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
RANKED = ("roc_auc", "average_precision")
CALIBRATED = ("ece", "brier")
IF_CALIBRATED = "ece_if_calibrated"
SELECTIVE = ("coverage", "selective_accuracy", "false_alarms", "detections", "missed")


@dataclass(frozen=True, slots=True)
class Scores:
    """What a detector said of labelled pictures, as arrays of one length n.

    Attributes
    ----------
    labels
        (n,) 1 for `ai`, 0 for `real`.
    p_ai
        (n,) calibrated probability of `ai` in [0, 1].
    verdicts
        (n,) `ai`, `real` or `inconclusive`.
    groups
        (n,) names of what is drawn together in the bootstrap.
    """

    labels: NDArray[np.int64]
    p_ai: Floats
    verdicts: NDArray[np.str_]
    groups: NDArray[np.str_]

    @classmethod
    def of(
        cls,
        labels: ArrayLike,
        p_ai: ArrayLike,
        verdicts: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
    ) -> Scores:
        """Make scores of any array-likes.

        Without verdicts, 0.5 decides and nothing is inconclusive; without groups, each picture is its own.

        Raises
        ------
        ValueError
            Labels and probabilities are not of one length, or not all 0 or 1 and finite.
        """
        label = np.asarray(labels, np.int64)
        p = np.asarray(p_ai, np.float64)
        if len(label) != len(p) or not np.isfinite(p).all() or not np.isin(label, (0, 1)).all():
            raise ValueError("labels must be 0 or 1, with one finite probability for each")
        said = np.where(p >= 0.5, "ai", "real") if verdicts is None else np.asarray(verdicts, np.str_)
        names = np.arange(len(p)).astype(np.str_) if groups is None else np.asarray(groups, np.str_)
        return cls(label, p, said, names)

    def __len__(self) -> int:
        return len(self.p_ai)

    def pick(self, mask: NDArray[np.bool_]) -> Scores:
        """Only the pictures of a boolean mask."""
        return Scores(self.labels[mask], self.p_ai[mask], self.verdicts[mask], self.groups[mask])


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its 95 % interval; NaN where it is not defined, such as the AUC of one class.

    Without an interval (NaN) a figure stands that no draw moves, or that rests on too few groups to draw from.
    """

    value: float
    low: float
    high: float


def figures(scores: Scores, weights: Floats | None = None) -> dict[str, Floats]:
    """Every headline figure, for each row of weights.

    Parameters
    ----------
    scores
        Of n pictures.
    weights
        (draws, n) weight of each picture in each draw; one row of ones where it is None.

    Returns
    -------
    (draws,) for each name of `FORCED`, `RANKED`, `CALIBRATED` and `SELECTIVE`, all in [0, 1], NaN where undefined.
    """
    w = np.ones((1, len(scores))) if weights is None else weights
    ai, p = scores.labels == 1, scores.p_ai
    called = p >= 0.5
    tp, fp = _total(w, ai & called), _total(w, ~ai & called)
    fn, tn = _total(w, ai & ~called), _total(w, ~ai & ~called)
    answered = scores.verdicts != "inconclusive"
    right = np.where(ai, scores.verdicts == "ai", scores.verdicts == "real")
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "accuracy": (tp + tn) / w.sum(1),
            "balanced_accuracy": (tp / (tp + fn) + tn / (tn + fp)) / 2,
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "f1": 2 * tp / (2 * tp + fp + fn),
            "roc_auc": _roc_auc(scores.labels, p, w),
            "average_precision": _average_precision(scores.labels, p, w),
            "ece": calibration_error(scores.labels, p, w),
            "brier": w @ (p - scores.labels) ** 2 / w.sum(1),
            "coverage": _total(w, answered) / w.sum(1),
            "selective_accuracy": _total(w, right) / _total(w, answered),
            "false_alarms": _total(w, ~ai & (scores.verdicts == "ai")) / _total(w, ~ai),
            "detections": _total(w, ai & (scores.verdicts == "ai")) / _total(w, ai),
            "missed": _total(w, ai & (scores.verdicts == "real")) / _total(w, ai),
        }


def headline(scores: Scores, *, draws: int = DRAWS, seed: int = 0) -> dict[str, Figure]:
    """Every figure of `figures` with the 95 % interval of a grouped bootstrap, where that can show one.

    Beside them `IF_CALIBRATED`: the mean `ece` of a detector whose very probabilities were right, and where 95 % of it
    lie, by drawing labels from them. Of few pictures that is most of the `ece`.
    """
    values = figures(scores)
    drawn = _drawn(scores, lambda weights: figures(scores, weights), draws, seed)
    found = {name: Figure(float(values[name][0]), *_interval(drawn[name])) for name in values}
    chance = errors_if_calibrated(scores.labels, scores.p_ai, scores.groups, seed=seed)
    error = found["ece"]
    found["ece"] = Figure(error.value, *error_interval(error.value, error.low, error.high, drawn["ece"], chance))
    found[IF_CALIBRATED] = Figure(float(chance.mean()), *_interval(chance))
    ai, everybody = scores.labels == 1, np.ones(len(scores), bool)
    called, said_ai, said_real = scores.p_ai >= 0.5, scores.verdicts == "ai", scores.verdicts == "real"
    shares = {
        "accuracy": (everybody, called == ai),
        "precision": (called, ai),
        "recall": (ai, called),
        "coverage": (everybody, scores.verdicts != "inconclusive"),
        "selective_accuracy": (scores.verdicts != "inconclusive", np.where(ai, said_ai, said_real)),
        "false_alarms": (~ai, said_ai),
        "detections": (ai, said_ai),
        "missed": (ai, said_real),
    }
    for name, (mine, hits) in shares.items():
        found[name] = _uncertain(found[name], scores, mine, hits)
    for name in (*RANKED, "balanced_accuracy", "f1"):
        found[name] = of_both(found[name], scores)
    for name in CALIBRATED:
        if len(set(scores.groups.tolist())) < FEW:
            found[name] = Figure(found[name].value, np.nan, np.nan)
    return {name: moved(one) for name, one in found.items()}


def figure(scores: Scores, name: str, *, draws: int = DRAWS, seed: int = 0) -> Figure:
    """One figure of `figures` with its interval."""
    measure = _ONE.get(name)

    def one(weights: Floats) -> dict[str, Floats]:
        return {name: measure(scores, weights) if measure else figures(scores, weights)[name]}

    value = float(one(np.ones((1, len(scores))))[name][0])
    return Figure(value, *bootstrap(scores, one, draws=draws, seed=seed)[name])


def bootstrap(
    scores: Scores, measure: Callable[[Floats], Mapping[str, Floats]], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals by drawing groups with replacement.

    Parameters
    ----------
    scores
        Of n pictures.
    measure
        (draws, n) weights → (draws,) values by name.
    draws, seed
        Of the bootstrap.

    Returns
    -------
    Low and high by name; NaN where no draw defines the figure.
    """
    return {name: _interval(values) for name, values in _drawn(scores, measure, draws, seed).items()}


def weighted_auc(scores: Scores, weights: Floats) -> Floats:
    """Compute the ROC AUC alone: (draws, n) weights → (draws,)."""
    return _roc_auc(scores.labels, scores.p_ai, weights)


def roc_auc(labels: ArrayLike, p_ai: ArrayLike) -> float:
    """Area under the ROC curve; ties count half, NaN with one class.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return float(figures(Scores.of(labels, np.asarray(p_ai)))["roc_auc"][0])


def confusion_matrix(scores: Scores) -> dict[str, dict[str, int]]:
    """Count at `p_ai` ≥ 0.5: truth → answer → pictures."""
    called = np.where(scores.p_ai >= 0.5, "ai", "real")
    return _counts(scores.labels, called, ("real", "ai"))


def verdict_matrix(scores: Scores) -> dict[str, dict[str, int]]:
    """Count at the shipped thresholds: truth → verdict, `inconclusive` included → pictures."""
    return _counts(scores.labels, scores.verdicts, ("real", "inconclusive", "ai"))


def by_key(
    scores: Scores, keys: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, float | int | str | list[float]]]:
    """Figures of each source or generator.

    Parameters
    ----------
    scores
        Of n pictures.
    keys
        (n,) source or generator of each; empty ones are left out.

    Returns
    -------
    By key: `label`, `judgements`, `groups`, `mean_p_ai`, the shares `called_ai` (with `called_ai_interval`),
    `called_real` and `inconclusive`, and where both classes exist `roc_auc` against all pictures of the other class,
    with `roc_auc_interval`. A key that both classes use has a row for each, as `ai/KEY` and `real/KEY`: false alarms
    and detections are never one share.
    """
    names = np.asarray(keys, np.str_)
    result: dict[str, dict[str, float | int | str | list[float]]] = {}
    for name in sorted(set(names.tolist()) - {""}):
        both = np.ptp(scores.labels[names == name]) > 0
        for value, label in enumerate(("real", "ai")):
            mine = (names == name) & (scores.labels == value)
            if mine.any():
                result[f"{label}/{name}" if both else name] = _row(scores, mine, label, draws, seed)
    return result


def of_both(one: Figure, scores: Scores) -> Figure:
    """Give a figure that needs both classes no interval where one of them has few groups.

    The draws would move the other class alone: with 1, 2 or 3 groups, a 95 % interval then holds the truth in 31, 63
    and 80 % of the cases.
    """
    fewest = min(len(set(scores.groups[scores.labels == label].tolist())) for label in (0, 1))
    return Figure(one.value, np.nan, np.nan) if fewest < FEW else one


def _row(
    scores: Scores, mask: NDArray[np.bool_], label: str, draws: int, seed: int
) -> dict[str, float | int | str | list[float]]:
    """Figures of some pictures of one class."""
    mine = scores.pick(mask)
    row: dict[str, float | int | str | list[float]] = {
        "label": label,
        "judgements": len(mine),
        "groups": len(set(mine.groups.tolist())),
        "mean_p_ai": float(mine.p_ai.mean()),
    }
    for verdict, key in (("ai", "called_ai"), ("real", "called_real"), ("inconclusive", "inconclusive")):
        row[key] = float(np.mean(mine.verdicts == verdict))
    everybody, called = np.ones(len(mine), bool), mine.verdicts == "ai"
    share = moved(_uncertain(figure(mine, "called_ai", draws=draws, seed=seed), mine, everybody, called))
    row["called_ai_interval"] = [share.low, share.high]
    against = scores.pick(mask | (scores.labels != mine.labels[0]))
    if np.ptp(against.labels) > 0:
        auc = moved(of_both(figure(against, "roc_auc", draws=draws, seed=seed), against))
        row["roc_auc"], row["roc_auc_interval"] = auc.value, [auc.low, auc.high]
    return row


def _uncertain(one: Figure, scores: Scores, mine: NDArray[np.bool_], hits: NDArray[np.bool_]) -> Figure:
    """Give the share of hits among some pictures the interval of `share_interval`."""
    return Figure(one.value, *share_interval(one.value, (one.low, one.high), scores.groups[mine], hits[mine]))


def moved(one: Figure) -> Figure:
    """Without an interval where no draw moved the figure: that shows the limits of drawing, not certainty."""
    return Figure(one.value, np.nan, np.nan) if one.high - one.low <= STILL else one


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5)) if len(values) else (np.nan, np.nan)
    return float(low), float(high)


def _drawn(
    scores: Scores, measure: Callable[[Floats], Mapping[str, Floats]], draws: int, seed: int
) -> dict[str, Floats]:
    """Every figure in every draw that defines it."""
    chunks = [measure(weights) for weights in _draws(scores.groups, draws, seed)]
    found = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    return {name: values[np.isfinite(values)] for name, values in found.items()}


def _draws(groups: NDArray[np.str_], draws: int, seed: int) -> Iterator[Floats]:
    _, place = np.unique(groups, return_inverse=True)
    count = int(place.max()) + 1
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // len(groups))
    for start in range(0, draws, step):
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(step, draws - start))
        yield times[:, place].astype(np.float64)


def _total(weights: Floats, mask: NDArray[np.bool_]) -> Floats:
    return np.asarray(weights @ mask.astype(np.float64))


def _ties(p: Floats, *, descending: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order of the scores and where each run of equal scores starts in it."""
    order = np.argsort(-p if descending else p, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(p[order]) != 0])
    return order, starts


def _runs(labels: NDArray[np.int64], p: Floats, w: Floats, *, descending: bool) -> tuple[Floats, Floats]:
    """(draws, distinct scores) weight of `ai` and of `real` at each distinct score."""
    order, starts = _ties(p, descending=descending)
    ai = labels[order] == 1
    sorted_w = w[:, order]
    return np.add.reduceat(sorted_w * ai, starts, axis=1), np.add.reduceat(sorted_w * ~ai, starts, axis=1)


def _roc_auc(labels: NDArray[np.int64], p: Floats, w: Floats) -> Floats:
    ai, real = _runs(labels, p, w, descending=False)
    below = np.cumsum(real, axis=1) - real / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((ai * below).sum(1) / (ai.sum(1) * real.sum(1)))


def _average_precision(labels: NDArray[np.int64], p: Floats, w: Floats) -> Floats:
    ai, real = _runs(labels, p, w, descending=True)
    hits = np.cumsum(ai, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.nan_to_num(hits / (hits + np.cumsum(real, axis=1)))
        return np.asarray((ai * precision).sum(1) / ai.sum(1))


def _called_ai(scores: Scores, weights: Floats) -> Floats:
    return np.asarray(_total(weights, scores.verdicts == "ai") / weights.sum(1))


_ONE: dict[str, Callable[[Scores, Floats], Floats]] = {
    "called_ai": _called_ai,
    "roc_auc": weighted_auc,
}


def _counts(labels: NDArray[np.int64], answers: NDArray[np.str_], columns: Iterable[str]) -> dict[str, dict[str, int]]:
    columns = tuple(columns)
    return {
        truth: {answer: int(np.sum((labels == value) & (answers == answer))) for answer in columns}
        for truth, value in (("real", 0), ("ai", 1))
    }
