"""The model card of a bundle, written from its manifest and its metrics alone, so that no figure is typed by hand.

The headings follow Mitchell et al., "Model cards for model reporting", arXiv 1810.03993.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiforensics.lab.pages.markdown import number, shell, table
from aiforensics.lab.pages.strangers import strangers_section
from aiforensics.lab.pages.words import SHOWN, gap, percent, reach
from aiforensics_models.lineage import ever, steps

_FIGURES = (
    ("roc_auc", "ROC AUC"),
    ("average_precision", "average precision"),
    ("accuracy", "accuracy, answer forced at 50 %"),
    ("balanced_accuracy", "balanced accuracy, forced"),
    ("precision", "precision, forced"),
    ("recall", "recall, forced"),
    ("f1", "F1, forced"),
    ("false_alarms", "real pictures called AI, at the shipped thresholds"),
    ("detections", "AI pictures called AI, at the shipped thresholds"),
    ("missed", "AI pictures called real, at the shipped thresholds"),
    ("coverage", "pictures that got an answer"),
    ("selective_accuracy", "accuracy where it answers"),
    ("ece", "expected calibration error"),
    ("brier", "Brier score"),
)


def card(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Write a bundle's card.

    Parameters
    ----------
    manifest
        Content of `bundle.json`; `training` may name `data`, `command`, `config`, `pictures` and `sources`.
    metrics
        Content of `metrics.json`, as `Evaluation.to_dict` gives it.

    Returns
    -------
    Markdown.
    """
    training = manifest.get("training", {})
    command = training.get("command", "")
    parts = [
        f"# {manifest['name']} {manifest['version']}",
        f"Recipe `{manifest.get('recipe', 'unknown')}`. Says `ai`, `real` or `inconclusive` of a picture, with a "
        f"calibrated probability. {_network(manifest)}",
        "Written from `bundle.json` and `metrics.json`; no figure is typed by hand.",
        "## How good it is",
        f"On the split `test` of its own data{_judged(metrics)}: {metrics['title']} ({metrics['judgements']} "
        f"judgements). {_known(metrics['per_source'], ever(training))}Intervals are 95 %, from a bootstrap over "
        "groups; – where it cannot show one.",
        shell(command),
        _headline(metrics),
        *at_bounds(manifest),
        *strangers_section(manifest, command),
        "### By source",
        _sources(metrics["per_source"]),
        *_gallery(metrics),
        "## What it was trained on",
        *_training(ever(training)),
        "## Generators",
        *_generators(ever(training), metrics),
        *_limits(manifest),
        "## Rebuild",
        *_rebuild(training),
        f"```json\n{json.dumps(training['config'], indent=1)}\n```" if training.get("config") else "",
    ]
    return _joined(parts)


def adapted_card(manifest: Mapping[str, Any], figures: Sequence[str]) -> str:
    """Write the card of a bundle that was adapted to a new domain.

    Parameters
    ----------
    manifest
        Content of its `bundle.json` with `adapted`, which holds the figures of both domains before and after.
    figures
        Names of these figures, in order.

    Returns
    -------
    Markdown.
    """
    adapted, training = manifest["adapted"], manifest["training"]
    changes = adapted.get("changes", {})  # not stated by earlier versions
    heads = [
        f"{domain} domain, {what}"
        for domain in adapted["domains"]
        for what in ("before", "after", *(["change, 95 %"] if domain in changes else []))
    ]
    rows = (
        [name, *(cell for domain, both in adapted["domains"].items() for cell in _row(both, changes.get(domain), name))]
        for name in figures
    )
    lost = "" if "old" in adapted["domains"] else " What it forgot was not measured: no old data was given."
    parts = [
        f"# {manifest['name']} {manifest['version']}",
        f"`{adapted['from']}` (sha256 {adapted['sha256'][:12]}), adapted with the strategy `{adapted['strategy']}`. "
        f"{_network(manifest)}",
        "Written from `bundle.json`; no figure is typed by hand. What it had learned before, the card of the bundle "
        "that it was adapted from says.",
        "## How good it is",
        "On the split `test` of each domain, files as found, not under matched conditions: `aiforensics evaluate` "
        f"gives those, with intervals.{lost}",
        table(["figure", *heads], rows),
        f"{SHOWN} (paired bootstrap over groups)." if changes else "",
        *_learned(adapted.get("held_out", {})),
        *_not_judged(adapted["domains"]),
        *(f"Mind: {remark}." for remark in adapted.get("remarks", ())),
        *at_bounds(manifest),
        "## What it was adapted with",
        *_training(training),
        *_limits(manifest),
        "## Rebuild",
        shell(adapted["command"]) or "The command was not recorded.",
    ]
    return _joined(parts)


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(both: Mapping[str, Any], changes: Mapping[str, Any] | None, name: str) -> Iterable[str]:
    """Cells of one figure on one domain: before, after, and the change with its interval where it is known."""
    yield from (number(both[when][name]) for when in ("before", "after"))
    if changes is not None:
        value, interval = gap(changes[name]["value"], changes[name]["interval"])
        yield value if interval == "–" else f"{value} ({interval})"


