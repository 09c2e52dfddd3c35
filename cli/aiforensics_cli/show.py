"""A finding for a terminal: verdict, probability with its interval, evidence quality, provenance, reasons, notes.

Colour where the terminal has it and `NO_COLOR` is not set; the words carry everything that the colours say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text

from aiforensics.explain import (
    CAUTION,
    GRADCAM_CARD,
    HEADLINES,
    LADDER,
    LIMITS,
    NETWORK_CARD,
    QUALITY_WORDS,
    SHARES,
    overall,
    percent,
    percent_range,
    score_words,
    size_words,
)
from aiforensics_cli.console import carried, clean
from aiforensics_cli.lines import LABEL
from aiforensics_cli.lines import field as _field
from aiforensics_cli.lines import line as _line

if TYPE_CHECKING:
    from rich.console import Console

    from aiforensics.evidence import Feature, Finding, Reason

VERDICT_STYLES = {"ai": "bold red", "real": "bold green", "inconclusive": "bold yellow"}
QUALITY_STYLES = {"good": "green", "limited": "yellow", "poor": "red"}
TOP_REASONS = 5
"""Reasons shown on a terminal; the report and the JSON have the twelve strongest."""
_BAR = 40


def show_finding(console: Console, finding: Finding, reasons: int | None = TOP_REASONS) -> None:
    """Print one finding.

    Parameters
    ----------
    console
        Where to; its width decides how lines break. One that is no terminal gets unbroken, uncoloured lines.
    finding
        What to print. Its texts may come from strangers: they are cleaned and never read as markup.
    reasons
        How many reasons to show; None shows all that the finding has.
    """
    ours = partial(_ours, console)
    _line(console, _title(finding, ours))
    _line(console, Text(HEADLINES[finding.verdict], VERDICT_STYLES[finding.verdict]), indent=2)
    if finding.decision:
        _line(console, Text(ours(clean(finding.decision)), "dim"), indent=2)
    quality = finding.quality
    usable = quality.level != "poor"
    _field(console, "p(AI)", _probability(finding, console.width, ours) if usable else _unusable(finding))
    words = ours(f" · {clean('; '.join(quality.reasons) or QUALITY_WORDS[quality.level])}")
    _field(console, "Evidence", Text.assemble((quality.level, QUALITY_STYLES[quality.level]), words))
    name = next(rung.name for rung in LADDER if rung.level == finding.provenance.level)
    _field(console, "Provenance", Text(ours(f"{name} · {overall(finding)}")))
    for claim in finding.provenance.claims:
        _field(console, "", Text(f"{clean(claim.kind)}: {clean(claim.value)} ({clean(claim.source)})", "dim"))
    shown = finding.reasons[:reasons] if usable else ()
    for i, reason in enumerate(shown):
        _field(console, "Why" if i == 0 else "", _reason(reason, ours))
    if outweighed := _outweighed(finding, shown):
        _field(console, "", Text(outweighed))
    for i, note in enumerate(finding.notes):
        _field(console, "Notes" if i == 0 else "", Text(ours(clean(note))))


def show_caution(console: Console) -> None:
    """Print the warning that stands under every verdict."""
    _line(console, Text(CAUTION, "dim italic"))


def show_cues(console: Console, finding: Finding, *, gradcam: bool = False) -> None:
    """Print the card of every cue with what it measured and its share of the score, the largest share first.

    Parameters
    ----------
    console, finding
        As for `show_finding`.
    gradcam
        Whether the network's maps are Grad-CAM's, which are read otherwise.
    """
    from aiforensics.analyzers import ANALYZERS  # noqa: PLC0415 - not needed for `scan`
    from aiforensics.decision import SPECS  # noqa: PLC0415 - likewise

    ours = partial(_ours, console)
    shares = {m.analyzer: m.contribution for m in finding.analyzers if m.contribution is not None}
    cards = {analyzer.name: analyzer.card for analyzer in ANALYZERS} | {
        "embedding": GRADCAM_CARD if gradcam else NETWORK_CARD
    }
    measured: dict[str, tuple[Feature, ...]] = {"embedding": ()}
    measured |= {m.analyzer: m.features for m in finding.analyzers}
    if finding.quality.level == "poor":
        console.print()
        _line(console, Text("The evidence is too poor for any of these shares to count."))
    elif shares:
        console.print()
        _line(console, Text(ours(f"{score_words(finding)} {SHARES}")))
    for name in sorted(measured.keys() & cards.keys(), key=lambda n: (-abs(shares.get(n, 0.0)), n)):
        card = cards[name]
        console.print()
        worth = f"{shares[name]:+.2f} in the log-odds of AI" if name in shares else "not in the score"
        _line(console, Text.assemble((ours(card.title), "bold"), f"  {worth}"))
        _field(console, "Looks for", Text(ours(card.looks_for)))
        for i, feature in enumerate(measured[name]):
            unit = "" if feature.unit == "1" else f" {feature.unit}"
            meaning = ours(f"  {SPECS[feature.name].meaning}")
            text = Text.assemble(ours(f"{feature.name} = {feature.value:.4g}{unit}"), (meaning, "dim"))
            _field(console, "Measured" if i == 0 else "", text)
        if card.map_key:
            _field(console, "Its map", Text(ours(card.map_key)))
        _field(console, "Fooled by", Text(ours(card.fooled_by)))
        _field(console, "Ignore when", Text(ours(card.ignore_when)))
        _field(console, "Source", Text(ours(card.source), "dim"))


def show_limits(console: Console) -> None:
    """Print what no verdict can promise."""
    console.print()
    _line(console, Text("Limits", "bold"))
    for limit in LIMITS:
        _field(console, "", Text(_ours(console, limit)))


def bar(low: float, p: float, high: float, width: int) -> str:
    """Draw a probability on a scale from 0 to 1: the interval as a line, the value as a dot.

    Examples
    --------
    >>> bar(0.2, 0.5, 0.6, 11)
    '··━━━●━····'
    """
    ends = [round(v * (width - 1)) for v in (low, high)]
    signs = ["━" if ends[0] <= i <= ends[1] else "·" for i in range(width)]
    signs[round(p * (width - 1))] = "●"
    return "".join(signs)


def _ours(console: Console, text: str) -> str:
    return carried(text, console.encoding)


def _title(finding: Finding, ours: Callable[[str], str]) -> Text:
    amount = size_words(finding.bytes)
    facts = f"  {finding.format} {finding.width}×{finding.height} · {amount} · sha256 {finding.sha256[:12]}"
    path = "standard input" if finding.path == "-" else clean(finding.path)
    return Text.assemble((path, "bold"), (ours(facts), "dim"))


def _probability(finding: Finding, width: int, ours: Callable[[str], str]) -> Text:
    low, high = finding.interval
    numbers = f"{percent(finding.p_ai)} ({percent_range(low, high)})"
    room = min(_BAR, width - LABEL - 2 - len(numbers) - 2)
    text = Text(numbers, VERDICT_STYLES[finding.verdict])
    if room >= 11:
        text.append("  " + ours(bar(low, finding.p_ai, high, room)), "not bold")
    return text


def _unusable(finding: Finding) -> Text:
    return Text(f"the score of {percent(finding.p_ai)} is not to be used: the evidence is too poor", "dim")


def _outweighed(finding: Finding, shown: Sequence[Reason]) -> str:
    """What is to be said where the reasons that are shown point elsewhere than all shares and the probability do."""
    these = sum(reason.contribution for reason in shown)
    whole = sum(measured.contribution or 0.0 for measured in finding.analyzers)
    if these * whole >= 0 or whole * (finding.p_ai - 0.5) <= 0:
        return ""
    side = "AI" if whole > 0 else "a real picture"
    return f"The weaker ones outweigh these ({these:+.2f}): all together make {whole:+.2f} and speak for {side}."


def _reason(reason: Reason, ours: Callable[[str], str]) -> Text:
    side, style = ("→ AI  ", "red") if reason.contribution > 0 else ("→ real", "green")
    return Text.assemble((ours(side), style), f" {reason.contribution:+.2f}  ", ours(clean(reason.text)))
