"""From numbers to an answer: the verdict with its sentence, what each cue measured, and the strongest reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from aiforensics.analyzers import ANALYZERS
from aiforensics.evidence import Feature, FeatureSpec, Measurement, Quality, Reason, Verdict
from aiforensics_models.calibration import Calibration
from aiforensics_models.heads import EMBEDDING, Answer

SPECS: Mapping[str, FeatureSpec] = {
    **{spec.name: spec for analyzer in ANALYZERS for spec in analyzer.specs},
    # A fusion's share of it weighs the whole embedding, and may point elsewhere than this number.
    EMBEDDING: FeatureSpec(EMBEDDING, "log-odds", "the embedding network's view of the windows (by its last layer)"),
}
"""Every feature that can stand in a bundle's row, by full name."""
MAX_REASONS = 12
DOUBLED, TENFOLD = math.log(2.0), math.log(10.0)
"""Shares in log-odds that double the odds, and make them tenfold: from there they speak clearly, and strongly."""
_BEYOND = 2.0
"""How many times what its last layer says a network's share has to be for the rest to be named."""


def decide(
    calibration: Calibration, p_ai: float, quality: Quality, interval: tuple[float, float]
) -> tuple[Verdict, str]:
    """The verdict, and why it is that, in a sentence or two.

    Parameters
    ----------
    calibration
        Of the thresholds.
    p_ai, interval
        The calibrated probability and the range of its answers, in [0, 1].
    quality
        Of the evidence: where it is poor, nothing is decided.
    """
    verdict = calibration.verdict(p_ai)
    if quality.level == "poor":
        return "inconclusive", f"The evidence is too poor to judge the pixels: {quality.reasons[0]}."
    p, real_below, ai_from = _told_apart(p_ai, calibration.real_below, calibration.ai_from)
    if verdict == "inconclusive":
        return verdict, (
            f"The probability {p} lies between {real_below} and {ai_from}, where this model is wrong too often to say."
        )
    if verdict == "ai":
        line, few = f"at or above {ai_from}", "which few real pictures reach"
        weak = interval[0] < calibration.ai_from
    else:
        line, few = f"below {real_below}", "which few AI pictures stay under"
        weak = interval[1] >= calibration.real_below
    caveat = " Its plausible range crosses that line: a weak answer." if weak else ""
    return verdict, f"The probability {p} is {line}, {few}.{caveat}"


def measurements(values: Mapping[str, float], shares: Mapping[str, float]) -> tuple[Measurement, ...]:
    """What each cue measured, by analyzer, with its share of the score where it has one."""
    specs = {analyzer.name: analyzer.specs for analyzer in ANALYZERS} | {"embedding": (SPECS[EMBEDDING],)}
    return tuple(
        Measurement(
            name,
            tuple(Feature(spec.name, values[spec.name], spec.unit) for spec in mine),
            sum(scored) if (scored := [shares[spec.name] for spec in mine if spec.name in shares]) else None,
        )
        for name, mine in specs.items()
    )


def reasons(names: tuple[str, ...], values: Mapping[str, float], answer: Answer) -> tuple[Reason, ...]:
    """The strongest shares of the score in words, at most `MAX_REASONS`."""
    order = np.argsort(-np.abs(answer.shares), kind="stable")[:MAX_REASONS]
    return tuple(
        _reason(SPECS[names[index]], values[names[index]], float(answer.shares[index]))
        for index in order
        if abs(answer.shares[index]) >= 1e-3
    )


def _told_apart(p: float, *lines: float) -> tuple[str, ...]:
    """Write a probability and the thresholds in per cent, with the fewest digits that do not make two of them one."""
    digits = 0
    while p not in lines and digits < 9 and _per_cent(p, digits) in [_per_cent(line, digits) for line in lines]:
        digits += 1
    return tuple(_per_cent(value, digits) for value in (p, *lines))


def _per_cent(share: float, digits: int) -> str:
    if digits == 0 and (0.0 < share < 0.01 or 0.99 < share < 1.0):
        return "<1%" if share < 0.5 else ">99%"
    return f"{100 * share:.{digits}f}%"


def _reason(spec: FeatureSpec, value: float, share: float) -> Reason:
    side = "AI" if share > 0 else "a real picture"
    strength = "strongly" if abs(share) >= TENFOLD else "clearly" if abs(share) >= DOUBLED else "slightly"
    unit = "" if spec.unit == "1" else f" {spec.unit}"
    # The network's share weighs its whole embedding, which may say other than its last layer, or far more.
    beyond = spec.name == EMBEDDING and (value * share < 0 or abs(share) > _BEYOND * abs(value))
    more = "with all else that it sees, " if beyond else ""
    what, _, remark = spec.meaning.partition("; ")  # behind the value, or the remark's own number is taken for it
    measured = f"{value:.3g}{unit}{f' ({remark})' if remark else ''}"
    text = f"{what[:1].upper()}{what[1:]}: {measured}; {more}it speaks {strength} for {side}."
    return Reason(spec.name, value, spec.unit, share, text)
