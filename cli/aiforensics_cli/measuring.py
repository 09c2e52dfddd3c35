"""What `audit` and `evaluate` share: the progress bar, result files, and tables for a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from aiforensics_cli.app import DONE, REFUSED
from aiforensics_cli.console import carried, clean, complain, emit, messages, results

_FIGURES = (
    ("ROC AUC", "roc_auc"),
    ("false alarms", "false_alarms"),
    ("detections", "detections"),
    ("coverage", "coverage"),
    ("accuracy where it answers", "selective_accuracy"),
    ("balanced accuracy at 50 %", "balanced_accuracy"),
    ("average precision", "average_precision"),
    ("calibration error", "ece"),
    ("  if calibrated", "ece_if_calibrated"),
)
_WORST = 5
_LABEL = 8
_WIDE = 160
_NARROW = 100
"""Columns of a terminal below which two decimals have to do."""
_WEIGHTS = {"leak": "bold red", "warning": "yellow", "note": "dim"}


@contextmanager
def bar(words: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error while the block runs; the block gets a function of done and total."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages(), transient=True) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write strict JSON to a file, or on one line to standard output where the path is `-`."""
    if str(path) == "-":
        emit(content)
    else:
        path.write_text(json.dumps(content, allow_nan=False, indent=1) + "\n", encoding="utf-8")


def tell_refused(refused: Sequence[Sequence[str]]) -> int:
    """Say on standard error how many files were refused, and give the exit status.

    Parameters
    ----------
    refused
        Per refused file its path and why.
    """
    if not refused:
        return DONE
    count = len(refused)
    words = f"{count} file{'s were' if count > 1 else ' was'} refused" + ("; the first" if count > 1 else "")
    complain(f"{words}: {': '.join(refused[0])}")
    return REFUSED


def show_audit(heading: str, content: Mapping[str, Any]) -> None:
    """Print what an audit found: the cues, then every remark with what to do."""
    from aiforensics.lab.pages.words import reach  # noqa: PLC0415 - not for --help

    console = _wide()
    cues = _table(heading, ["Cue alone", "AUC", "interval, 95 % for all at once"])
    for name, cue in content["cues"].items():
        value = "–" if cue["value"] is None else f"{cue['value']:.3f}"
        cues.add_row(name, value, reach((cue["low"], cue["high"]), between=" to "))
    console.print(cues)
    for remark in content["remarks"]:
        _remark(console, Text(remark["level"], _WEIGHTS[remark["level"]]), Text(clean(remark["text"])))
        _remark(console, Text(), Text(f"{carried('→', console.encoding)} {clean(remark['advice'])}", "dim"))
    if not content["remarks"]:
        console.print("Nothing to remark.")
    for family in content["duplicates"]["examples"]:
        words = clean(", ".join(family[:_WORST]) + (" …" if len(family) > _WORST else ""))
        console.print(f"{'family':8}{words}", soft_wrap=True, markup=False, highlight=False)
    console.print()


def show_evaluation(content: Mapping[str, Any]) -> None:
    """Print the headline of an evaluation by condition, the hardest sources, and the rows with sources left out."""
    from aiforensics.lab.pages.words import reach  # noqa: PLC0415 - not for --help

    console = _wide()
    panels = [content, *content["conditions"].values(), *([content["as_found"]] if content["as_found"] else [])]
    table = _table(
        f"{content['judgements']} judgements, both classes delivered alike", ["", *(p["condition"] for p in panels)]
    )
    for words, key in _FIGURES:
        table.add_row(words, *(_figure(panel, key, 2 if console.width < _NARROW else 3) for panel in panels))
    console.print(table)
    for label, key, heading in (("ai", "roc_auc", "AUC"), ("real", "called_ai", "false alarms")):
        rows = [(name, row) for name, row in content["per_source"].items() if row["label"] == label and key in row]
        rows.sort(key=lambda row: row[1][key] * (1 if label == "ai" else -1))
        columns = ["", "judged", "groups", heading, "95 % interval", "called ai", "inconclusive"]
        sources = _table(f"Hardest {label} sources", columns)
        for name, row in rows[:_WORST]:
            counts = [str(row[count]) for count in ("judgements", "groups")]
            interval = reach(row[f"{key}_interval"], between=" to ")
            shares = [f"{row[share]:.3f}" for share in ("called_ai", "inconclusive")]
            sources.add_row(clean(name), *counts, f"{row[key]:.3f}", interval, *shares)
        console.print(sources)
    if "leave_one_source_out" in content:
        left = _table(
            "With whole sources left out", ["", "mean AUC", "worst", "of", "false alarms", "worst", "coverage"]
        )
        for name, row in content["leave_one_source_out"]["rows"].items():
            numbers = [f"{row[k]:.3f}" for k in ("mean_false_alarms", "worst_false_alarms")]
            auc = (f"{row['mean_auc']:.3f}", f"{row['worst_auc']:.3f}", clean(row["worst_source"]))
            left.add_row(name, *auc, *numbers, f"{row['pooled']['coverage']:.3f}")
        console.print(left)


def _remark(console: Console, label: Text, words: Text) -> None:
    """Print words behind their label, which a terminal breaks between words."""
    if not console.is_terminal:
        label.pad_right(_LABEL - len(label))
        console.print(label + words, soft_wrap=True)
        return
    row = Table.grid(padding=0)
    row.add_column(width=_LABEL)
    row.add_column(overflow="fold")
    row.add_row(label, words)
    console.print(row)


def _wide() -> Console:
    """Make the console of standard output; a file or a pipe gets lines wide enough for every column."""
    console = results()
    if not console.is_terminal:
        console.width = _WIDE
    return console


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=clean(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(columns[0], overflow="fold")
    for name in columns[1:]:
        table.add_column(clean(name), justify="right")
    return table


def _figure(panel: Mapping[str, Any], key: str, digits: int) -> str:
    from aiforensics.lab.pages.words import reach  # noqa: PLC0415 - not for --help

    value, interval = panel[key], panel["intervals"][key]
    return "–" if value is None else f"{value:.{digits}f}\n{reach(interval, digits=digits)}"
