"""How far a set of pictures lies from another: Fréchet distance of embeddings by our own network.

The form is that of FID (Heusel et al., NeurIPS 2017, arXiv 1706.08500); the embedding is a bundle's, so that figures
compare only with figures of the same bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiforensics.image import from_array
from aiforensics_models.bundle import Bundle
from aiforensics_models.runtime import Network

Floats = NDArray[np.float64]

LEAST = 16
"""Pictures of each kind that a distance takes at least."""


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance and what it means.

    Attributes
    ----------
    value
        Fréchet distance of half of the made pictures from half of the real ones; 0 for equal distributions.
    floor
        The same between two such halves of the real pictures: what sampling alone gives.
    made, real
        Number of pictures.
    half
        Pictures of each half. The distance of two samples falls with their size, so all halves are of one size.
    model
        Name of the bundle whose network embeds.
    dimension
        Numbers of an embedding.
    """

    value: float
    floor: float
    made: int
    real: int
    half: int
    model: str
    dimension: int

    @property
    def noisy(self) -> bool:
        """Whether each half has too few pictures for a covariance of full rank, which takes more than `dimension`."""
        return self.half <= self.dimension


def picture_distance(made: NDArray[np.uint8], real: NDArray[np.uint8], model: str | Path = "default") -> Distance:
    """Measure how far made pictures lie from real ones.

    Parameters
    ----------
    made, real
        (n, h, w, 3) uint8, RGB, of one size, in random order; at least `LEAST` of each.
    model
        The bundle whose network embeds; embeddings are standardised by the real pictures.

    Raises
    ------
    aiforensics_models.bundle.BundleError
        If there is no such bundle.
    """
    bundle = Bundle.load(model)
    network = bundle.network("cpu")
    ours, theirs = embed(network, made), embed(network, real)
    scale = theirs.std(axis=0) + 1e-6
    ours, theirs = ours / scale, theirs / scale
    half = min(len(ours), len(theirs)) // 2
    value, floor = (frechet(other, theirs[:half]) for other in (ours[:half], theirs[half : 2 * half]))
    return Distance(value, floor, len(made), len(real), half, bundle.name, ours.shape[1])


def embed(network: Network, pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> Floats:
    """(n, dimension) embeddings of the first window of each picture."""
    return np.stack([network(from_array(one).windows[0].pixels).embedding.astype(np.float64) for one in pictures])


def frechet(a: Floats, b: Floats) -> float:
    """Fréchet distance of two normal distributions fitted to (n, d) and (m, d).

    |μa - μb|² + tr(Σa + Σb - 2 (Σa^½ Σb Σa^½)^½); never below 0.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(500, 3))
    >>> round(frechet(x, x), 6), round(frechet(x, x + 2.0), 6)
    (0.0, 12.0)
    """
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = _root(np.atleast_2d(first))
    cross = root @ np.atleast_2d(second) @ root
    shared = np.sqrt(np.clip(np.linalg.eigvalsh((cross + cross.T) / 2), 0, None)).sum()
    moved = float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum())
    return max(0.0, moved + float(np.trace(np.atleast_2d(first)) + np.trace(np.atleast_2d(second)) - 2 * shared))


def _root(matrix: Floats) -> Floats:
    """Symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)
