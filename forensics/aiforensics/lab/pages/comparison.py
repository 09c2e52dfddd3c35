"""The page of a comparison: one table, confusion matrices, training curves, in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from aiforensics.lab.pages.charts import Axis, Series, interval_bar, line_chart
from aiforensics.lab.pages.standing import beats_chance, is_behind, leader, ranked, strangers
from aiforensics.lab.pages.words import TEMPLATES, gap, with_interval
from aiforensics.report.page import write_page

COLUMNS = (
    ("roc_auc", "ROC AUC"),
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("f1", "F1"),
    ("ece", "calibration error"),
    ("false_alarms", "false alarms"),
    ("coverage", "coverage"),
)
"""Key and heading of the figures in the table."""


def comparison_page(content: Mapping[str, Any], path: Path) -> None:
    """Write the page of a comparison.

    Parameters
    ----------
    content
        As `aiforensics.lab.compare.compare` gives it.
    path
        The HTML file to write; an existing one is replaced.
    """
    entries = content["entries"]
    order, new = ranked(entries), strangers(entries)
    marks = {name: _mark(entries[name]) for name in order}
    failed = [{"name": name, "failed": why} for name, why in content.get("failed", {}).items()]
    held = {name: entries[name]["difference"] for name in order if "difference" in entries[name]}
    context = {
        "settings": content["settings"],
        "refused": len({tuple(pair) for entry in entries.values() for pair in entry["refused"]}),
        "columns": [heading for _, heading in COLUMNS],
        "tables": [
            (
                "Matched: both classes in the same window, size and codec",
                [*(_row(name, marks[name], entries[name]) for name in order), *failed],
            ),
            (
                "As found: the files as they are",
                [*(_row(name, marks[name], entries[name]["as_found"]) for name in order), *failed],
            ),
        ],
        "systems": len(order),
        "failed": [row["name"] for row in failed],
        "leader": leader(entries),
        "differences": [(name, *gap(one["roc_auc"], one["interval"]), one["says"]) for name, one in held.items()],
        "costs": [(name, entries[name]) for name in order],
        "matrices": [(name, entries[name]["confusion_matrix"]) for name in order],
        "curves": [plot for name in order for plot in _curves(name, entries[name].get("history", {}))],
        "sensitivity": [
            _sensitivity(name, entries[name]["sensitivity"]) for name in order if "sensitivity" in entries[name]
        ],
        "best": new[0] if new else "",
        "best_auc": entries[new[0]]["roc_auc"] if new else None,
        "shown": bool(new) and beats_chance(entries, new[0]),
        "rivals": [name for name in new if name in held and not is_behind(held[name])],
        "flattered": len(new) < len(order),
    }
    write_page("comparison.html.j2", path, context, folder=TEMPLATES)


def _mark(entry: Mapping[str, Any]) -> str:
    """What stands beside a system that the test pictures are not, or may not be, new to."""
    seen = entry["seen_in_training"]
    if seen is None:
        return "not known what it learned from"
    return f"{seen} of {entry['pictures']['judged']} seen in training" if seen else ""


def _row(name: str, mark: str, panel: Mapping[str, Any]) -> dict[str, Any]:
    bar = interval_bar(panel["roc_auc"], panel["intervals"]["roc_auc"], "ai", base=0.5)
    return {"name": name, "mark": mark, "bar": bar, "cells": [with_interval(panel, key) for key, _ in COLUMNS]}


def _curves(name: str, histories: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Markup]:
    plots = []
    for part, history in histories.items():
        if len(history) < 2:
            continue
        key = "epoch" if "epoch" in history[0] else "step"
        x = [row[key] for row in history]
        losses = [
            Series(k, x, [row[k] for row in history], marks=True) for k in ("loss", "val_loss") if k in history[0]
        ]
        shares = ("accuracy", "val_accuracy", "val_auc")
        rates = [Series(k, x, [row[k] for row in history], marks=True) for k in shares if k in history[0]]
        top = max(value for series in losses for value in series.y if value is not None)
        title = name if part == name else f"{name}, {part}"
        ticks = tuple(x[:: -(-len(x) // 6)]) if key == "epoch" else ()  # there is no pass 1.2
        across = Axis("pass" if key == "epoch" else "step", x[0], x[-1], ticks)
        plots.append(line_chart(f"{title}: loss", across, Axis("loss", high=max(top, 0.1)), losses))
        plots.append(line_chart(f"{title}: accuracy and AUC", across, Axis("share or AUC"), rates))
    return plots


def _sensitivity(name: str, rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    return {
        "name": name,
        "rows": [(f"{r['rate']:.2g}", f"{r['val_loss']:.4f}", f"{r['val_accuracy']:.3f}") for r in rows],
    }
