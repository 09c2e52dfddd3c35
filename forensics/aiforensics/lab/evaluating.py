"""What `evaluate` does: choose the pictures, judge them, and leave sources out where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiforensics.lab.data.alone import alone
from aiforensics.lab.data.dataset import DatasetError, Sample, load_dataset, states_splits, thin
from aiforensics.lab.data.overlap import drawn, seen
from aiforensics.lab.data.progress import Progress, Report
from aiforensics.lab.data.reading import read_each
from aiforensics.lab.data.views import CONDITIONS, SIDE, SWEEP, cut_to
from aiforensics.lab.judge.detector import ScannerDetector
from aiforensics.lab.judge.evaluate import evaluate
from aiforensics.lab.judge.judging import processes_for
from aiforensics.lab.judge.leaveout import Fit, cuts, leave_one_source_out
from aiforensics.lab.retraining import check_cuts, retrained
from aiforensics.pipeline import Scanner
from aiforensics_models.bundle import Bundle, Device

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Opens a progress bar under some words; the block gets what tells it how far the work is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an evaluation is asked for.

    Attributes
    ----------
    data
        Data sets.
    model, device
        As of `Scanner`.
    split
        Pictures to judge; without it `test` where the data or the bundle's training has splits, else all.
    limit
        Judge at most so many, evenly over sources.
    side
        Cut pictures of both classes to so many pixels at most; without it to `SIDE`.
    robustness
        Add the sweep over codecs, sizes and noise.
    leave_one_source_out
        Train the bundle's recipe again without whole sources.
    folds, weights, work
        Of that training: parts to leave AI sources out in (without it each), the file of its first weights where the
        bundle had one, and the folder of its checkpoints.
    seed
        Of windows, folds and intervals, and of the split where neither data nor bundle has drawn one.
    workers
        Processes that judge; without it one per processor, and one alone on a GPU or for few pictures.
    """

    data: tuple[Path, ...]
    model: str
    device: Device
    split: Literal["train", "val", "test", "all"] | None
    limit: int | None
    side: int | None
    robustness: bool
    leave_one_source_out: bool
    folds: int | None
    weights: str | None
    work: Path
    seed: int
    workers: int | None = None


def run_evaluation(plan: Plan, bar: Bar, report: Report, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Evaluate as planned; gives the content of `metrics.json`.

    Parameters
    ----------
    plan
        What is asked for.
    bar, report
        Show how far it is, and take a line of progress.
    keep
        Given what was judged before anything is trained with sources left out, which may fail after hours.

    Raises
    ------
    DatasetError
        The data cannot be read, a split that is judged lacks a class, or sources cannot be left out of this bundle.
    aiforensics.lab.train.recipes.RecipeError
        Without some of the sources a fusion would have too few.
    WorkError
        Another run trains in the same work folder.
    """
    scanner = Scanner(plan.model, device=plan.device)
    bundle = scanner.bundle
    with bar("grouping pictures") as progress:
        seed, shares = drawn(bundle.manifest, plan.seed)
        samples = load_dataset(
            plan.data, seed=seed, shares=shares, need=(), keep_broken=True, progress=progress, report=report
        )
    split, there = _of_split(plan, samples, bundle)
    fit, readable = None, []
    if plan.leave_one_source_out:  # refused before an hour of judging, not after it
        fit = retrained(bundle.manifest, plan.work, weights=plan.weights, seed=plan.seed, report=report)
        readable = _readable(samples, bar)
        _, found = cuts(readable, folds=plan.folds, seed=plan.seed)
        check_cuts(bundle.manifest, (cut.train for cut in found))
    with alone(plan.work) if fit is not None else nullcontext():
        judged = list(thin(there, plan.limit or len(there), seed=plan.seed))
        if len(there) < len(samples):
            report(f"judging the split {split}, {len(there)} of {len(samples)} pictures: --split all judges every one")
        with bar("judging pictures") as progress:
            evaluation = evaluate(
                judged,
                ScannerDetector(scanner),
                cut_to(CONDITIONS, plan.side or SIDE),
                sweep=cut_to(SWEEP, plan.side or SIDE) if plan.robustness else (),
                of=len(there),
                seen=seen(bundle),
                seed=plan.seed,
                workers=plan.workers or (1 if plan.device == "cuda" else processes_for(len(judged))),
                progress=progress,
            )
        content = evaluation.to_dict()
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
        if fit is not None:
            keep(content)
            content["leave_one_source_out"] = _left_out(plan, readable, fit, bar, report)
    return content


def _of_split(plan: Plan, samples: Sequence[Sample], bundle: Bundle) -> tuple[str, list[Sample]]:
    """The split that is judged, and its pictures; a split that lacks a class is refused."""
    has_splits = states_splits(plan.data) or "split" in bundle.manifest.get("training", {})
    split = plan.split or ("test" if has_splits else "all")
    if split == "all":
        return split, list(samples)
    there = [sample for sample in samples if sample.split == split]
    for label in ("real", "ai"):
        if all(sample.label != label for sample in there):
            raise DatasetError(f"the split {split} holds no {label} picture: --split all judges every one")
    return split, there


def _readable(samples: Sequence[Sample], bar: Bar) -> list[Sample]:
    """Take the pictures that can be decoded: one that cannot would end hours of training."""
    with bar("reading pictures") as progress:
        _, broken = read_each([sample.path for sample in samples], lambda _place, _picture: None, progress)
    torn = {path for path, _ in broken}
    return [sample for sample in samples if sample.path not in torn]


def _left_out(plan: Plan, samples: Sequence[Sample], fit: Fit, bar: Bar, report: Report) -> dict[str, Any]:
    """Train with sources left out."""
    if plan.limit:
        report("--limit does not reach what is trained and judged with sources left out")
    conditions = cut_to(CONDITIONS, plan.side or SIDE)
    with bar("training with sources left out") as progress:
        found = leave_one_source_out(
            samples, fit, conditions=conditions, folds=plan.folds, seed=plan.seed, progress=progress
        )
    return found.to_dict()
