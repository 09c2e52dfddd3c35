"""How many pictures a data set has of what: the counts that a manifest states and a card tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiforensics.lab.data.dataset import Sample, learnable


def census(samples: Sequence[Sample]) -> dict[str, Any]:
    """Count the pictures that may be learned from, which `test` may not.

    Returns
    -------
    `pictures` by class and split such as `ai train`, and `sources` by class and name.
    """
    found = learnable(samples)
    return {
        "pictures": dict(Counter(f"{sample.label} {sample.split}" for sample in found)),
        "sources": {
            label: dict(sorted(Counter(sample.source for sample in found if sample.label == label).items()))
            for label in ("ai", "real")
        },
    }


def generators_of(samples: Sequence[Sample]) -> dict[str, int]:
    """Count the pictures of each generator that may be learned from."""
    return dict(sorted(Counter(one.generator for one in learnable(samples) if one.generator).items()))
