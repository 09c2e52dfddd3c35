"""What `audit` and `evaluate` share: the progress bar, result files, and tables for a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from aiforensics_cli.app import DONE, REFUSED
from aiforensics_cli.console import clean, complain, emit, messages, results
from aiforensics_cli.options import reporter

if TYPE_CHECKING:
    from aiforensics.lab.data.dataset import Sample

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


@dataclass(frozen=True, slots=True)
class Plan:
    """What `evaluate` was asked for, as its options say."""

    data: tuple[Path, ...]
    model: str
    device: Literal["auto", "cpu", "cuda"]
    split: Literal["train", "val", "test", "all"] | None
    limit: int | None
    side: int | None
    robustness: bool
    leave_one_source_out: bool
    folds: int | None
    weights: str | None
    work: Path
    seed: int


def run_evaluation(plan: Plan) -> dict[str, Any]:
    """Evaluate as planned, with progress on standard error; gives the content of `metrics.json`."""
    from aiforensics.lab.data.dataset import load_dataset, states_splits, thin  # noqa: PLC0415 - the scan's libraries take a second
    from aiforensics.lab.data.overlap import drawn, seen  # noqa: PLC0415
    from aiforensics.lab.data.views import CONDITIONS, SIDE, SWEEP, cut_to  # noqa: PLC0415
    from aiforensics.lab.judge.detector import ScannerDetector  # noqa: PLC0415
    from aiforensics.lab.judge.evaluate import evaluate  # noqa: PLC0415
    from aiforensics.lab.judge.leaveout import leave_one_source_out  # noqa: PLC0415
    from aiforensics.lab.refit import refit  # noqa: PLC0415
    from aiforensics.pipeline import Scanner  # noqa: PLC0415

    scanner = Scanner(plan.model, device=plan.device)
    bundle = scanner.bundle
    with bar("grouping pictures") as progress:
        seed, shares = drawn(bundle.manifest, plan.seed)
        samples = load_dataset(
            plan.data, seed=seed, shares=shares, need=(), keep_broken=True, progress=progress, report=reporter()
        )
    fit = None
    if plan.leave_one_source_out:
        report = messages().print
        fit = refit(bundle.manifest, plan.work, weights=plan.weights, seed=plan.seed, report=report)
    has_splits = states_splits(plan.data) or "split" in bundle.manifest.get("training", {})
    split = plan.split or ("test" if has_splits else "all")
    there = [sample for sample in samples if split in ("all", sample.split)]
    if split != "all":
        _check_split(there, split)
    judged = list(thin(there, plan.limit or len(there), seed=plan.seed))
    if len(there) < len(samples):
        left = f"judging the split {split}, {len(there)} of {len(samples)} pictures: --split all judges every one"
        messages().print(left, soft_wrap=True)
    conditions = cut_to(CONDITIONS, plan.side or SIDE)
    sweep = cut_to(SWEEP, plan.side or SIDE) if plan.robustness else ()
    with bar("judging pictures") as progress:
        found = evaluate(
            judged,
            ScannerDetector(scanner),
            conditions,
            sweep=sweep,
            of=len(there),
            seen=seen(bundle),
            seed=plan.seed,
            progress=progress,
        )
    content = found.to_dict()
    if fit is not None:
        if plan.limit:
            messages().print("--limit does not reach what is trained and judged with sources left out", soft_wrap=True)
        readable = _readable(samples)
        with bar("training with sources left out") as progress:
            left_out = leave_one_source_out(
                readable, fit, conditions=conditions, folds=plan.folds, seed=plan.seed, progress=progress
            )
        content["leave_one_source_out"] = left_out.to_dict()
    content["settings"] = {
        "data": ", ".join(map(str, plan.data)),
        "split": split,
        "pictures": str(content["pictures"]["judged"]),
        "model": f"{bundle.name} {bundle.version}",
        "model sha256": bundle.sha256,
        **({"limit": str(plan.limit)} if plan.limit else {}),
        **({"side": str(plan.side)} if plan.side else {}),
        "seed": str(plan.seed),
    }
    return content


def _check_split(there: Sequence[Sample], split: str) -> None:
    """Check that the split that is judged holds both classes.

    Raises
    ------
    aiforensics.lab.data.dataset.DatasetError
        It does not.
    """
    from aiforensics.lab.data.dataset import DatasetError  # noqa: PLC0415 - the lab's libraries

    for label in ("real", "ai"):
        if all(sample.label != label for sample in there):
            raise DatasetError(f"the split {split} holds no {label} picture: --split all judges every one")


def _readable(samples: Sequence[Sample]) -> list[Sample]:
    """The pictures that can be decoded: one that cannot would end hours of training."""
    from aiforensics.lab.data.duplicates import fingerprints  # noqa: PLC0415 - the lab's libraries

    with bar("reading pictures") as progress:
        _, broken = fingerprints([sample.path for sample in samples], progress)
    torn = {path for path, _ in broken}
    return [sample for sample in samples if sample.path not in torn]


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
        cues.add_row(name, f"{cue['value']:.3f}", reach((cue["low"], cue["high"]), between=" to "))
    console.print(cues)
    for remark in content["remarks"]:
        line = Text.assemble((f"{remark['level']:8}", _WEIGHTS[remark["level"]]), clean(remark["text"]))
        console.print(line, soft_wrap=True)
        console.print(f"{'':8}→ {clean(remark['advice'])}", soft_wrap=True, style="dim")
    if not content["remarks"]:
        console.print("Nothing to remark.")
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
