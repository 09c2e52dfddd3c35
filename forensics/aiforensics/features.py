"""From measurements to the row that a bundle pins by name and order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.heads import EMBEDDING

EDITION = 4
"""Raised whenever a measurement changes its value: nothing that was fitted to the old values may read the new ones."""


class FeatureError(Exception):
    """A bundle asks for a feature that this version does not measure, or measures otherwise."""


def check_edition(names: Sequence[str], edition: int | None) -> None:
    """Check that a bundle's measurements are those of this version.

    Parameters
    ----------
    names
        Full feature names that its head reads; a network's own log-odds are no measurement.
    edition
        What its manifest states; None where it states none, as the oldest do.

    Raises
    ------
    FeatureError
        If it was fitted to measurements of another edition.
    """
    if edition != EDITION and set(names) != {EMBEDDING}:
        stated = f"edition {edition}" if edition is not None else "an earlier edition"
        raise FeatureError(
            f"the model was fitted to measurements of {stated}, and this version makes those of edition {EDITION}: "
            "install the version that the model names, or train it again"
        )


def row(names: Sequence[str], values: Mapping[str, float]) -> NDArray[np.float64]:
    """Put named values in a bundle's order.

    Parameters
    ----------
    names
        Full feature names in the bundle's order.
    values
        Measured values by full name; more than needed is fine.

    Returns
    -------
    (names,) float64.

    Raises
    ------
    FeatureError
        If a name is missing: a silent zero would be a silent wrong verdict.

    Examples
    --------
    >>> row(["b.y", "a.x"], {"a.x": 1.0, "b.y": 2.0, "c.z": 3.0})
    array([2., 1.])
    """
    missing = [name for name in names if name not in values]
    if missing:
        raise FeatureError(
            f"the model needs {len(missing)} features that this version does not measure ({missing[0]}, …): "
            "install the version that the model names, or train it again"
        )
    return np.array([values[name] for name in names], np.float64)
