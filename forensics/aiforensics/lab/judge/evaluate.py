"""The evaluation of a detector on labelled pictures: matched conditions first, pictures as found, the robustness sweep.

"Matched" means that both classes are cut to the same window and pass through the same resizing and codec, so that the
file cannot give the answer; every headline figure pools the matched conditions. Pictures "as found" come second: their
figures flatter wherever format or size go with the label.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiforensics.lab.data.dataset import DatasetError, Sample, thin
from aiforensics.lab.data.overlap import DIGITS
from aiforensics.lab.data.progress import Progress
from aiforensics.lab.data.views import CONDITIONS, SIDE, View
from aiforensics.lab.judge import curves, metrics
from aiforensics.lab.judge.detector import Detector, Prediction
from aiforensics.lab.judge.judging import Case, answers
from aiforensics.lab.judge.metrics import CALIBRATED, DRAWS, FORCED, IF_CALIBRATED, RANKED, SELECTIVE, Figure, Scores

SCHEMA = "aiforensics.metrics/1"
HEADLINE = (*FORCED, *RANKED, *CALIBRATED, *SELECTIVE)
GALLERY = 8
"""Pictures of each class in the gallery of failures."""
SWEEP_PICTURES = 200
"""Pictures of the robustness sweep, evenly over classes and sources, unless the caller says otherwise."""

FEWEST = 10
"""Pictures of each class below which a format has no figures of its own."""

Judged = list[tuple[Sample, Prediction]]
ByCondition = Mapping[str, Judged]
"""Name of the condition → judgements under it."""


@dataclass(frozen=True)
class Panel:
    """All figures under one condition.

    Attributes
    ----------
    name, title
        Of the condition.
    judgements
        Pictures judged; in the pooled panel each picture counts once under each condition.
    figures
        Every figure of `metrics.headline` with its interval.
    confusion_matrix, verdicts
        Truth → answer at `p_ai` ≥ 0.5, and truth → verdict at the shipped thresholds.
    per_source, per_generator
        As `metrics.by_key`; empty where they were not asked for.
    by_quality
        Evidence quality → judgements, coverage, selective accuracy and false alarms.
    curves
        ROC, precision–recall, reliability and risk–coverage.
    """

    name: str
    title: str
    judgements: int
    figures: dict[str, Figure]
    confusion_matrix: dict[str, dict[str, int]]
    verdicts: dict[str, dict[str, int]]
    by_quality: dict[str, dict[str, float]]
    curves: dict[str, curves.Curve]
    per_source: dict[str, dict[str, Any]] = field(default_factory=dict)
    per_generator: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Turn the panel into plain data; figures that are not defined are None."""
        names = (*HEADLINE, IF_CALIBRATED)
        content: dict[str, Any] = plain(
            {
                "condition": self.name,
                "title": self.title,
                "judgements": self.judgements,
                **{name: self.figures[name].value for name in names},
                "intervals": {name: [self.figures[name].low, self.figures[name].high] for name in names},
                "confusion_matrix": self.confusion_matrix,
                "verdicts": self.verdicts,
                "by_quality": self.by_quality,
                "per_source": self.per_source,
                "per_generator": self.per_generator,
                "curves": self.curves,
            }
        )
        return content


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    matched
        All matched conditions pooled: the headline.
    conditions
        Each matched condition alone.
    as_found
        The files as they are, or None where that was not asked for.
    robustness
        (view, panel) of the sweep.
    refused
        Files that could not be judged, and why.
    failures
        Under each class the pictures on which the probability was most wrong, worst first: `file`, `source`, `p_ai`
        (mean over all views), `verdicts` (verdict → views).
    by_format
        `JPEG` and `other`, where both classes have enough files of that format: `ai` and `real` (pictures), `roc_auc`
        (condition → figure). The conditions give both classes the same last codec; a codec that one class alone met
        before leaves traces that are no generator's, and within one format most of those are gone.
    pictures
        `judged`: pictures that were judged; `of`: pictures that they were chosen from, None where that was not said.
    seen_in_training
        How many of the judged pictures the detector had learned from; None where it does not say what that was.
    judged
        Every judgement under each matched condition, for whoever compares detectors; not part of `metrics.json`.
    """

    matched: Panel
    conditions: tuple[Panel, ...]
    as_found: Panel | None
    robustness: tuple[tuple[View, Panel], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    failures: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    by_format: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pictures: Mapping[str, int | None] = field(default_factory=dict)
    seen_in_training: int | None = None
    judged: ByCondition = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Turn the evaluation into the content of `metrics.json`."""
        families: dict[str, list[dict[str, Any]]] = {}
        for view, panel in self.robustness:
            figures = {
                name: panel.figures[name] for name in ("roc_auc", "false_alarms", "coverage", "selective_accuracy")
            }
            families.setdefault(view.family, []).append(
                {
                    "name": view.name,
                    "title": view.title,
                    "level": view.level,
                    "judgements": panel.judgements,
                    **{name: figure.value for name, figure in figures.items()},
                    "intervals": {name: [figure.low, figure.high] for name, figure in figures.items()},
                }
            )
        return {
            "schema": SCHEMA,
            "pictures": dict(self.pictures),
            "seen_in_training": self.seen_in_training,
            **self.matched.to_dict(),
            "conditions": {panel.name: panel.to_dict() for panel in self.conditions},
            "as_found": self.as_found.to_dict() if self.as_found else None,
            "robustness": plain(families),
            "refused": [list(pair) for pair in self.refused],
            "failures": plain(self.failures),
            "by_format": plain(self.by_format),
        }


