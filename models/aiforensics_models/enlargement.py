"""How many times larger a picture is than the detail that it holds.

Enlarging a picture spreads the traces of its making over more pixels, where neither measurements nor network look for
them, and leaves the finest frequencies empty (Feng, Cox & Doërr 2012, "Normalized energy density-based forensic
detection of resampled images", doi:10.1109/TMM.2012.2191946). A perceptron over the measurements, fitted on pictures
that were enlarged by a known factor, estimates by how much; what is examined then is the picture reduced by as much.
Blur does the same, and noise hides the finest detail: both count as an enlargement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.perceptron import Perceptron

MOST = 4.0
"""Factor above which no estimate is trusted: the largest that one is fitted on."""


@dataclass(frozen=True, slots=True)
class Enlargement:
    """An estimator.

    Attributes
    ----------
    perceptron
        From a row of measurements to the binary logarithm of the factor.
    least
        Factor below which a picture counts as good as its size: small ones are told from none with many errors.
    names
        Full names of the measurements of a row, in order.
    """

    perceptron: Perceptron
    least: float
    names: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path, entry: Mapping[str, Any], names: Sequence[str]) -> Enlargement:
        """Open the estimator that a bundle's manifest describes.

        Parameters
        ----------
        folder
            The bundle's folder.
        entry
            `file`, and `from`, the least factor that counts.
        names
            Of the measurements in the bundle's row, in order.

        Raises
        ------
        ValueError
            If it reads another number of measurements.
        """
        perceptron = Perceptron.load(folder / entry["file"], ["measurements"] * len(names))
        return cls(perceptron, float(entry["from"]), tuple(names))

    @property
    def sum(self) -> str:
        """Hexadecimal sha256 of all that its answers depend on."""
        layers = [array for layer in self.perceptron.layers for array in layer]
        parts = [self.perceptron.centre, self.perceptron.scale, *layers, np.array(self.least)]
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    def __call__(self, row: NDArray[np.float64]) -> float:
        """(names,) measurements of a picture as it is → the factor, from 1 to `MOST`."""
        return float(2.0 ** np.clip(self.perceptron.margin(row[None])[0], 0.0, np.log2(MOST)))
