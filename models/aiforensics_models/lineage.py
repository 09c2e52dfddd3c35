"""What a bundle learned from, and the bundles that it went on from before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_BEFORE = ("extended", "adapted")
"""Entries of a training that tell of the bundle that it went on from."""
_HANDED_ON = ("command", "pictures", "sources", "generators", *_BEFORE)


def steps(training: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Take what a bundle learned since it was finished, by the name of each step, in order.

    Parameters
    ----------
    training
        `training` of a manifest.
    """
    entries = {name: entry for name, entry in training.items() if isinstance(entry, Mapping) and "from" in entry}
    return {name: entry for name, entry in entries.items() if name not in _BEFORE}


def handed_on(training: Mapping[str, Any]) -> dict[str, Any]:
    """Take what a bundle that goes on states of the training before its own: command, census, and what came earlier.

    Parameters
    ----------
    training
        `training` of the manifest of the bundle that it goes on from.
    """
    return {**{key: training[key] for key in _HANDED_ON if key in training}, **steps(training)}


def ever(training: Mapping[str, Any]) -> dict[str, Any]:
    """Take what a manifest says of the training, with all that the bundles that it went on from had learned from.

    Parameters
    ----------
    training
        `training` of a manifest; its `extended` or `adapted`, where there is one, says the same of the bundle before,
        and what it learned since it was finished stands in its `steps`, each under `learned`.

    Returns
    -------
    The same with the `sources` and `generators` of all of them. Where two trainings count one, the newer count stands,
    as it is of all pictures; those of a step are added, as they are of other pictures.

    Examples
    --------
    >>> before = {"sources": {"ai": {"web": 2, "gone": 1}}}
    >>> ever({"sources": {"ai": {"web": 3}}, "extended": before})["sources"]
    {'ai': {'gone': 1, 'web': 3}}
    >>> later = {"from": "0" * 64, "learned": {"sources": {"ai": {"web": 2}, "real": {"phone": 1}}}}
    >>> ever({"sources": {"ai": {"web": 3}}, "remixed": later})["sources"]
    {'ai': {'web': 5}, 'real': {'phone': 1}}
    """
    before = next((training[name] for name in _BEFORE if name in training), None)
    learned = [step["learned"] for step in steps(training).values()]
    if before is None and not learned:
        return dict(training)
    earlier = ever(before or {})

    def counts(*path: str) -> dict[str, int]:
        total = Counter({**_at(earlier, path), **_at(training, path)})
        for one in learned:
            total.update(_at(one, path))
        return dict(sorted(total.items()))

    labels = dict.fromkeys(label for one in (training, earlier, *learned) for label in one.get("sources", ()))
    sources = {"sources": {label: counts("sources", label) for label in labels}} if labels else {}
    return {**training, **sources, "generators": counts("generators")}


def _at(entry: Mapping[str, Any], path: Iterable[str]) -> Mapping[str, int]:
    for name in path:
        entry = entry.get(name, {})
    return entry
