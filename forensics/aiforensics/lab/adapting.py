"""Domain adaptation of a bundle: its head alone, or all of it on old and new data, measured on both domains."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import load_file, save_file

from aiforensics import __version__
from aiforensics.lab.data import overlap
from aiforensics.lab.data.alone import alone
from aiforensics.lab.data.census import census, generators_of
from aiforensics.lab.data.dataset import Sample, joined
from aiforensics.lab.data.folds import family_folds
from aiforensics.lab.data.progress import Report
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.drafts import check_output, new_draft, publish
from aiforensics.lab.fit.assembling import fit
from aiforensics.lab.fit.classifiers import train_classifier
from aiforensics.lab.fit.fusion import fold_count, train_fusion
from aiforensics.lab.fit.kept import Kept
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.fit.measure import VIEWS, measure_all
from aiforensics.lab.judge.domains import held_out, judged
from aiforensics.lab.judge.evaluate import Judged, plain
from aiforensics.lab.judge.paired import difference
from aiforensics.lab.judge.quick import open_detector
from aiforensics.lab.making import CARD, METRICS, Job, check_data
from aiforensics.lab.pages.card import adapted_card, at_bounds
from aiforensics.lab.train.batches import audited_view
from aiforensics.lab.train.recipes import stated
from aiforensics_models.bundle import Bundle, Device, write_manifest
from aiforensics_models.lineage import handed_on
from aiforensics_models.small import SMALL

Strategy = Literal["head", "full"]
SCHEMA = "aiforensics.adaptation/1"
FIGURES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "false_alarms", "coverage")
"""Figures of the report on both domains."""
SEEN = (
    "calibration, thresholds and the figures of the folds rest on old sources that the first weights had seen: the "
    "figures flatter, and pictures of strange sources may bring more false alarms and misses than the thresholds "
    "promise; `train --extend` on both data sets keeps the promise"
)
"""What follows where every network of a fusion starts from one that was trained on all old sources."""
FLATTER = "the figures on them flatter, and the thresholds that were held to them promise too much"
"""What follows where a fusion's head goes on with pictures that it has seen."""


class AdaptError(Exception):
    """A bundle that cannot be adapted so, with the one line that tells what to do."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How a bundle is adapted.

    Attributes
    ----------
    strategy
        `head`: the head alone, on the new data (of a fusion the joint perceptron goes on, and thresholds become
        stricter where they must); `full`: the whole classifier, on old and new data together. The first
        weights of a fusion's folds are not in its bundle, so `full` starts all its networks from the final one, which
        has seen every old source: the new thresholds and the figures of the folds are not out of fold then, and the
        new bundle says so.
    epochs, rate, minutes
        Of a classifier; None keeps what the bundle was trained with.
    steps
        Of a fusion's networks; None keeps the default.
    device
        Where PyTorch trains.
    """

    strategy: Strategy
    epochs: int | None = None
    rate: float | None = None
    minutes: float | None = None
    steps: int | None = None
    device: Device = "auto"


