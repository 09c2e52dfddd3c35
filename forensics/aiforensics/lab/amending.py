"""A finished bundle that learned something since: its new parts are stated, and it is judged anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.progress import Report
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
        Data set whose split `test` judges.
    work
        Folder of plots and pages.
    report
        Takes a line of progress.
    """
    learned = [replace(sample, split="train") for sample in step.learned]
    overlap.record(out, learned, overlap.seen(bundle) or frozenset())
    sources = Counter(label for label, _ in {(sample.label, sample.source) for sample in learned})
    told = {"from": bundle.sha256, "command": step.command, "pictures": len(learned), "sources": dict(sources)}
    training = {**bundle.manifest["training"], step.name: told}
    manifest = {**bundle.manifest, **step.changes, "training": training}
    write_manifest(out, {key: value for key, value in manifest.items() if key not in ("schema", "files")})
    job = Job(out, work, training.get("data", ()), training.get("command", ""))
    pictures = [sample for sample in load_dataset(test, need=("test",)) if sample.split == "test"]
    seen = overlap.seen(Bundle.load(out))
    state_figures(out, manifest, judge_test(pictures, open_detector(out), job, report, of=len(pictures), seen=seen))
