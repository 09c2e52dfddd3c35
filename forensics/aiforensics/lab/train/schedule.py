"""How a learning rate runs over a training."""

from __future__ import annotations

import math

WARM = 0.05
"""Share of the training in which the rate rises."""


def one_cycle(progress: float) -> float:
    """Learning-rate factor at a progress of 0 to 1: 5 % linear warm-up, then a cosine down to a thousandth.

    A cosine down to zero after a warm-up is Loshchilov and Hutter's (SGDR, arXiv 1608.03983) without restarts.

    Examples
    --------
    >>> [round(one_cycle(progress), 3) for progress in (0.0, 0.05, 0.5, 1.0)]
    [0.001, 1.001, 0.542, 0.001]
    """
    if progress < WARM:
        return max(progress / WARM, 1e-3)
    return 0.5 * (1 + math.cos(math.pi * min((progress - WARM) / (1 - WARM), 1.0))) + 1e-3
