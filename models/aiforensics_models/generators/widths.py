"""Channels of the networks that widen a picture from 4×4, or halve it down to that."""

from __future__ import annotations


def widths_of(side: int, first: int) -> list[int]:
    """Channels from the pixels inwards, one for each halving of `side` px down to 4×4: `first`, then twice as many."""
    return [first * 2**i for i in range({32: 3, 64: 4}[side])]
