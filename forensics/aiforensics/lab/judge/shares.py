"""The interval of a share that draws of groups cannot show: of few groups, or of what hardly ever happened."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FEW = 5
"""Groups below which draws of them cannot show how far a figure reaches; of one of both classes, of the smaller one."""
STILL = 1e-9
"""An interval of no more than this width is that of a figure that no draw moved."""


def share_interval(
    share: float, drawn: tuple[float, float], groups: NDArray[np.str_], hits: NDArray[np.bool_]
) -> tuple[float, float]:
    """Give a share the Wilson interval of its number of groups where the drawn one would promise too much.

    No draw can show what never happened, and draws of two groups hardly more than the two: there it stands instead. Of
    what happened in one group of thirty, draws reach up to 10 %, where of what happened in none Wilson's reaches up to
    11 %: with 3 hits expected, intervals of draws alone hold the truth in 87 % of the cases. So where fewer than five
    groups hit, or fewer than five miss, the interval reaches as far as the farther of both.

    Parameters
    ----------
    share
        Of the pictures that hit.
    drawn
        Its interval by drawing groups.
    groups, hits
        (n,) names of the groups, and which pictures hit.
    """
    count, low, high = _number(groups), *drawn
    never = high - low <= STILL and share in (0.0, 1.0)
    if math.isnan(share) or not (never or min(_number(groups[hits]), _number(groups[~hits])) < FEW):
        return drawn
    centre, reach = share + 1.96**2 / (2 * count), 1.96 * math.sqrt(share * (1 - share) / count + (0.98 / count) ** 2)
    least = 0.0 if share == 0 else (centre - reach) / (1 + 1.96**2 / count)
    most = 1.0 if share == 1 else (centre + reach) / (1 + 1.96**2 / count)
    return (least, most) if never or count < FEW else (min(low, least), max(high, most))


def _number(groups: NDArray[np.str_]) -> int:
    return len(set(groups.tolist()))
