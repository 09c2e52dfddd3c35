"""What a bundle learned from, and the bundles that it went on from before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def ever(training: Mapping[str, Any]) -> dict[str, Any]:
    """Take what a manifest says of the training, with all that the bundles that it went on from had learned from.

    Parameters
    ----------
    training
        `training` of a manifest; its `extended`, where there is one, says the same of the bundle before.

    Returns
    -------
    The same with the `sources` and `generators` of all of them; where two count one, the newer count stands.

    Examples
    --------
    >>> before = {"sources": {"ai": {"web": 2, "gone": 1}}}
    >>> ever({"sources": {"ai": {"web": 3}}, "extended": before})["sources"]
    {'ai': {'gone': 1, 'web': 3}}
    """
    before = training.get("extended")
    if before is None:
        return dict(training)
    earlier = ever(before)
    sources = {
        label: dict(sorted({**earlier.get("sources", {}).get(label, {}), **now}.items()))
        for label, now in training.get("sources", {}).items()
    }
    generators = {**earlier.get("generators", {}), **training.get("generators", {})}
    return {**training, "sources": sources, "generators": dict(sorted(generators.items()))}
