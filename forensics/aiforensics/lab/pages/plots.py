"""Plots of a training as PNG files, by matplotlib: curves, augmentation examples, confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_PANELS = (
    ("loss", "loss", ("loss", "val_loss")),
    ("accuracy", "accuracy or AUC", ("accuracy", "val_accuracy", "val_auc")),
)


def history_plot(histories: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Draw loss and accuracy over the passes (or steps) of one or several trainings.

    Parameters
    ----------
    histories
        By name: rows with `epoch` or `step`, and figures of training and `val`.
    path
        PNG or SVG to write.
    """
    figure = _figure(10, 4)
    for place, (title, axis_label, keys) in enumerate(_PANELS, 1):
        axes = figure.add_subplot(1, 2, place)
        curves = [(name, key, rows) for name, rows in histories.items() for key in keys if rows and key in rows[0]]
        for name, key, rows in curves:
            x = [row.get("epoch", row.get("step", 0.0)) for row in rows]
            style = "-" if key in ("loss", "accuracy") else ":" if key == "val_auc" else "--"
            axes.plot(x, [row[key] for row in rows], style, marker=".", label=f"{name} {key}")
        axes.set(title=title, xlabel="pass" if _passes(histories) else "step", ylabel=axis_label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)


def examples_plot(pictures: Sequence[Sequence[Pixels]], names: Sequence[str], path: Path) -> None:
    """Draw a row of augmented views for each picture.

    Parameters
    ----------
    pictures
        Rows of (h, w, 3) uint8.
    names
        One for each row.
    path
        PNG or SVG to write.
    """
    columns = max(len(row) for row in pictures)
    figure = _figure(1.3 * columns, 1.5 * len(pictures))
    for y, (row, name) in enumerate(zip(pictures, names, strict=True)):
        for x, pixels in enumerate(row):
            axes = figure.add_subplot(len(pictures), columns, y * columns + x + 1)
            axes.imshow(pixels)
            axes.set_axis_off()
            if x == 0:
                axes.set_title(name, fontsize=7, loc="left")
    figure.savefig(path, dpi=110)


def confusion_plot(matrix: Mapping[str, Mapping[str, int]], path: Path, title: str = "answer forced at 50 %") -> None:
    """Draw a confusion matrix: truth down, answer across."""
    labels = list(matrix)
    counts = np.array([[matrix[truth][answer] for answer in labels] for truth in labels])
    figure = _figure(4, 3.6)
    axes = figure.add_subplot(1, 1, 1)
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for y in range(len(labels)):
        for x in range(len(labels)):
            share = counts[y, x] / max(counts[y].sum(), 1)
            ink = "white" if share > 0.6 else "black"
            axes.text(x, y, f"{counts[y, x]}\n{100 * share:.1f} %", ha="center", va="center", color=ink)
    axes.set(xticks=range(len(labels)), yticks=range(len(labels)), xlabel="answer", ylabel="truth", title=title)
    axes.set_xticklabels(labels)
    axes.set_yticklabels(labels)
    figure.savefig(path, dpi=120)


def _figure(width: float, height: float) -> Any:  # noqa: ANN401 - matplotlib is not typed here
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # no window, no global state
    return figure


def _passes(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> bool:
    return any("epoch" in row for history in histories.values() for row in history)
