"""Figures on strangers: sources that neither network, head, mix, calibration nor thresholds had seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.folds import labels_of, origins
from aiforensics.lab.data.views import CONDITIONS, LARGE_CONDITIONS, View
from aiforensics.lab.fit.calibrating import Fit, Floats, probabilities
from aiforensics.lab.fit.measure import LARGE_VIEWS, Table
from aiforensics.lab.fit.weighing import row_weights
from aiforensics.lab.judge.metrics import Scores, figures

MIN_PICTURES = 8
"""Pictures that an AI source needs for an AUC of its own: each is judged under four conditions."""

AT_THRESHOLDS = ("false_alarms", "detections", "missed", "coverage", "selective_accuracy", "ece")
"""Figures that the thresholds decide."""


def out_of_fold(
    parts: Mapping[str, Floats],
    table: Table,
    samples: Sequence[Sample],
    folds: NDArray[np.int64],
    fit: Fit,
) -> dict[str, Any]:
    """Figures of an out-of-fold table under the matched conditions.

    The log-odds of each fold come from a network and a head that were fitted without it, and from a mix whose three
    numbers were fitted on the other folds' pictures (whose heads had seen this one's); here its calibration and
    thresholds are fitted without it, too, on all views of the other folds as the bundle's are, so that no figure is one
    that a promise was set on.

    Parameters
    ----------
    parts
        (n,) out-of-fold log-odds of the table's rows by part; `fused` are those that are calibrated.
    table
        Features of delivered samples.
    samples, folds
        What the table's `sample` column points at, and the fold that each was left out of.
    fit
        Makes the calibration that judges a fold, from the pictures of the others.

    Returns
    -------
    `roc_auc` of each part, by view and by AI source of `min_pictures`; at the thresholds `false_alarms`, `detections`,
    `missed`, `coverage`, `selective_accuracy` and `ece`; false alarms by real source. Under `large` the same of the
    larger views, where there are any of both classes. Classes and sources are weighed as `balance` does, so that a
    source of which much was collected is not what is judged; of one real source every view counts alike.
    """
    p, verdicts = judged(parts["fused"], table, samples, folds, fit)
    weights = row_weights(samples, table)

    def panel(views: Sequence[View]) -> dict[str, Any]:
        rows = np.isin(table.view, [view.name for view in views])
        mine = {name: log_odds[rows] for name, log_odds in parts.items()}
        owner = [samples[i] for i in table.sample[rows].tolist()]
        return _figures(owner, table.view[rows], views, mine, p[rows], verdicts[rows], weights[rows])

    large = len({samples[i].label for i in table.sample[np.isin(table.view, sorted(LARGE_VIEWS))].tolist()}) == 2
    return panel(CONDITIONS) | ({"large": panel(LARGE_CONDITIONS)} if large else {})


def _figures(
    owner: Sequence[Sample],
    view: NDArray[np.str_],
    views: Sequence[View],
    parts: Mapping[str, Floats],
    p: Floats,
    verdicts: NDArray[np.str_],
    weights: Floats,
) -> dict[str, Any]:
    """Figures of rows that show samples under some of the views, each with the log-odds of every part."""
    labels = labels_of(owner)
    sources = np.array([sample.source for sample in owner])
    real = labels < 0.5
    shown = {sample.path: sample for sample in owner}
    pictures = Counter(sample.source for sample in shown.values() if sample.label == "ai")
    big = sorted(source for source, count in pictures.items() if count >= MIN_PICTURES)

    def auc(log_odds: Floats, rows: NDArray[np.bool_]) -> float:
        return float(figures(Scores.of(labels[rows], log_odds[rows]), weights[rows][None])["roc_auc"][0])

    by_source = {part: {s: auc(z, real | (sources == s)) for s in big} for part, z in parts.items()}
    said = figures(Scores.of(labels, p, verdicts.tolist()), weights[None])
    found: dict[str, Any] = {
        "pictures": len(shown),
        "views": len(labels),
        "roc_auc": {part: auc(z, labels >= 0.0) for part, z in parts.items()},
        "roc_auc_by_view": {
            one.name: {part: auc(z, view == one.name) for part, z in parts.items()}
            for one in views
            if (view == one.name).any()
        },
        "min_pictures": MIN_PICTURES,
        "mean_source_auc": {
            part: float(np.mean(list(row.values()))) if row else None for part, row in by_source.items()
        },
        "roc_auc_by_ai_source": by_source["fused"],
        **{name: float(said[name][0]) for name in AT_THRESHOLDS},
        "false_alarms_by_real_source": {
            s: float((verdicts[real & (sources == s)] == "ai").mean()) for s in sorted(set(sources[real].tolist()))
        },
    }
    val = np.array([sample.split == "val" for sample in owner])
    if len(set(labels[val].tolist())) > 1:
        found["roc_auc_val"] = {part: auc(z, val) for part, z in parts.items()}
    return found


def judged(
    log_odds: Floats,
    table: Table,
    samples: Sequence[Sample],
    folds: NDArray[np.int64],
    fit: Fit,
) -> tuple[Floats, NDArray[np.str_]]:
    """Judge each fold under the calibration and the thresholds of the others.

    Parameters
    ----------
    log_odds
        (n,) out-of-fold log-odds of the table's rows.
    table, samples, folds, fit
        As in `out_of_fold`.

    Returns
    -------
    (n,) probabilities of `ai`, and (n,) verdicts.
    """
    labels = labels_of(samples)[table.sample]
    weights = row_weights(samples, table)
    sources = np.array(origins(samples))[table.sample]
    fold_of, conditions = folds[table.sample], table.condition
    p, verdicts = np.zeros(len(log_odds)), np.full(len(log_odds), "inconclusive")
    for fold in np.unique(fold_of):
        out = fold_of == fold
        fitted = fit(log_odds[~out], labels[~out], conditions[~out], weights[~out], sources[~out].tolist())
        p[out] = probabilities(fitted, log_odds[out], conditions[out])
        verdicts[out] = [fitted.verdict(float(value)) for value in p[out]]
    return p, verdicts
