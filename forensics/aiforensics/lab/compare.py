"""Recipes side by side: the same splits, the same budget, one table and one page."""

from __future__ import annotations

import json
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from aiforensics.image import Picture
from aiforensics.lab.data import overlap
from aiforensics.lab.data.alone import alone
from aiforensics.lab.data.dataset import Sample, thin
from aiforensics.lab.data.progress import Report
from aiforensics.lab.drafts import check_output, new_draft, publish
from aiforensics.lab.fit.classifiers import fit
from aiforensics.lab.judge.detector import Detector, Prediction
from aiforensics.lab.judge.evaluate import ByCondition, Evaluation, plain
from aiforensics.lab.judge.paired import at_once, difference
from aiforensics.lab.judge.quick import open_detector
from aiforensics.lab.making import Job, Train, check_data, finish, judge_test
from aiforensics.lab.pages.plots import history_plot
from aiforensics.lab.pages.standing import in_words, leader
from aiforensics.lab.systems import System
from aiforensics.lab.train.batches import Pictures
from aiforensics.lab.train.learners import make_learner
from aiforensics.lab.train.recipes import ClassifierConfig, DivergedError, RecipeError
from aiforensics_models.bundle import Bundle
from aiforensics_models.preparation import Preparation

SCHEMA = "aiforensics.comparison/1"
BUNDLE = "bundle"
"""Folder of a recipe's bundle within its own."""
FAILURES = "failures.txt"
"""File in the comparison's folder with the tracebacks of those that failed."""
FACTORS = (0.1, 0.3, 1.0, 3.0)
"""Multiples of a recipe's learning rate in the sensitivity check."""

