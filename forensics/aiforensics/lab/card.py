"""The model card of a bundle, written from its manifest and its metrics alone, so that no figure is typed by hand.

The headings follow Mitchell et al., "Model cards for model reporting", arXiv 1810.03993.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

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
        f"On the split `test` of its own data: {metrics['title']} ({metrics['judgements']} judgements). Sources of "
        "these pictures are known from training; intervals are 95 %, from a bootstrap over groups.",
        _command(command),
        _headline(metrics),
        *_out_of_fold(manifest, command),
        "### By source",
        _sources(metrics["per_source"]),
        *_gallery(metrics),
        "## What it was trained on",
        *_training(training),
        "## Generators",
        *_generators(training, metrics),
        "## What not to use it for",
        _NOT_FOR,
        "## Limits",
        _LIMITS,
        "## Rebuild",
        _PRETRAINING.get(training.get("weights", "none"), _PRETRAINING["file"]),
        _command(command) or "The command was not recorded.",
        f"```json\n{_config(training)}\n```" if training.get("config") else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_NOT_FOR = """\
- To accuse a person. A probability is not proof, and a false alarm harms the photographer.
- As the only reason to remove, publish or pay.
- For drawings, scans, screenshots, text and heavily filtered phone pictures.
- To certify that a picture is real: `real` means that no trace was found.
- For local edits of real photographs: it judges where the pixels of whole windows come from."""

_PRETRAINING = {
    "none": "",
    "imagenet": "The embedding network started from torchvision's ImageNet weights.",
    "file": """\
The embedding network first learned without labels to see as a teacher sees, from random weights; then the command below
ran. `models/training/` lists the pictures of both, by repository and sum.

```sh
python -m aiforensics.lab.pretrain POOL --teacher TEACHER.safetensors --out tracenet.safetensors
```""",
}

_LIMITS = """\
- Generators and cameras that it has not seen do worse than the test split says.
- Strong compression, small pictures and screenshots weaken every trace: such pictures are often `inconclusive`.
- The probability assumes that AI pictures are as common as in the calibration data.
- Labels were taken from the collectors of the sources; some are wrong."""


def _network(manifest: Mapping[str, Any]) -> str:
    network = manifest["network"]
    name, size = network["architecture"], network.get("parameters", 0)
    return f"Network `{name}`, {size:,} parameters; head `{manifest['head']['kind']}`."


def _command(command: str) -> str:
    return f"```sh\n{command}\n```" if command else ""


def _headline(metrics: Mapping[str, Any]) -> str:
    panels = [metrics, *metrics["conditions"].values(), *([metrics["as_found"]] if metrics["as_found"] else [])]
    heads = ["figure", "matched", *(panel["condition"] for panel in panels[1:])]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for key, name in _FIGURES:
        low, high = metrics["intervals"][key]
        first = f"**{_number(metrics[key])}** ({_number(low)} to {_number(high)})"
        lines.append(_row([name, first, *(_number(panel[key]) for panel in panels[1:])]))
    return "\n".join(lines)


def _out_of_fold(manifest: Mapping[str, Any], command: str) -> Iterable[str]:
    found = manifest.get("metrics", {}).get("out_of_fold")
    if not found:
        return
    yield "### On sources that were left out"
    yield (
        f"Each of {found['pictures']} training pictures was judged by a network whose generator family or real source "
        f"was left out of training ({found['views']} views, matched conditions); its fold was left out of the head, "
        "the mix, the calibration and the thresholds as well. Classes and sources are weighed alike. Made by the same "
        "command:"
    )
    yield _command(command)
    val = found.get("roc_auc_val", {})
    heads = ["part", "AUC", "mean AUC over AI sources of 20 pictures or more", "AUC on the split `val` alone"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    lines += [
        _row([part, _number(found["roc_auc"][part]), _number(found["mean_source_auc"][part]), _number(val.get(part))])
        for part in found["roc_auc"]
    ]
    yield "\n".join(lines)
    yield (
        f"At the thresholds {_percent(found['false_alarms'])} of real pictures are called AI, "
        f"{_percent(found['detections'])} of AI pictures AI and {_percent(found['missed'])} real; "
        f"{_percent(found['coverage'])} answered, {_percent(found['selective_accuracy'])} of the answers right; "
        f"expected calibration error {_number(found['ece'])}."
    )
    hardest = sorted(found["roc_auc_by_ai_source"].items(), key=lambda item: item[1])[:8]
    yield "Hardest AI sources (AUC): " + ", ".join(f"{name} {_number(auc)}" for name, auc in hardest) + "."
    alarms = sorted(found["false_alarms_by_real_source"].items(), key=lambda item: -item[1])[:8]
    yield "Real sources with most false alarms: " + ", ".join(f"{name} {_percent(a)}" for name, a in alarms) + "."


def _sources(sources: Mapping[str, Mapping[str, Any]]) -> str:
    heads = ["source", "class", "judgements", "called AI", "inconclusive", "called real", "AUC"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for name, row in sorted(sources.items(), key=lambda item: (item[1]["label"], item[0])):
        shares = (_percent(row[key]) for key in ("called_ai", "inconclusive", "called_real"))
        lines.append(_row([name, row["label"], str(row["judgements"]), *shares, _number(row.get("roc_auc"))]))
    return "\n".join(lines)


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
    lines = [_row(heads), _row(["---"] * len(heads))]
    for label in ("real", "ai"):
        for row in failures[label]:
            verdicts = ", ".join(f"{count} × {verdict}" for verdict, count in sorted(row["verdicts"].items()))
            lines.append(_row([label, row["source"], f"`{row['file']}`", _number(row["p_ai"]), verdicts]))
    yield "\n".join(lines)
    counts = {label: Counter(row["source"] for row in failures[label]) for label in ("real", "ai")}
    for label, words in (("real", "False alarms gather in"), ("ai", "Misses gather in")):
        yield f"{words}: " + ", ".join(f"{source} ({count})" for source, count in counts[label].most_common()) + "."


def _training(training: Mapping[str, Any]) -> Iterable[str]:
    pictures = training.get("pictures", {})
    if pictures:
        yield "Pictures by class and split: " + ", ".join(f"{name} {count}" for name, count in pictures.items()) + "."
    if training.get("data"):
        yield "Data as named: " + ", ".join(f"`{name}`" for name in training["data"]) + "."
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


def _config(training: Mapping[str, Any]) -> str:
    import json  # noqa: PLC0415 - for this block alone

    return json.dumps(training["config"], indent=1, default=str)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
