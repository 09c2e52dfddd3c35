"""Figures in words, the same on every page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates"
"""Templates of the pages; they extend the base of the report's."""
SHOWN = (
    "A change whose interval holds 0 is not shown by these pictures; without an interval stands one of fewer than five "
    "groups of a class, or that is the same in every draw"
)
"""What a change is worth."""


def percent(share: float | None) -> str:
    """Write a share in per cent with one decimal, or a dash where there is none.

    Examples
    --------
    >>> percent(0.0512), percent(None)
    ('5.1 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def with_interval(panel: Mapping[str, Any], key: str) -> tuple[str, str]:
    """A figure of a panel with three decimals and its interval in words; a dash and nothing where it is not defined."""
    value, interval = panel[key], panel["intervals"][key]
    return ("–", "") if value is None else (f"{value:.3f}", reach(interval))


def known(content: Mapping[str, Any]) -> str:
    """Say how many of the judged pictures a bundle had learned from, and what that does; empty where it had none.

    Examples
    --------
    >>> known({"seen_in_training": 3, "pictures": {"judged": 20}})
    "3 of the 20 judged pictures were in this bundle's training; the figures flatter"
    """
    seen = content["seen_in_training"]
    if not seen:
        return ""
    judged = content["pictures"]["judged"]
    verb = "were" if seen > 1 else "was"
    return f"{seen} of the {judged} judged pictures {verb} in this bundle's training; the figures flatter"


def left_out(refused: Sequence[Sequence[str]], of: int) -> str:
    """Say how many of the test pictures could not be judged, and which one and why; empty where all could.

    Examples
    --------
    >>> left_out([("a.png", "cut short")], 20)
    '1 of the 20 test pictures cannot be judged and is left out: a.png (cut short)'
    """
    if not refused:
        return ""
    path, why = refused[0]
    verb, first = ("are", "; the first") if len(refused) > 1 else ("is", "")
    return f"{len(refused)} of the {of} test pictures cannot be judged and {verb} left out{first}: {path} ({why})"


def reach(interval: Sequence[float | None], digits: int = 3, between: str = "–") -> str:
    """Write an interval (low, high); a dash where there is none, and its width where both ends would read alike.

    Examples
    --------
    >>> reach((0.81234, 0.9), between=" to "), reach((0.00011, 0.00012)), reach((None, None))
    ('0.812 to 0.900', 'within 0.001', '–')
    """
    low, high = ("" if end is None else f"{end:.{digits}f}" for end in interval)
    if not low:
        return "–"
    return f"within {10**-digits:g}" if low == high else f"{low}{between}{high}"


def gap(value: float | None, interval: Sequence[float | None]) -> tuple[str, str]:
    """Write a difference and its interval with their signs; dashes where there is none.

    Examples
    --------
    >>> gap(-0.02, (-0.081, 0.0)), gap(0.1, (None, None)), gap(None, (None, None))
    (('−0.020', '−0.081 to 0.000'), ('+0.100', '–'), ('–', '–'))
    """
    number, low, high = (
        "" if one is None else f"{one:+.3f}".replace("-", "−") if one else "0.000" for one in (value, *interval)
    )
    if not low:
        return number or "–", "–"
    return number, "within 0.001" if low == high else f"{low} to {high}"