def evaluate(
    samples: Sequence[Sample],
    detector: Detector,
    conditions: Sequence[View] = CONDITIONS,
    *,
    sweep: Sequence[View] = (),
    sweep_pictures: int = SWEEP_PICTURES,
    as_found: bool = True,
    of: int | None = None,
    seen: Container[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a detector.

    Parameters
    ----------
    samples
        The pictures to judge; pass one split to report on it.
    detector
        What judges them.
    conditions
        The matched conditions.
    sweep, sweep_pictures
        Views of the robustness sweep, and on how many pictures, evenly over classes and sources.
    as_found
        Whether the files are judged as they are, too.
    of
        Pictures that `samples` were chosen from.
    seen
        Short sums of the pictures that the detector learned from, as `overlap.seen` gives them.
    draws, seed
        Of the grouped bootstrap; `seed` chooses the windows as well.
    workers
        Processes that judge; no figure depends on them. With more than one the detector can be pickled.
    progress
        Told the number of judgements done and their total.

    Raises
    ------
    DatasetError
        A class has no picture that can be judged.
    aiforensics.lab.data.workers.WorkerError
        A worker is killed.
    """
    few = set(thin(samples, sweep_pictures, seed=seed)) if sweep else set()
    judged: dict[str, Judged] = {}
    formats: dict[Sample, str] = {}
    sums: list[str] = []
    refused: list[tuple[str, str]] = []
    first = [*([None] if as_found else []), *conditions]
    cases = [Case(sample, (*first, *(sweep if sample in few else ()))) for sample in samples]
    total, done = sum(len(case.views) for case in cases), 0
    for case, answer in zip(cases, answers(cases, detector, seed=seed, workers=workers), strict=True):
        if answer.refusal:
            refused.append((str(case.sample.path), answer.refusal))
        else:
            sums.append(answer.sha256[:DIGITS])
            formats[case.sample] = "JPEG" if answer.jpeg else "other"
            for view, prediction in zip(case.views, answer.predictions, strict=True):
                judged.setdefault(view.name if view else "as found", []).append((case.sample, prediction))
        done += len(case.views)
        if progress is not None:
            progress(done, total)
    check_judged(samples, judged.values(), refused)
    matched = {view.name: judged[view.name] for view in conditions}
    pooled = [pair for pairs in matched.values() for pair in pairs]
    return Evaluation(
        matched=panel("matched", _matched_title(conditions), pooled, keys=True, draws=draws, seed=seed),
        conditions=tuple(panel(v.name, v.title, judged[v.name], draws=draws, seed=seed) for v in conditions),
        as_found=panel("as found", "files as found", judged["as found"], keys=True, draws=draws, seed=seed)
        if as_found
        else None,
        robustness=tuple(
            (v, panel(v.name, v.title, judged[v.name], draws=draws, seed=seed)) for v in sweep if v.name in judged
        ),
        refused=tuple(refused),
        failures=_failures(pooled),
        pictures={"judged": len(sums), "of": of},
        seen_in_training=None if seen is None else sum(one in seen for one in sums),
        by_format=_by_format(matched, formats, draws, seed),
        judged=matched,
    )


def panel(name: str, title: str, judged: Judged, *, keys: bool = False, draws: int = DRAWS, seed: int = 0) -> Panel:
    """Compute all figures of judged samples.

    Parameters
    ----------
    name, title
        Of the condition.
    judged
        Samples with what was said of them.
    keys
        Whether the figures of each source and generator are computed too.
    draws, seed
        Of the bootstrap.
    """
    scores = scores_of(judged)
    quality = [prediction.quality for _, prediction in judged]
    return Panel(
        name=name,
        title=title,
        judgements=len(judged),
        figures=metrics.headline(scores, draws=draws, seed=seed),
        confusion_matrix=metrics.confusion_matrix(scores),
        verdicts=metrics.verdict_matrix(scores),
        by_quality=_by_quality(scores, quality),
        curves={
            "roc": curves.roc_curve(scores),
            "precision_recall": curves.precision_recall_curve(scores),
            "reliability": curves.reliability_curve(scores),
            "risk_coverage": curves.risk_coverage_curve(scores),
        },
        per_source=metrics.by_key(scores, [s.source for s, _ in judged], draws=draws, seed=seed) if keys else {},
        per_generator=metrics.by_key(scores, [s.generator for s, _ in judged], draws=draws, seed=seed) if keys else {},
    )


def scores_of(judged: Judged) -> Scores:
    """Arrange judged samples as arrays."""
    return Scores.of(
        [sample.label == "ai" for sample, _ in judged],
        [prediction.p_ai for _, prediction in judged],
        [prediction.verdict for _, prediction in judged],
        [sample.group for sample, _ in judged],
    )


def plain(value: Any) -> Any:  # noqa: ANN401 - data for JSON
    """Make data fit for strict JSON: numbers of six significant digits, None for what is not a number."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _by_format(
    judged: Mapping[str, Judged], formats: Mapping[Sample, str], draws: int, seed: int
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in ("JPEG", "other"):
        counts = Counter(sample.label for sample, kind in formats.items() if kind == name)
        if min(counts["ai"], counts["real"]) < FEWEST:
            continue
        alone = {
            view: scores_of([pair for pair in pairs if formats[pair[0]] == name]) for view, pairs in judged.items()
        }
        figures = {view: metrics.headline(scores, draws=draws, seed=seed)["roc_auc"] for view, scores in alone.items()}
        auc = {view: {"value": one.value, "interval": [one.low, one.high]} for view, one in figures.items()}
        found[name] = {"ai": counts["ai"], "real": counts["real"], "roc_auc": auc}
    return found


def _failures(judged: Judged) -> dict[str, list[dict[str, Any]]]:
    """Find the real pictures with the highest and the AI pictures with the lowest mean probability."""
    views: dict[Sample, list[Prediction]] = {}
    for sample, prediction in judged:
        views.setdefault(sample, []).append(prediction)
    rows: dict[str, list[dict[str, Any]]] = {"real": [], "ai": []}
    for sample, said in views.items():
        rows[sample.label].append(
            {
                "file": sample.path.name,
                "source": sample.source,
                "p_ai": float(np.mean([one.p_ai for one in said])),
                "verdicts": dict(Counter(one.verdict for one in said)),
            }
        )
    return {
        label: sorted(found, key=lambda row: row["p_ai"], reverse=label == "real")[:GALLERY]
        for label, found in rows.items()
    }


def _matched_title(conditions: Sequence[View]) -> str:
    sides = "/".join(str(side) for side in sorted({view.side for view in conditions} - {SIDE}))
    cut = f"windows of at most {sides} px; " if sides else ""
    return f"both classes alike: {cut}" + "; ".join(view.title for view in conditions)


def check_judged(samples: Sequence[Sample], judged: Collection[Judged], refused: Sequence[tuple[str, str]]) -> None:
    """Check that pictures of both classes could be judged.

    Raises
    ------
    DatasetError
        A class has none.
    """
    for label in ("real", "ai"):
        if not any(sample.label == label for pairs in judged for sample, _ in pairs):
            why = f"; the first of {len(refused)} refused is {refused[0][0]} ({refused[0][1]})" if refused else ""
            raise DatasetError(f"none of the {len(samples)} pictures is a {label} one that can be judged{why}")


def _by_quality(scores: Scores, quality: Sequence[str]) -> dict[str, dict[str, float]]:
    result = {}
    for level in ("good", "limited", "poor"):
        mine = [q == level for q in quality]
        if any(mine):
            values = metrics.figures(scores.pick(np.array(mine)))
            names = ("coverage", "selective_accuracy", "false_alarms", "roc_auc")
            result[level] = {"judgements": float(sum(mine)), **{name: float(values[name][0]) for name in names}}
    return result
