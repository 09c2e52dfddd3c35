"""The page of an evaluation: self-contained HTML with plots as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from aiforensics.lab.pages.charts import Axis, Series, interval_bar, line_chart
from aiforensics.lab.pages.words import TEMPLATES, known, percent, reach, with_interval
from aiforensics.report.page import write_page

FIGURES = (
    ("roc_auc", "ROC AUC", "chance that an AI picture scores above a real one"),
    ("average_precision", "average precision", "area under precision over recall"),
    ("false_alarms", "false alarms", "real pictures called AI, at the shipped thresholds"),
    ("detections", "detections", "AI pictures called AI, at the shipped thresholds"),
    ("missed", "missed", "AI pictures called real, at the shipped thresholds"),
    ("coverage", "coverage", "pictures that got an answer other than inconclusive"),
    ("selective_accuracy", "accuracy where it answers", "of the pictures that got an answer"),
    ("accuracy", "accuracy", "answer forced at 50 %"),
    ("balanced_accuracy", "balanced accuracy", "mean over the classes, answer forced at 50 %"),
    ("precision", "precision", "of what is called AI, answer forced at 50 %"),
    ("recall", "recall", "of AI pictures, answer forced at 50 %"),
    ("f1", "F1", "answer forced at 50 %"),
    ("ece", "calibration error", "expected, over 15 bins of equal mass"),
    (
        "ece_if_calibrated",
        "calibration error if calibrated",
        "what chance makes of right probabilities on so many",
    ),
    ("brier", "Brier score", "mean squared error of the probability"),
)
"""Key, name and meaning of each figure of the headline table."""


def evaluation_page(
    content: Mapping[str, Any], path: Path, *, title: str = "Evaluation", generated: datetime | None = None
) -> None:
    """Write the page of an evaluation.

    Parameters
    ----------
    content
        The content of `metrics.json`, as `Evaluation.to_dict` gives it; `leave_one_source_out` and `settings` are shown
        where they stand.
    path
        The HTML file to write; an existing one is replaced.
    title
        What was evaluated, for the heading.
    generated
        The time that the page states, with a time zone; by default now.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    panels = [content, *content["conditions"].values(), *([content["as_found"]] if content["as_found"] else [])]
    context: dict[str, object] = {
        "title": title,
        "m": content,
        "known": known(content),
        "panels": panels,
        "figures": [(name, meaning, [with_interval(p, key) for p in panels]) for key, name, meaning in FIGURES],
        "sources": {label: _source_rows(content["per_source"], label) for label in ("ai", "real")},
        "plots": _plots(content),
        "sweep": [_sweep_plot(family, points) for family, points in content["robustness"].items()],
        "left_out": _left_out(content.get("leave_one_source_out")),
        "settings": content.get("settings", {}),
        "pct": percent,
        "reach": reach,
    }
    write_page("evaluation.html.j2", path, context, generated, folder=TEMPLATES)


def _source_rows(sources: Mapping[str, Mapping[str, Any]], label: str) -> list[dict[str, Any]]:
    """Rows of one class, the worst first: AI sources by AUC, real sources by false alarms."""
    rows = []
    for name, row in sources.items():
        if row["label"] != label:
            continue
        auc, interval = row.get("roc_auc"), row.get("roc_auc_interval", (None, None))
        bar = (
            interval_bar(auc, interval, "ai", base=0.5)
            if label == "ai"
            else interval_bar(row["called_ai"], row["called_ai_interval"], "real")
        )
        rows.append({"name": name, **row, "roc_auc": auc, "bar": bar})
    return sorted(rows, key=lambda row: (row["roc_auc"] or 0.0) if label == "ai" else -row["called_ai"])


def _plots(content: Mapping[str, Any]) -> list[Markup]:
    conditions = list(content["conditions"].values())
    found = [content["as_found"]] if content["as_found"] else []

    def series(curve: str, x: str, y: str, panels: Sequence[Mapping[str, Any]], *, marks: bool = False) -> list[Series]:
        return [Series(p["condition"], p["curves"][curve][x], p["curves"][curve][y], marks=marks) for p in panels]

    risks = [p["curves"]["risk_coverage"] for p in [*conditions, *found]]
    worst = max([0.05, *(r for one in risks for c, r in zip(one["coverage"], one["risk"], strict=True) if c >= 0.1)])
    return [
        line_chart(
            "ROC: what a lower threshold buys and costs",
            Axis("real pictures called AI"),
            Axis("AI pictures called AI"),
            series("roc", "false_alarms", "detections", [*conditions, *found]),
            diagonal=True,
        ),
        line_chart(
            "Precision and recall",
            Axis("recall of AI pictures"),
            Axis("precision"),
            series("precision_recall", "recall", "precision", [*conditions, *found]),
        ),
        line_chart(
            "Reliability: on the diagonal, a stated 70 % is right in 70 of 100 cases",
            Axis("stated probability of AI"),
            Axis("share of AI pictures"),
            series("reliability", "p_ai", "share_ai", [*conditions, *found], marks=True),
            diagonal=True,
        ),
        line_chart(
            "Risk and coverage: errors left when only the surest are answered",
            Axis("share of pictures answered"),
            Axis("errors among them", high=math.ceil(10 * worst - 1e-6) / 10),
            series("risk_coverage", "coverage", "risk", [*conditions, *found]),
        ),
    ]


def _sweep_plot(family: str, points: Sequence[Mapping[str, Any]]) -> Markup:
    points = sorted(points, key=lambda point: point["level"])
    levels = [point["level"] for point in points]

    def series(name: str, key: str) -> Series:
        intervals = [point["intervals"][key] for point in points]
        low, high = [i[0] for i in intervals], [i[1] for i in intervals]
        return Series(name, levels, [point[key] for point in points], low, high, marks=True)

    return line_chart(
        family,
        Axis(family, levels[0], levels[-1], tuple(levels)),
        Axis("share or AUC"),
        [series("AUC", "roc_auc"), series("coverage", "coverage"), series("false alarms", "false_alarms")],
    )


def _left_out(found: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if not found:
        return []
    return [
        {
            "name": name,
            **row,
            "ai": [
                {"name": source, **one, "bar": interval_bar(one["roc_auc"], one["roc_auc_interval"], "ai", base=0.5)}
                for source, one in sorted(row["ai_sources"].items(), key=lambda item: item[1]["roc_auc"])
            ],
            "real": [
                {"name": source, **one, "bar": interval_bar(one["called_ai"], one["called_ai_interval"], "real")}
                for source, one in sorted(row["real_sources"].items(), key=lambda item: -item[1]["called_ai"])
            ],
        }
        for name, row in found["rows"].items()
    ]
