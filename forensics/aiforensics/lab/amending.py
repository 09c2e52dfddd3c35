"""A finished bundle that learned something since: its new parts are stated, and it is judged anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiforensics.lab.data import overlap
from aiforensics.lab.data.census import census, generators_of
from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.progress import Report
from aiforensics.lab.judge.judging import processes_for
from aiforensics.lab.judge.quick import open_detector
from aiforensics.lab.making import Job, judge_test, state_figures
from aiforensics_models.bundle import Bundle, write_manifest


@dataclass(frozen=True, slots=True)
class Step:
    """What a bundle learned since it was finished.

    Attributes
    ----------
    name
        Of the step, in the manifest's `training`.
    command
        What it was made by.
    learned
        Pictures that it rests on; they count as seen.
    changes
        Entries of the manifest that are new.
    """

    name: str
    command: str
    learned: Sequence[Sample]
    changes: Mapping[str, Any]


def census_of(learned: Sequence[Sample]) -> dict[str, Any]:
    """Count what a step rests on: how many `pictures`, and `sources` of each class, and by name what was `learned`.

    Parameters
    ----------
    learned
        The pictures.
    """
    seen = [replace(sample, split="train") for sample in learned]
    sources = census(seen)["sources"]
    return {
        "pictures": len(seen),
        "sources": {label: len(names) for label, names in sources.items()},
        "learned": {"sources": sources, "generators": generators_of(seen)},
    }


def amend(bundle: Bundle, out: Path, step: Step, *, test: Path, work: Path, report: Report) -> None:
    """State a step in a folder that holds the bundle's files and the new ones, and judge what it comes to.

    Parameters
    ----------
    bundle
        As it was.
    out
        The new bundle's folder, with every file that the manifest will name.
    step
        What it learned.
    test
        Data set whose split `test` judges, drawn as the bundle's own was where it states no splits.
    work
        Folder of plots and pages.
    report
        Takes a line of progress.
    """
    learned = [replace(sample, split="train") for sample in step.learned]
    earlier = overlap.seen(bundle)
    if earlier is not None:  # a list of the new pictures alone would say that the old ones were never seen
        overlap.record(out, learned, earlier)
    told = {"from": bundle.sha256, "command": step.command, **census_of(learned)}
    training = {**bundle.manifest["training"], step.name: told}
    manifest = {**bundle.manifest, **step.changes, "training": training}
    write_manifest(out, manifest)
    job = Job(out, work, training.get("data", ()), training.get("command", ""))
    seed, shares = overlap.drawn(bundle.manifest, job.seed)  # another draw would judge what it learned from
    samples = load_dataset(test, seed=seed, shares=shares, need=("test",))
    pictures = [sample for sample in samples if sample.split == "test"]
    seen = overlap.seen(Bundle.load(out))
    many = processes_for(len(pictures))
    judged = judge_test(pictures, open_detector(out), job, report, of=len(pictures), seen=seen, workers=many)
    state_figures(out, manifest, judged)
