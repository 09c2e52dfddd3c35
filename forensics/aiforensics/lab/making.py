"""From a data set to a bundle with its figures and its card: audit, train, evaluate, write down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiforensics.lab.audit.auditing import AnyView, AuditReport, audit, audit_prepared
from aiforensics.lab.audit.remarks import misplaced
from aiforensics.lab.audit.report import leaks
from aiforensics.lab.data import overlap
from aiforensics.lab.data.alone import alone
from aiforensics.lab.data.census import generators_of
from aiforensics.lab.data.dataset import Sample, thin
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.views import CONDITIONS
from aiforensics.lab.drafts import TrainingError, check_output, new_draft, publish
from aiforensics.lab.judge.detector import Detector
from aiforensics.lab.judge.evaluate import HEADLINE, Evaluation, evaluate
from aiforensics.lab.judge.judging import processes_for
from aiforensics.lab.judge.quick import open_detector
from aiforensics.lab.pages.card import card
from aiforensics.lab.pages.evaluation import evaluation_page
from aiforensics.lab.pages.plots import confusion_plot, history_plot
from aiforensics.lab.pages.words import left_out
from aiforensics.lab.train.checkpoints import keep_json, recall_json
from aiforensics_models.bundle import MANIFEST, Bundle, write_manifest

Train = Callable[[Path, Path], Mapping[str, Any]]
"""(bundle's folder, work folder) → what there is to tell of the training: `history` by name."""
AUDITED = 2000
"""Pictures at most, evenly over classes and sources, whose training view is audited."""
METRICS, CARD = "metrics.json", "CARD.md"


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained where.

    Attributes
    ----------
    out, work
        The bundle's folder, and the folder of checkpoints, plots and everything that is not part of the bundle.
    data
        The data set as the user named it, and
    command
        the whole command line, for the card.
    force
        Train on a data set that the audit refuses.
    test_pictures
        Pictures of the split `test` that are judged at most; all where it is None.
    seed
        Of everything random.
    split
        Shares of the splits that were drawn, such as `70/15/15`, for the manifest; empty where the caller does not say.
    drawn_by
        Seed of these splits; `seed` where it is None.
    """

    out: Path
    work: Path
    data: Sequence[str] = ()
    command: str = ""
    force: bool = False
    test_pictures: int | None = None
    seed: int = 0
    split: str = ""
    drawn_by: int | None = None


def make_bundle(
    samples: Sequence[Sample], job: Job, train: Train, view: AnyView, report: Report = lambda _line: None
) -> dict[str, Any]:
    """Audit the data, train, evaluate on the split `test` and write the bundle with its figures and its card.

    Parameters
    ----------
    samples
        The data set.
    job
        What is trained where.
    train
        The recipe: writes a bundle without figures.
    view
        What the recipe shows its network of a picture, for the audit.
    report
        Takes a line of progress.

    Returns
    -------
    The content of `metrics.json`.

    Raises
    ------
    TrainingError, WorkError
        The output folder holds something else, another run works in the work folder, or the audit refuses the data set.
    """
    check_output(job.out)
    test = [sample for sample in samples if sample.split == "test"]
    chosen = test if job.test_pictures is None else thin(test, job.test_pictures, seed=job.seed)
    with alone(job.work):
        check_data(samples, job, view, report)
        draft = new_draft(job.work, job.out)
        history = train(draft, job.work)["history"]
        (job.work / "history.json").write_text(json.dumps(history, indent=1), encoding="utf-8")
        history_plot(history, job.work / "history.png")
        report(f"evaluating on {len(chosen)} test pictures, as found and under {len(CONDITIONS)} matched conditions")
        known = overlap.seen(Bundle.load(draft))
        judge, workers = open_detector(draft), processes_for(len(chosen))
        metrics = judge_test(chosen, judge, job, report, of=len(test), seen=known, workers=workers)
        finish(draft, metrics, job, samples)
        publish(draft, job.out)
    return metrics


def check_data(samples: Sequence[Sample], job: Job, view: AnyView, report: Report, *, name: str = "audit.json") -> None:
    """Audit the files and the training view; the findings stay in the work folder until data, view or seed change.

    What the files alone give away is advice, because the training view takes it from both classes alike; what the view
    leaves, and pictures that stand on both sides of a split, make the figures worthless.

    Parameters
    ----------
    samples, view
        The data set, and how the network sees its pictures.
    job
        Where the findings are kept, the seed, and whether a leaking set is used all the same.
    report
        Takes a line of progress.
    name
        Of the file of findings.

    Raises
    ------
    TrainingError
        A picture cannot be read; or, unless the job is forced, the training view leaks or the splits are contaminated.
    """
    key = _audit_key(samples, view, job.seed)
    kept = job.work / name
    known = recall_json(kept, report) or {}
    if known.get("key") == key:
        report("the audit of this data set is done already")
        refusals = known["refusals"]
    else:
        report(f"auditing {len(samples)} pictures")
        found = audit(samples, seed=job.seed)
        if found.broken:
            named = "; ".join(f"{path} ({why})" for path, why in found.broken[:5])
            many = f"{len(found.broken)} picture{'s' * (len(found.broken) > 1)}"
            raise TrainingError(f"{many} cannot be read: {named}: remove or replace them")
        for remark in found.remarks:
            report(f"audit, {remark.level}: {remark.text}; {remark.advice}")
        prepared = audit_prepared(thin(samples, AUDITED, seed=job.seed), view, seed=job.seed)
        refusals = _refusals(found, prepared)
        content = {"key": key, "refusals": refusals, "files": found.to_dict(), "training_view": prepared.to_dict()}
        keep_json(kept, content, indent=1)
    for line in refusals:
        if not job.force:
            raise TrainingError(f"{line} (--force trains all the same; the figures will flatter)")
        report(f"forced, although: {line}")


def judge_test(
    samples: Sequence[Sample],
    detector: Detector,
    job: Job,
    report: Report,
    *,
    of: int,
    seen: Container[str] | None,
    title: str = "",
    workers: int = 1,
    take: Callable[[Evaluation], None] = lambda _found: None,
) -> dict[str, Any]:
    """Evaluate as found and under matched conditions; the full figures and their page go to the work folder.

    Parameters
    ----------
    samples, detector
        The pictures, and what judges them.
    job
        Where the figures go, and the seed.
    report, take
        Take a line of progress, and the evaluation itself with every judgement.
    of, seen, workers
        As of `evaluate`.
    title
        What is judged, for the page; else the name of the job's bundle's folder.

    Returns
    -------
    The content of `metrics.json`.
    """
    told = 0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if done * 10 // total > told:
            told = done * 10 // total
            report(f"judging: {done}/{total}")

    found = evaluate(samples, detector, CONDITIONS, of=of, seen=seen, seed=job.seed, workers=workers, progress=progress)
    if line := left_out(found.refused, len(samples)):
        report(line)
    take(found)
    content = found.to_dict()
    content["settings"] = {"command": job.command, "data": ", ".join(job.data), "split": "test", "seed": str(job.seed)}
    (job.work / METRICS).write_text(json.dumps(content, indent=1), encoding="utf-8")
    evaluation_page(content, job.work / "evaluation.html", title=f"{title or job.out.name} on the split test")
    for panel, name in ((content, "matched"), (content["as_found"], "as-found")):
        confusion_plot(panel["confusion_matrix"], job.work / f"confusion-{name}.png", f"{name}, forced at 50 %")
        report_text = classification_report(panel["confusion_matrix"])
        (job.work / f"classification-{name}.txt").write_text(report_text, encoding="utf-8")
    return content


def finish(folder: Path, metrics: Mapping[str, Any], job: Job, samples: Sequence[Sample]) -> None:
    """Put figures and card into a bundle's folder and write its manifest again, so that every sha256 stands there."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    seed = job.seed if job.drawn_by is None else job.drawn_by
    manifest["training"] = {
        **manifest.get("training", {}),
        "data": list(job.data),
        "command": job.command,
        "generators": generators_of(samples),
        **({"split": {"seed": seed, "shares": job.split}} if job.split else {}),
    }
    state_figures(folder, manifest, metrics)


def state_figures(folder: Path, manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Write figures on the split `test`, card and manifest into a bundle's folder."""
    test = {"judgements": metrics["judgements"], "conditions": metrics["title"]}
    test |= {name: metrics[name] for name in HEADLINE} | {"intervals": metrics["intervals"]}
    stated = {**manifest, "metrics": {**manifest.get("metrics", {}), "test": test}}
    slim = _without_curves(metrics)
    (folder / METRICS).write_text(json.dumps(slim, indent=1) + "\n", encoding="utf-8", newline="\n")
    (folder / CARD).write_text(card(stated, metrics), encoding="utf-8", newline="\n")
    write_manifest(folder, stated)


def classification_report(matrix: Mapping[str, Mapping[str, int]]) -> str:
    """Precision, recall, F1 and number of each class, as a table of text.

    Examples
    --------
    >>> classification_report({"real": {"real": 8, "ai": 2}, "ai": {"real": 1, "ai": 9}}).splitlines()[1]
    'real          0.889   0.800   0.842       10'
    """
    lines = [f"{'class':<10} {'precision':>8} {'recall':>7} {'F1':>7} {'pictures':>8}"]
    for label in matrix:
        right = matrix[label][label]
        called, there = sum(matrix[truth][label] for truth in matrix), sum(matrix[label].values())
        precision, recall = right / max(called, 1), right / max(there, 1)
        f1 = 2 * right / max(called + there, 1)
        lines.append(f"{label:<10} {precision:>8.3f} {recall:>7.3f} {f1:>7.3f} {there:>8}")
    total = sum(sum(row.values()) for row in matrix.values())
    lines.append(f"{'accuracy':<10} {sum(matrix[k][k] for k in matrix) / max(total, 1):>8.3f} {'':>15} {total:>8}")
    return "\n".join(lines) + "\n"


def _audit_key(samples: Sequence[Sample], view: AnyView, seed: int) -> str:
    """Hash everything that an audit depends on: view, seed, what is said of each picture, and its file as it stands."""
    lines = [_named(view), str(seed)]
    for sample in samples:
        stat = sample.path.stat() if sample.path.is_file() else None  # of a missing file the audit itself tells
        lines.append(f"{sample!r} {(stat.st_size, stat.st_mtime_ns) if stat else 'missing'}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _named(view: AnyView) -> str:
    """A view's name and settings, the same in every process."""
    if isinstance(view, partial):
        return f"{_named(view.func)} {view.args} {sorted(view.keywords.items())}"
    return f"{view.__module__}.{getattr(view, '__qualname__', repr(view))}"


def _refusals(files: AuditReport, prepared: AuditReport) -> list[str]:
    found = []
    if files.split_groups:
        found.append(f"{files.split_groups} groups stand in several splits: give each group one split")
    if words := misplaced(files.duplicates):
        found.append(f"{words}: remove them, or give each family one group")
    delivered = leaks(prepared.cues["size"])  # of what is not delivered, the network sees one size
    other = "" if delivered else "train with --augment delivery or, where that is on, "
    found += [
        f"after the training view, {remark.text[0].lower()}{remark.text[1:]}: {other}{remark.advice}"
        for remark in prepared.remarks
        if remark.level == "leak"
    ]
    return found


def _without_curves(content: Any) -> Any:  # noqa: ANN401 - data for JSON
    if isinstance(content, Mapping):
        return {key: _without_curves(value) for key, value in content.items() if key != "curves"}
    return [_without_curves(value) for value in content] if isinstance(content, list) else content
