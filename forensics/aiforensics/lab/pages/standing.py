"""How the systems of a comparison stand: their order, whom the others are held against, and what a difference says."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

Entries = Mapping[str, Mapping[str, Any]]
"""Figures of each system by name, as in the `entries` of a comparison."""


def ranked(entries: Entries) -> list[str]:
    """Names by the ROC AUC under matched conditions, the highest first."""
    return sorted(entries, key=lambda name: -(entries[name]["roc_auc"] or 0.0))


def strangers(entries: Entries) -> list[str]:
    """Names of those that are known to have seen none of the pictures in training, in the order of `ranked`."""
    return [name for name in ranked(entries) if entries[name]["seen_in_training"] == 0]


def leader(entries: Entries) -> str:
    """Name of the system that the others are held against: the first to which the pictures are new, else the first."""
    return (strangers(entries) or ranked(entries))[0]


def widening(number: int) -> float:
    """How many times as far intervals of 95 % have to reach, so that `number` of them hold all at once.

    Each reaches as far as one of 1 - 0.05/number would (Bonferroni; Dunn, "Multiple comparisons among means", JASA 56,
    1961), both sides of a bootstrap's stretched as those of a normal distribution.
    """
    return NormalDist().inv_cdf(1 - 0.025 / number) / NormalDist().inv_cdf(0.975)


def beats_chance(entries: Entries, name: str) -> bool:
    """Whether a ROC AUC is shown to be above 0.5, by an interval that holds for all systems at once.

    Of eleven systems that know nothing, each under its own interval, some one would be better than chance in every
    third case.
    """
    auc, low = entries[name]["roc_auc"] or 0.0, entries[name]["intervals"]["roc_auc"][0]
    return bool(auc - (0.0 if low is None else widening(len(entries)) * (auc - low)) > 0.5)


def is_behind(difference: Mapping[str, Any]) -> bool:
    """Whether a difference from the leader, as of an entry, is shown to be below 0."""
    high = difference["interval"][1]
    return high is not None and high < 0


def in_words(difference: Mapping[str, Any], seen: int | None = 0) -> str:
    """Say what a difference from the leader shows, or why it shows nothing.

    Parameters
    ----------
    difference
        As of an entry.
    seen
        How many of the pictures the system saw in training; None where that is not known.

    Examples
    --------
    >>> told = {"from": "cnn", "roc_auc": -0.01, "interval": [-0.05, 0.03], "few": False, "pictures": 17, "of": 20}
    >>> in_words(told)
    'not told apart from cnn by these pictures (the 17 that both judged)'
    >>> in_words(told | {"interval": [0.01, 0.03], "pictures": 20}, 3)
    'above cnn; flattered: it learned from 3 of these'
    """
    name, value, (low, high) = difference["from"], difference["roc_auc"], difference["interval"]
    if value is None:
        return f"not held against {name}: they judged no pictures of both classes alike"
    if difference["few"]:
        says = f"not told apart from {name}: no interval, too few groups of a class"
    elif low is None:
        says = f"not told apart from {name}: no interval, the same difference in every draw"
    elif low <= 0 <= high:
        says = f"not told apart from {name} by these pictures"
    else:
        says = f"{'below' if high < 0 else 'above'} {name}"
    if difference["pictures"] < difference["of"]:
        says += f" (the {difference['pictures']} that both judged)"
    if seen != 0:
        says += "; not known what it learned from" if seen is None else f"; flattered: it learned from {seen} of these"
    return says