def _limits(manifest: Mapping[str, Any]) -> list[str]:
    return ["## What not to use it for", _NOT_FOR, "## Limits", _LIMITS, _enlargement(manifest)]


def _learned(held_out: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Say of each domain how many of its test pictures the bundle learned from, where there are such."""
    return [
        f"Of the {of['of']} test pictures of the {domain} domain, {of['of'] - of['pictures']} were left out: the "
        "bundle had learned from them before, or learned from them now."
        for domain, of in held_out.items()
        if of["pictures"] < of["of"]
    ]


def _not_judged(domains: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say of each domain how many of its test pictures could not be judged, where there are such."""
    told = ((domain, both["after"].get("pictures", {"judged": 0, "of": 0})) for domain, both in domains.items())
    return [
        f"Of the {of['of']} test pictures of the {domain} domain, {of['judged']} were judged; the others could not be."
        for domain, of in told
        if of["judged"] < of["of"]
    ]


def at_bounds(manifest: Mapping[str, Any]) -> list[str]:
    """Warn of a mix or a calibration that stands at its bound: what it weighs tells the classes hardly apart.

    Parameters
    ----------
    manifest
        Content of `bundle.json`.
    """
    mix = manifest["head"].get("mix", {})
    parts = {"embedding": "the network", "handcrafted": "the handcrafted head", "joint": "the joint perceptron"}
    idle = [words for name, words in parts.items() if mix.get(name, 1.0) <= 0]
    lines = manifest["calibration"]["conditions"].items()
    flat = [name for name, line in lines if line["slope"] <= _LEAST_SLOPE]
    found = []
    if idle:
        found.append(f"The mix gives {' and '.join(idle)} no weight: on left-out sources nothing was gained there.")
    if flat:
        found.append(
            f"The calibration stands at its least slope ({', '.join(flat)}): the score tells the classes hardly apart."
        )
    return found


_NOT_FOR = """\
- To accuse a person. A probability is not proof, and a false alarm harms the photographer.
- As the only reason to remove, publish or pay.
- For drawings, scans, screenshots, text and heavily filtered phone pictures.
- To certify that a picture is real: `real` means that no trace was found.
- For local edits of real photographs: it judges where the pixels of whole windows come from."""

_LEAST_SLOPE = 0.05
"""The bound of `aiforensics.lab.fit.calibrating.calibrate`."""

_TRACENET = "9ad80210d86e6b4aa62f1b64fafb368275a5c921bb90968213fe9646e6262c68"
"""sha256 of this project's own first weights, `models/training/tracenet.safetensors`."""

_PRETRAINING = """\
The embedding network first learned without labels to see as a teacher sees, from random weights; then the command below
ran. `models/training/` lists the pictures of both, by repository and sum.

```sh
python -m aiforensics.lab.train.pretrain POOL --teacher TEACHER.safetensors --out tracenet.safetensors
```"""

_DONE = {
    "remixed": "whose mix the next command fitted once more",
    "strangers": "which met strangers by the next command",
}
"""What each step of a finished bundle did to it."""

_LIMITS = """\
- Generators and cameras that it has not seen do worse than the test split says.
- Strong compression, small pictures and screenshots weaken every trace: such pictures are often `inconclusive`.
- The probability supposes that one picture in two is made by AI, and says too much where fewer are.
- Labels are taken as the data gives them: a wrong one misleads the training, and the figures too."""


def _enlargement(manifest: Mapping[str, Any]) -> str:
    """Say how pictures are treated that are larger than the detail they hold, where the bundle tells them."""
    told = manifest.get("enlargement")
    if told is None:
        return ""
    found = "" if told["found"] is None else f", {percent(told['found'])} of those made about twice as large were found"
    return (
        f"Pictures that are {told['from']:g} times larger than the detail they hold, or more (enlarged, blurred, "
        "noisy), are examined in windows reduced by as much. Of draws from sources that the estimate had not seen "
        f"{percent(told['false'])} were taken for such and are none{found}."
    )


def _network(manifest: Mapping[str, Any]) -> str:
    network = manifest["network"]
    name, size = network["architecture"], network.get("parameters", 0)
    return f"Network `{name}`, {size:,} parameters; head `{manifest['head']['kind']}`."


def _judged(metrics: Mapping[str, Any]) -> str:
    """How many pictures were judged, of how many, and how many of them were no new ones, where the metrics say so."""
    judged, of = (metrics.get("pictures", {}).get(key) for key in ("judged", "of"))
    seen = metrics.get("seen_in_training")
    fewer = f" of {of}" if of and of != judged else ""
    return f" ({judged}{fewer} pictures{f', {seen} of them seen in training' if seen else ''})" if judged else ""


def _known(sources: Mapping[str, Mapping[str, Any]], training: Mapping[str, Any]) -> str:
    """Say how many of the sources were in training as well."""
    trained = training.get("sources")
    if trained is None:
        return ""
    known = sum(
        not {name, name.removeprefix(f"{row['label']}/")}.isdisjoint(trained.get(row["label"], ()))
        for name, row in sources.items()
    )
    return f"Of the {len(sources)} sources of these pictures {known} are known from training. "


def _rebuild(training: Mapping[str, Any]) -> Iterable[str]:
    """First weights and command of every bundle that this one goes back to, oldest first."""
    before = training.get("extended")
    if before is not None:
        yield from _rebuild(before)
        yield f"That made `{before['from']}` (sha256 {before['sha256'][:12]}), which the next command went on from."
    yield _first_weights(training) if before is None else ""
    yield shell(training.get("command", "")) or "The command was not recorded."
    for step, done in _DONE.items():
        if step in training:
            yield f"That made a bundle of sha256 {training[step]['from'][:12]}, {done}."
            yield shell(training[step]["command"])


def _first_weights(training: Mapping[str, Any]) -> str:
    """Say what the network started from; a file is this project's own by its sum."""
    weights = training.get("weights", "none")
    if weights in ("none", "imagenet"):
        return "" if weights == "none" else "The network started from torchvision's ImageNet weights."
    if training.get("weights_sha256") == _TRACENET:
        return _PRETRAINING
    return f"The network started from the file of weights `{weights}`, which this card knows nothing of."


def _headline(metrics: Mapping[str, Any]) -> str:
    panels = [metrics, *metrics["conditions"].values(), *([metrics["as_found"]] if metrics["as_found"] else [])]
    heads = ["figure", "matched", *(panel["condition"] for panel in panels[1:])]
    rows = []
    for key, name in _FIGURES:
        first = f"**{number(metrics[key])}** ({reach(metrics['intervals'][key], between=' to ')})"
        rows.append([name, first, *(number(panel[key]) for panel in panels[1:])])
    return table(heads, rows)


def _sources(sources: Mapping[str, Mapping[str, Any]]) -> str:
    heads = ["source", "class", "judgements", "groups", "called AI", "inconclusive", "called real", "AUC"]
    rows = []
    for name, row in sorted(sources.items(), key=lambda item: (item[1]["label"], item[0])):
        shares = (percent(row[key]) for key in ("called_ai", "inconclusive", "called_real"))
        counts = (str(row[count]) for count in ("judgements", "groups"))
        rows.append([name, row["label"], *counts, *shares, number(row.get("roc_auc"))])
    return table(heads, rows)


def _gallery(metrics: Mapping[str, Any]) -> Iterable[str]:
    failures = metrics.get("failures", {})
    if not failures:
        return
    yield "### Gallery of failures"
    yield (
        "The pictures of `test` on which the probability is most wrong, worst first (mean over the matched "
        "conditions), and the verdicts that they got."
    )
    heads = ["class", "source", "picture", "p(AI)", "verdicts"]
    rows = []
    for label in ("real", "ai"):
        for row in failures[label]:
            verdicts = ", ".join(f"{count} × {verdict}" for verdict, count in sorted(row["verdicts"].items()))
            rows.append([label, row["source"], f"`{row['file']}`", number(row["p_ai"]), verdicts])
    yield table(heads, rows)
    for label, wrong, words in (("real", "ai", "False alarms gather in"), ("ai", "real", "Misses gather in")):
        mistaken = [row for row in failures[label] if wrong in row["verdicts"]]
        none = f"No {label} picture of these was called {wrong}; the most wrong gather in"
        counts = Counter(row["source"] for row in mistaken or failures[label])
        named = ", ".join(f"{source} ({count})" for source, count in counts.most_common())
        yield f"{words if mistaken else none}: {named}."


def _training(training: Mapping[str, Any]) -> Iterable[str]:
    pictures = training.get("pictures", {})
    if pictures:
        yield "Pictures by class and split: " + ", ".join(f"{name} {count}" for name, count in pictures.items()) + "."
    if training.get("data"):
        yield "Data as named: " + ", ".join(f"`{name}`" for name in training["data"]) + "."
    since = [f"{step['pictures']} (`{name}`)" for name, step in steps(training).items()]
    if since:
        yield f"Pictures since it was finished: {', '.join(since)}. The sources below count them as well."
    for label, words in (("ai", "AI sources"), ("real", "Real sources")):
        sources = training.get("sources", {}).get(label, {})
        if sources:
            yield f"{words}: " + ", ".join(f"{name} ({count})" for name, count in sources.items()) + "."


def _generators(training: Mapping[str, Any], metrics: Mapping[str, Any]) -> Iterable[str]:
    trained = training.get("generators", {})
    if trained:
        yield "In training: " + ", ".join(f"{name} ({count})" for name, count in trained.items()) + "."
    tested = sorted(metrics["per_generator"])
    if tested:
        yield "Tested: " + ", ".join(tested) + "."
    untested = sorted(set(trained) - set(tested))
    if untested:
        yield "In training but without a test picture: " + ", ".join(untested) + "."
    yield "Every generator that is not named here is untested."
