"""The section of a card that tells of sources which were left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiforensics.lab.pages.markdown import number, shell, table
from aiforensics.lab.pages.words import percent


def strangers_section(manifest: Mapping[str, Any], command: str) -> Iterable[str]:
    """Write the paragraphs; none where nothing was left out.

    Parameters
    ----------
    manifest
        Content of `bundle.json`.
    command
        That made the bundle.
    """
    found = manifest.get("metrics", {}).get("out_of_fold")
    if not found:
        return
    yield "### On sources that were left out"
    yield _judges(manifest, found)
    yield shell(manifest["training"].get("strangers", {}).get("command", command))
    columns = [found["roc_auc"], found["mean_source_auc"]]
    heads = ["part", "AUC", f"mean AUC over AI sources of {found['min_pictures']} pictures or more"]
    if "roc_auc_val" in found:
        columns.append(found["roc_auc_val"])
        heads.append("AUC on the split `val` alone")
    yield table(heads, [[part, *(number(column[part]) for column in columns)] for part in found["roc_auc"]])
    yield f"At the thresholds {_answers(found)}."
    was = found.get("before")
    if was:
        yield (
            f"`{was['from']}`, which this went on from, had not seen these sources either. On the same pictures it has "
            f"AUC {number(was['roc_auc']['fused'])}; {_answers(was)}."
        )
    large = found.get("large")
    if large:
        yield (
            f"{large['pictures']} of these are files of more than 512 px along both sides. Cut to 1,024 px at most, "
            f"instead of 248 ({large['views']} views): AUC {number(large['roc_auc']['fused'])}; {_answers(large)}."
        )
    hardest = sorted(found["roc_auc_by_ai_source"].items(), key=lambda item: item[1])[:8]
    if hardest:
        yield "Hardest AI sources (AUC): " + ", ".join(f"{name} {number(auc)}" for name, auc in hardest) + "."
    alarms = sorted(found["false_alarms_by_real_source"].items(), key=lambda item: -item[1])[:8]
    yield "Real sources with most false alarms: " + ", ".join(f"{name} {percent(a)}" for name, a in alarms) + "."
    again = manifest["training"].get("remixed")
    if again and "strangers" not in manifest["training"]:
        sources = again["sources"]
        yield (
            f"The mix was then fitted once more, on {again['pictures']} pictures of {sources['ai']} AI and "
            f"{sources['real']} real sources that came later, judged by the network that ships, and thresholds could "
            "become stricter. The figures of this section are those of the mix before."
        )


def _judges(manifest: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Say who judged the pictures of sources that were left out."""
    training = manifest["training"]
    again = training.get("strangers")
    weighed = "Classes and sources are weighed alike."
    if again:
        sources = again["sources"]
        stayed, gone = (
            ("network, mix and lines", "trees and a joint perceptron")
            if manifest["head"]["kind"] == "xgboost"
            else ("network, head, mix and lines", "a joint perceptron")
        )
        return (
            f"Each of {found['pictures']} pictures of {sources['ai']} AI and {sources['real']} real sources that came "
            f"when the bundle was finished was judged by its {stayed} ({found['views']} views, "
            f"matched conditions), with {gone} that had gone on without its source, at "
            f"thresholds that were set on the pictures of the other folds. {weighed} Made by:"
        )
    extended = training.get("extended", {})
    before = extended.get("from")
    which, away = (
        ("training pictures", "generator family or real source")
        if before is None
        else (f"pictures of sources that `{before}` had not seen", "source, if not its generator")
    )
    head, rest = (
        (
            f"the head of `{before}`",
            f"the mix, the calibration and the thresholds are those of `{before}`, the last stricter where pictures of "
            "the other folds asked for it",
        )
        if extended.get("kept")
        else (
            "a head that had not seen its fold",
            "the mix, the calibration and the thresholds that judged it were fitted on the pictures of the other folds",
        )
    )
    return (
        f"Each of {found['pictures']} {which} was judged by a network whose training had left out its {away} "
        f"({found['views']} views, matched conditions), by {head}, and by a joint perceptron that had not seen its "
        f"part of it; {rest}. {weighed} Made by the same command:"
    )


def _answers(found: Mapping[str, Any]) -> str:
    return (
        f"{percent(found['false_alarms'])} of real pictures are called AI, "
        f"{percent(found['detections'])} of AI pictures AI and {percent(found['missed'])} real; "
        f"{percent(found['coverage'])} answered, {percent(found['selective_accuracy'])} of the answers right; "
        f"expected calibration error {number(found['ece'])}"
    )