def adapt(
    model: str | Path,
    new: Sequence[Sample],
    old: Sequence[Sample] | None,
    how: Adaptation,
    job: Job,
    report: Report = lambda _line: None,
    *,
    audited: bool = False,
) -> dict[str, Any]:
    """Adapt a bundle to a new domain and measure both domains before and after.

    Parameters
    ----------
    model
        The bundle.
    new, old
        The new data set, and the one that the bundle was trained on; without it, forgetting cannot be measured.
    how
        Strategy and knobs.
    job
        Where the new bundle and the work go; the bundle is built in the work folder and replaces `out` when it is done.
    report
        Takes a line of progress.
    audited
        Whether the data was audited before; otherwise it is now, as `train` does.

    Returns
    -------
    `domains`: by `new` and `old`, `before` and `after`, the figures on the domain's `test` split as of `as_found`;
    `held_out`: of how many of these `test` pictures, those that the bundle neither had learned from nor learns from
    now; `changes`: by domain and figure what it lies higher after than before (`value`), with the 95 % `interval` of a
    paired bootstrap, or without one where too few groups or draws without a change show none; `forgetting`: the fall of
    each figure on the old domain; `remarks`: what to mind of the new bundle. Its card holds these figures.

    Raises
    ------
    AdaptError
        `full` without old data, a knob that the bundle lacks, a bundle that states no recipe, or one that would be
        replaced by its own adaptation.
    DatasetError
        A domain has no test picture of a class that the bundle does not learn from.
    RecipeError
        A fusion, and too few sources to leave some out.
    TrainingError
        The output folder holds something else, or the audit refuses the data that it would learn from.
    WorkError
        Another run works in the work folder.
    """
    bundle = Bundle.load(model)
    check_knobs(bundle, how, job.out, old=old is not None)
    train = list(new) if how.strategy == "head" else joined(old or (), new)
    if bundle.manifest["head"]["kind"] != "none":  # told before an audit has taken its minutes
        fold_count([sample for sample in train if sample.split != "test"], _fusion_config(bundle, job).folds)
        if how.strategy == "head":
            Kept.of(bundle)  # one that cannot go on is told here
    domains = held_out(bundle, {"new": new} if old is None else {"new": new, "old": old}, train, report)
    with alone(job.work):
        if not audited:
            check_data(train, job, partial(audited_view, _delivered(bundle)), report)
        said: dict[str, Judged] = {}
        said_now: dict[str, Judged] = {}
        before = judged(domains, open_detector(model), report, said)
        draft = new_draft(job.work, job.out, bundle.folder)
        remarks = []
        if bundle.manifest["head"]["kind"] == "none":
            _classifier(bundle, train, draft, how, job, report)
        elif how.strategy == "head":
            _fusion_head(bundle, train, draft, job, report)
            if met := _met(bundle, train):
                remarks.append(f"{met} of the new pictures are known to {bundle.name}: {FLATTER}")
                report(f"mind: {remarks[-1]}")
        else:
            _fusion_full(bundle, train, draft, how, job, report)
            remarks.append(SEEN)
            report(f"mind: {SEEN}")
        for line in at_bounds(Bundle.load(draft).manifest):
            report(f"mind: {line}")
        after = judged(domains, open_detector(draft), report, said_now)
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "bundle": bundle.name,
            "strategy": how.strategy,
            "command": job.command,
            "remarks": remarks,
            "domains": {domain: {"before": before[domain], "after": after[domain]} for domain in before},
            "held_out": {
                domain: {"pictures": len(found.pictures), "of": found.of} for domain, found in domains.items()
            },
            "changes": {domain: _change(said[domain], said_now[domain], job.seed) for domain in said},
        }
        if old is not None:
            content["forgetting"] = {
                name: before["old"][name] - after["old"][name]
                for name in FIGURES
                if before["old"][name] is not None and after["old"][name] is not None
            }
        (job.work / "adaptation.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        _record(draft, bundle, train, content, job)
        publish(draft, job.out)
    return content


def check_knobs(bundle: Bundle, how: Adaptation, out: Path, *, old: bool) -> None:
    """Refuse what cannot be done with a bundle, and knobs that it would ignore, before any picture is read.

    Parameters
    ----------
    bundle
        The bundle that is adapted.
    how
        Strategy and knobs.
    out
        Where the new bundle goes.
    old
        Whether there is old data.

    Raises
    ------
    AdaptError
        With what to do instead.
    TrainingError
        The output folder holds something else.
    """
    check_output(out)
    if out.resolve() == bundle.folder.resolve():
        raise AdaptError(f"{out} is the bundle that is adapted: name another folder for the new one")
    if how.strategy == "full" and not old:
        raise AdaptError("--strategy full trains on old and new data together: give --old DATA")
    if bundle.manifest["head"]["kind"] == "none":
        if how.steps is not None:
            raise AdaptError(f"{bundle.name} is a classifier, which has no steps: use --epochs, --rate or --minutes")
        kept = bundle.manifest.get("training", {}).get("config")
        if not kept:
            raise AdaptError(f"{bundle.name} does not state how it was trained: train it again with this version")
        if how.strategy == "head" and stated(kept).network == "scratch-cnn-numpy":
            raise AdaptError("scratch-cnn-numpy has no head apart from its body: use --strategy full")
    elif (how.epochs, how.rate, how.minutes) != (None, None, None):
        raise AdaptError(f"{bundle.name} is a fusion, which has no epochs, rate or minutes: use --steps")
    elif how.strategy == "head" and how.steps is not None:
        raise AdaptError("--strategy head trains no network of a fusion: leave --steps out, or use --strategy full")
    if how.rate is not None and how.rate <= 0:
        raise AdaptError(f"a learning rate of {how.rate:g} teaches nothing: give one above 0")
    fusion_head = bundle.manifest["head"]["kind"] != "none" and how.strategy == "head"
    if not fusion_head and "weights" not in bundle.manifest["network"]:
        raise AdaptError(f"{bundle.name} carries no weights that a training could start from: use one that does")


def _change(before: Judged, after: Judged, seed: int) -> dict[str, dict[str, Any]]:
    """How far each figure rose, on the pictures that were judged both times."""
    found = difference({"": after}, {"": before}, FIGURES, seed=seed)
    told: dict[str, dict[str, Any]] = plain(
        {name: {"value": one.value, "interval": [one.low, one.high]} for name, one in found.figures.items()}
    )
    return told


def _delivered(bundle: Bundle) -> bool:
    """Whether what the bundle learns from is shown under delivery conditions."""
    if bundle.manifest["head"]["kind"] != "none":
        return True
    return "delivery" in bundle.manifest.get("training", {}).get("config", {}).get("augment", ())


def _classifier(bundle: Bundle, train: Sequence[Sample], out: Path, how: Adaptation, job: Job, report: Report) -> None:
    config = stated(bundle.manifest["training"]["config"])
    weights = bundle.folder / bundle.manifest["network"]["weights"]
    config = replace(
        config,
        weights=str(weights),
        seed=job.seed,
        epochs=config.epochs if how.epochs is None else how.epochs,
        rate=config.rate if how.rate is None else how.rate,
        minutes=config.minutes if how.minutes is None else how.minutes,
    )
    recipe = str(bundle.manifest.get("recipe", config.network))
    train_classifier(
        train,
        out,
        job.work,
        config,
        recipe=recipe,
        name=job.out.name,
        head_only=how.strategy == "head",
        device=how.device,
        report=report,
    )


def _fusion_head(bundle: Bundle, train: Sequence[Sample], out: Path, job: Job, report: Report) -> None:
    """Let the joint perceptron go on and the thresholds become stricter where they must; all else stays."""
    config = _fusion_config(bundle, job)
    seen = [sample for sample in train if sample.split != "test"]
    folds = family_folds(seen, fold_count(seen, config.folds), config.seed)
    report(f"measuring {len(seen)} pictures")
    onnx = bundle.folder / bundle.manifest["network"]["onnx"]
    table = measure_all(
        seen,
        [onnx],
        [0] * len(seen),
        VIEWS,
        enlargement=bundle.enlargement,
        workers=config.workers,
    )
    stack, calibration, figures = fit(table, seen, folds, config, kept=Kept.of(bundle))
    for name in bundle.manifest["files"]:
        if name not in (METRICS, CARD, bundle.manifest["head"]["file"]):
            shutil.copyfile(bundle.folder / name, out / name)
    manifest = {key: value for key, value in bundle.manifest.items() if key not in ("schema", "files")}
    before = bundle.manifest.get("training", {})
    training = {key: before[key] for key in ("weights", "weights_sha256") if key in before}
    if "config" in before:
        training["config"] = asdict(config)
    write_manifest(
        out,
        manifest
        | {
            "name": job.out.name,
            "version": __version__,
            "network": {**bundle.manifest["network"], "small": SMALL},
            "head": stack.save(out),
            "calibration": calibration.to_dict(),
            "training": {**training, "head_only": True, **census(seen)},
            "metrics": {"out_of_fold": figures},
        },
    )


def _met(bundle: Bundle, train: Sequence[Sample]) -> int:
    """How many of the pictures a bundle has seen, as far as it states that."""
    known = overlap.seen(bundle) or frozenset()
    return sum(sum_of(sample.path)[: overlap.DIGITS] in known for sample in train if sample.split != "test")


def _fusion_full(bundle: Bundle, train: Sequence[Sample], out: Path, how: Adaptation, job: Job, report: Report) -> None:
    """Train the fusion again from the embedding network that the bundle has; see `SEEN`."""
    config = _fusion_config(bundle, job)
    if how.steps is not None:
        config = config.shortened(how.steps)
    state = load_file(bundle.folder / bundle.manifest["network"]["weights"])
    first = job.work / "backbone.safetensors"
    mine = {name.removeprefix("backbone."): tensor for name, tensor in state.items() if name.startswith("backbone.")}
    save_file(mine, first)
    train_fusion(train, out, job.work, config, weights=str(first), name=job.out.name, device=how.device, report=report)


def _fusion_config(bundle: Bundle, job: Job) -> FusionConfig:
    """The knobs that the bundle was trained with, where it states them, under the seed of this run."""
    training = bundle.manifest.get("training", {})
    kept = None if "extended" in training else training.get("config")  # those of going on are no whole training's
    config = FusionConfig.stated(kept) if kept else FusionConfig()
    network = replace(config.network, architecture=bundle.manifest["network"]["architecture"], seed=job.seed)
    return replace(config, head=bundle.manifest["head"]["kind"], network=network, seed=job.seed)


def _record(out: Path, bundle: Bundle, train: Sequence[Sample], content: Mapping[str, Any], job: Job) -> None:
    """Write into the new bundle what it was adapted from, with what, and what that did."""
    adapted = Bundle.load(out)
    manifest = {key: value for key, value in adapted.manifest.items() if key not in ("schema", "files")}
    brief = {
        domain: {when: {name: panel[name] for name in (*FIGURES, "pictures")} for when, panel in both.items()}
        for domain, both in content["domains"].items()
    }
    seen = overlap.seen(bundle)
    if seen is None:  # a list of the new pictures alone would say that the old ones were never seen
        (out / overlap.FILE).unlink(missing_ok=True)
    else:
        overlap.record(out, train, seen)
    before = bundle.manifest.get("training", {})
    made: dict[str, Any] = {"command": job.command, "data": list(job.data)}
    if job.split:
        made["split"] = before.get("split", {"seed": job.seed, "shares": job.split})
    origin = {"from": bundle.name, "sha256": bundle.sha256, **handed_on(before)}
    manifest["training"] |= {**made, "generators": generators_of(train), "adapted": origin}
    manifest["adapted"] = {
        "from": bundle.name,
        "sha256": bundle.sha256,
        "strategy": content["strategy"],
        **made,
        "sources": manifest["training"]["sources"],
        "seed": job.seed,
        "training_before": before,
        "domains": brief,
        "held_out": content["held_out"],
        "changes": content["changes"],
        "forgetting": content.get("forgetting", {}),
    }
    (out / METRICS).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")
    if content["remarks"]:
        manifest["adapted"]["remarks"] = list(content["remarks"])
        manifest["metrics"] = {"not_out_of_fold": manifest["metrics"]["out_of_fold"]}
    (out / CARD).write_text(adapted_card(manifest, FIGURES), encoding="utf-8", newline="\n")
    write_manifest(out, manifest)
