"""How far an interval must reach: what another delivery of the same picture makes of its probability."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.data.views import CLEAN, JPEG75, JPEG90, LARGE_CONDITIONS
from aiforensics.lab.fit.calibrating import MIN_CONDITION
from aiforensics.lab.fit.measure import Table
from aiforensics_models.calibration import INTERVAL, NORMAL_95, Calibration

_NAMES = tuple(view.name for view in (CLEAN, JPEG90, JPEG75))
DELIVERIES = (_NAMES, tuple(view.name for view in LARGE_CONDITIONS if view.name.removeprefix("large-") in _NAMES))
"""Views at full size, each with a random window and a last codec of its own; those of one size are compared."""


def widened(calibration: Calibration, log_odds: NDArray[np.float64], table: Table) -> Calibration:
    """Widen each condition's interval until it holds what the picture's other deliveries say.

    The members of the network's ensemble agree more with each other than with themselves after another re-save, and the
    measurements have no members at all: from that spread alone, a 90 % interval holds much less than 90 %.

    Parameters
    ----------
    calibration
        Lines whose `spread` is what hangs on the choice of sources; none becomes smaller.
    log_odds
        (n,) of the table's rows, uncalibrated.
    table
        Features of delivered pictures; of its views, `DELIVERIES` are compared.

    Returns
    -------
    The same lines with the `spread` at which `INTERVAL` of the comparisons stay inside. A condition with fewer than 200
    comparisons takes that of all.
    """
    conditions = table.condition.tolist()
    lines = [calibration.line(name) for name in conditions]
    centre = np.array([line.slope * z + line.offset for line, z in zip(lines, log_odds.tolist(), strict=True)])
    own = np.array([line.slope for line in lines]) * table.spread
    row_of = {(int(i), view): row for row, (i, view) in enumerate(zip(table.sample, table.view.tolist(), strict=True))}
    pairs = [
        (row_of[i, one], row_of[i, other])
        for i in sorted(set(table.sample.tolist()))
        for deliveries in DELIVERIES
        for one, other in permutations(deliveries, 2)
        if (i, one) in row_of and (i, other) in row_of
    ]
    if not pairs:
        return calibration
    first, second = np.array(pairs).T
    missing = np.square((centre[second] - centre[first]) / NORMAL_95) - np.square(own[first])
    everybody = float(np.sqrt(max(0.0, np.quantile(missing, INTERVAL))))
    spreads = dict.fromkeys(calibration.conditions, everybody)
    for name in spreads:
        mine = table.condition[first] == name
        if mine.sum() >= MIN_CONDITION:
            spreads[name] = float(np.sqrt(max(0.0, np.quantile(missing[mine], INTERVAL))))
    conditions_wide = {
        name: replace(line, spread=max(line.spread, spreads[name])) for name, line in calibration.conditions.items()
    }
    return replace(calibration, conditions=conditions_wide)