Run = Callable[[], tuple[dict[str, Any], ByCondition]]
"""Gives the entry of a system and its judgements."""


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared on what.

    Attributes
    ----------
    systems
        Recipes with their knobs, each once.
    bundles
        Finished bundles that are judged on the same pictures, though they were trained elsewhere.
    sensitivity
        Whether classifiers are trained again at several learning rates.

    Raises
    ------
    aiforensics.lab.train.recipes.RecipeError
        There is nothing to compare, or a recipe stands there twice.
    """

    systems: Sequence[System]
    bundles: Sequence[str] = ()
    sensitivity: bool = False

    def __post_init__(self) -> None:
        if not self.systems and not self.bundles:
            raise RecipeError("there is nothing to compare: name recipes (aiforensics train --recipes lists them)")
        twice = [name for name, times in Counter(one.recipe.name for one in self.systems).items() if times > 1]
        if twice:
            raise RecipeError(f"the recipe {twice[0]} is named twice: each is trained once")


def compare(
    samples: Sequence[Sample], contest: Contest, job: Job, report: Report = lambda _line: None
) -> dict[str, Any]:
    """Train every recipe on `train` and `val`, and judge all of them on the same pictures of `test`.

    Parameters
    ----------
    samples
        The data set.
    contest
        What is compared.
    job
        Where: `job.work` gets a folder for each recipe with its bundle, `metrics.json` and plots.
    report
        Takes a line of progress.

    Returns
    -------
    The content of the comparison's `metrics.json`: `entries` by name, each with the figures of `metrics.json` (curves
    left out), `history`, `parameters`, `bytes`, `train_seconds` (None where a fusion went on from an earlier run),
    `milliseconds` that a judgement takes the detector, and of all but the leader `difference`, what its ROC AUC lies
    above the leader's; `settings`, whose `test` is the number of pictures that were judged; `failed`, by name why
    systems have no entry.

    Raises
    ------
    aiforensics.lab.train.recipes.RecipeError
        The samples have too few sources for a fusion.
    aiforensics.lab.drafts.TrainingError
        A bundle's folder holds something else or cannot be written, or the audit refuses the data set and the job is
        not forced.
    aiforensics.lab.data.alone.WorkError
        Another run works in the folder.
    Exception
        Every system failed: what the first one raised.
    """
    test = [sample for sample in samples if sample.split == "test"]
    chosen = test if job.test_pictures is None else thin(test, job.test_pictures, seed=job.seed)
    bundles = _titled([Bundle.load(model) for model in contest.bundles])  # what cannot be had is told before training
    names = [system.recipe.name for system in contest.systems]
    for name in names:
        check_output(job.work / name / BUNDLE)
    trainers = [
        system.trainer(samples, name, _named(name, report)) for name, system in zip(names, contest.systems, strict=True)
    ]
    with alone(job.work):
        for system in {one.delivered: one for one in contest.systems}.values():  # who see pictures alike share an audit
            kept = "audit-delivered.json" if system.delivered else "audit.json"
            check_data(samples, job, system.view, report, name=kept)
        runs: dict[str, Run] = {
            name: partial(_trained, name, system, train, samples, (chosen, len(test)), job, contest.sensitivity, report)
            for name, system, train in zip(names, contest.systems, trainers, strict=True)
        }
        for title, bundle in bundles.items():
            runs[f"{title} (bundle)"] = partial(_finished, title, bundle, (chosen, len(test)), job, report)
        entries, said, failed = _all_of(runs, job.work, report)
    _hold_against_leader(entries, said, job.seed)
    judged = sorted({entry["pictures"]["judged"] for entry in entries.values()})
    test_count = str(judged[0]) if len(judged) == 1 else f"{judged[0]} to {judged[-1]}"
    settings = {"command": job.command, "data": ", ".join(job.data), "seed": str(job.seed), "test": test_count}
    return {"schema": SCHEMA, "settings": settings, "entries": entries, "failed": failed}


def sensitivity(samples: Sequence[Sample], system: System, work: Path, report: Report) -> list[dict[str, float]]:
    """Train a classifier at multiples of its learning rate, and give the best figures on `val` of each.

    Returns
    -------
    Rows of `rate`, `val_loss` and `val_accuracy`; a rate at which the training diverges has none.
    """
    config = system.config
    if not isinstance(config, ClassifierConfig):
        return []
    prepare = Preparation(config.input, config.side)
    train = Pictures([s for s in samples if s.split == "train"], prepare, config.augment, config.seed)
    val = Pictures([s for s in samples if s.split == "val"], prepare, config.augment, config.seed)
    rows = []
    for factor in FACTORS:
        tried = replace(config, rate=config.rate * factor)
        folder = work / f"rate-{tried.rate:.2g}"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            history = fit(make_learner(tried, device=system.device), train, val, folder, tried)
        except DivergedError:
            report(f"{system.recipe.name}: rate {tried.rate:.2g} diverged and is left out")
            continue
        best = min(history, key=lambda row: row["val_loss"])
        rows.append({"rate": tried.rate, "val_loss": best["val_loss"], "val_accuracy": best["val_accuracy"]})
        report(f"{system.recipe.name}: rate {tried.rate:.2g}, val loss {best['val_loss']:.4f}")
    return rows


def write_comparison(content: Mapping[str, Any], folder: Path) -> None:
    """Write `metrics.json` and `comparison.html`."""
    from aiforensics.lab.pages.comparison import comparison_page  # noqa: PLC0415 - Jinja2

    (folder / "metrics.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    comparison_page(content, folder / "comparison.html")


class _Timed:
    """A detector whose own time is taken, without that of reading, delivering and counting."""

    def __init__(self, judge: Detector) -> None:
        self._judge = judge
        self.seconds, self.judgements = 0.0, 0

    def score(self, picture: Picture) -> Prediction:
        """Judge a picture."""
        started = time.monotonic()
        said = self._judge.score(picture)
        self.seconds += time.monotonic() - started
        self.judgements += 1
        return said


def _named(name: str, report: Report) -> Report:
    return lambda line: report(f"{name}: {line}")


def _titled(bundles: Sequence[Bundle]) -> dict[str, Bundle]:
    """Bundles by name; those of one name with the beginning of their sum, and the same bundle once."""
    names = Counter(name for name, _ in {(one.name, one.sha256) for one in bundles})
    return {one.name if names[one.name] == 1 else f"{one.name} {one.sha256[:6]}": one for one in bundles}


def _all_of(
    runs: Mapping[str, Run], work: Path, report: Report
) -> tuple[dict[str, dict[str, Any]], dict[str, ByCondition], dict[str, str]]:
    """Entries and judgements of those that came through, and why the others failed; raises where all did.

    Where in the program a run failed, `FAILURES` in the work folder says.
    """
    entries: dict[str, dict[str, Any]] = {}
    said: dict[str, ByCondition] = {}
    errors: dict[str, Exception] = {}
    (work / FAILURES).unlink(missing_ok=True)
    for name, run in runs.items():
        try:
            entries[name], said[name] = run()
        except Exception as error:  # whatever it is, it must not cost the hours of the others
            errors[name] = error
            report(f"{name}: failed: {_why(error)}")
            with suppress(OSError), (work / FAILURES).open("a", encoding="utf-8") as stream:
                stream.write("".join((f"{name}\n", *traceback.format_exception(error), "\n")))
            traceback.clear_frames(error.__traceback__)  # or what failed for want of memory would hold it on
    if not entries:
        raise next(iter(errors.values()))
    return entries, said, {name: _why(error) for name, error in errors.items()}


def _why(error: Exception) -> str:
    """The line of an error of ours, and the kind of any other beside its line."""
    line = " ".join(str(error).split())
    ours = type(error).__module__.startswith(("aiforensics.", "aiforensics_models."))
    return line if ours else f"{type(error).__name__}: {line}".removesuffix(": ")


def _trained(
    name: str,
    system: System,
    train: Train,
    samples: Sequence[Sample],
    test: tuple[Sequence[Sample], int],
    job: Job,
    sensitive: bool,
    report: Report,
) -> tuple[dict[str, Any], ByCondition]:
    """Train a system, judge it, and publish its bundle in its folder."""
    mine = replace(job, work=job.work / name, out=job.work / name / BUNDLE)
    mine.work.mkdir(parents=True, exist_ok=True)
    goes_on = any(mine.work.iterdir())
    report(f"{name}: training")
    started = time.monotonic()
    draft = new_draft(mine.work, mine.out)
    told = train(draft, mine.work)
    history_plot(told["history"], mine.work / "history.png")
    seconds = told.get("seconds", None if goes_on else time.monotonic() - started)
    metrics, milliseconds, said = _judged(Bundle.load(draft), name, *test, mine, _named(name, report))
    finish(draft, metrics, mine, samples)
    publish(draft, mine.out)
    costs = {"train_seconds": seconds, "milliseconds": milliseconds}
    entry = _entry(mine.out, metrics) | {"history": told["history"], **costs}
    if sensitive and isinstance(system.config, ClassifierConfig):
        entry["sensitivity"] = sensitivity(samples, system, mine.work / "sensitivity", report)
    return entry, said


def _finished(
    title: str, bundle: Bundle, test: tuple[Sequence[Sample], int], job: Job, report: Report
) -> tuple[dict[str, Any], ByCondition]:
    """Judge a bundle that was trained elsewhere."""
    folder = re.sub(r"[^\w.-]+", "_", f"bundle-{title}")
    mine, name = replace(job, work=job.work / folder, out=bundle.folder), f"{title} (bundle)"
    mine.work.mkdir(parents=True, exist_ok=True)
    metrics, milliseconds, said = _judged(bundle, title, *test, mine, _named(name, report))
    if metrics["seen_in_training"]:
        report(f"{name}: {metrics['seen_in_training']} of the test pictures were in its training: it is flattered")
    return _entry(bundle.folder, metrics) | {"milliseconds": milliseconds}, said


def _hold_against_leader(entries: dict[str, dict[str, Any]], said: Mapping[str, ByCondition], seed: int) -> None:
    """Give every other entry its `difference` from the leader's ROC AUC, on the pictures that both judged.

    The leader was chosen by the same pictures, as if every pair had been looked at: so the intervals hold for all pairs
    at once. Of ten systems that are equally good, each pair under its own 95 % interval, some one would be told apart
    from the leader in two cases out of three.
    """
    if len(entries) < 2:
        return
    first, pairs = leader(entries), len(entries) * (len(entries) - 1) // 2
    for name, entry in entries.items():
        if name == first:
            continue
        found = difference(said[name], said[first], seed=seed)
        one = at_once(found.figures["roc_auc"], pairs)
        told: dict[str, Any] = plain(
            {
                "from": first,
                "roc_auc": one.value,
                "interval": [max(one.low, -1.0), min(one.high, 1.0)],
                "pictures": found.pictures,
                "of": max(each["pictures"]["judged"] for each in (entry, entries[first])),
                "few": found.few,
            }
        )
        entry["difference"] = {**told, "says": in_words(told, entry["seen_in_training"])}


def _judged(
    bundle: Bundle, title: str, chosen: Sequence[Sample], of: int, job: Job, report: Report
) -> tuple[dict[str, Any], float, ByCondition]:
    """Figures of a bundle under its title, the milliseconds of one judgement, and all judgements by condition."""
    timed = _Timed(open_detector(bundle.folder))
    found: list[Evaluation] = []
    seen = overlap.seen(bundle)
    metrics = judge_test(chosen, timed, job, report, title=title, of=of, seen=seen, take=found.append)
    return metrics, 1000 * timed.seconds / max(timed.judgements, 1), found[0].judged


def _entry(folder: Path, metrics: Mapping[str, Any]) -> dict[str, Any]:
    bundle = Bundle.load(folder)
    slim = {key: value for key, value in metrics.items() if key not in ("curves", "conditions", "robustness")}
    slim["as_found"] = {key: value for key, value in metrics["as_found"].items() if key != "curves"}
    slim["conditions"] = {
        name: {key: value for key, value in panel.items() if key != "curves"}
        for name, panel in metrics["conditions"].items()
    }
    return slim | {
        "parameters": int(bundle.manifest["network"].get("parameters", 0)),
        "bytes": bundle.size,
        "training": bundle.manifest.get("training", {}).get("config", {}),
    }
