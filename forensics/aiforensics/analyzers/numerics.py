"""The small numerical words that the analyzers share: bounded logarithms, shapes of distributions, block means.

Everything works on `float32` planes of at most a window and accumulates in double precision; every result is finite,
also for constant pictures, because ratios and logarithms have floors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.protocol import Exhibit, Pixels, mean_over_windows
from aiforensics.evidence import FeatureSpec
from aiforensics.image import Window

Plane = NDArray[np.float32]
"""(h, w) float32."""

GAUSSIAN_SHAPE = 2.0 / math.pi
"""The moment ratio of a Gaussian, which stands in where nothing varies."""


def feature_specs(analyzer: str, rows: Iterable[tuple[str, str, str]]) -> tuple[FeatureSpec, ...]:
    """Specs from rows of short name, unit and meaning."""
    return tuple(FeatureSpec(f"{analyzer}.{name}", unit, meaning) for name, unit, meaning in rows)


def pool(analyzer: str, exhibit: Exhibit, measure: Callable[[Window], Mapping[str, float]]) -> dict[str, float]:
    """Full names against the mean over windows of what `measure` says under short names."""
    return {f"{analyzer}.{name}": value for name, value in mean_over_windows(exhibit, measure).items()}


def grey(window: Window) -> Pixels:
    """(h, w) uint8: luma of ITU-R BT.601 rounded to whole grey levels."""
    return np.asarray(cv2.cvtColor(window.pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def filtered(plane: NDArray[Any], kernel: Plane) -> Plane:
    """Correlation with a kernel, reflected at the border, as float32."""
    return np.asarray(cv2.filter2D(plane, cv2.CV_32F, kernel), np.float32)


def block_mean(plane: Plane, size: int) -> Plane:
    """(h // size, w // size) means over size × size blocks; an incomplete last row or column of blocks is left out."""
    rows, columns = plane.shape[0] // size, plane.shape[1] // size
    whole = plane[: rows * size, : columns * size]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def phase_means(plane: Plane, period: int) -> NDArray[np.float64]:
    """(period, period) means of the pixels at each phase of a square lattice."""
    rows, columns = plane.shape[0] // period, plane.shape[1] // period
    whole = np.ascontiguousarray(plane[: rows * period, : columns * period])
    folded = cv2.reduce(whole.reshape(rows, -1), 0, cv2.REDUCE_SUM, dtype=cv2.CV_64F)
    sums = np.asarray(folded, np.float64).reshape(period, columns, period).sum(1)
    return np.asarray(sums / (rows * columns), np.float64)


def mean_abs(plane: NDArray[Any]) -> float:
    """Mean magnitude."""
    return float(cv2.norm(plane, cv2.NORM_L1)) / plane.size


def share_of(mask: NDArray[np.bool_]) -> float:
    """Share of a mask that is set; counting is many times faster than the mean of booleans, and as exact."""
    return int(np.count_nonzero(mask)) / mask.size


def mean_square(plane: NDArray[Any]) -> float:
    """Mean square."""
    return float(cv2.norm(plane, cv2.NORM_L2SQR)) / plane.size


def moment_ratio(plane: NDArray[Any]) -> float:
    """Shape of a zero-mean distribution, E|x|² / E[x²]: 0.64 Gaussian, 0.5 Laplacian, lower with heavier tails.

    The statistic from which the shape of a generalised Gaussian is estimated (Mallat 1989, doi:10.1109/34.192463).
    """
    energy = mean_square(plane)
    return GAUSSIAN_SHAPE if energy < 1e-6 else mean_abs(plane) ** 2 / energy


def log_kurtosis(plane: Plane) -> float:
    """log10 of E[x⁴] / E[x²]²: 0.48 Gaussian, 0.78 Laplacian; 0.48 where nothing varies."""
    energy = mean_square(plane)
    return math.log10(3.0) if energy < 1e-6 else log10(mean_square(plane * plane) / energy**2, 1.0)


def log10(value: float, floor: float) -> float:
    """Decimal logarithm of a value that is raised to a floor."""
    return math.log10(max(float(value), floor))


def binary_entropy(p: NDArray[np.float64] | np.float64 | float) -> NDArray[np.float64]:
    """Entropy in bits of probabilities inside (0, 1) and their counterparts."""
    p = np.asarray(p, np.float64)
    return np.asarray(-(p * np.log2(p) + (1.0 - p) * np.log2(1.0 - p)), np.float64)


def log_ratio(above: float, below: float, floor: float = 1e-3) -> float:
    """log10 of a ratio whose two sides have the floor added; 0 when both are far below it."""
    return math.log10((float(above) + floor) / (float(below) + floor))


def entropy(counts: NDArray[Any]) -> float:
    """Shannon entropy of a histogram in bits."""
    shares = np.asarray(counts, np.float64).ravel()
    shares = shares[shares > 0] / max(float(shares.sum()), 1.0)
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Pearson correlation; 0 where either side is constant."""
    x, y = _centred(a), _centred(b)
    # OpenCV's norm and mean accumulate in double on one thread: the result does not depend on the number of threads.
    scale = math.sqrt(mean_square(x) * mean_square(y))
    return float(np.clip(cv2.mean(np.multiply(x, y, out=x))[0] / scale, -1.0, 1.0)) if scale > 1e-8 else 0.0


def _centred(values: NDArray[Any]) -> Plane:
    """(1, n) float32 copy less its mean."""
    flat = np.array(values, np.float32, order="C").reshape(1, -1)
    flat -= flat.mean()
    return flat


def covariance(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """(n, n) covariance of n contiguous planes of one shape."""
    means = np.array([cv2.mean(plane)[0] for plane in planes])
    moments = np.empty((len(planes), len(planes)))
    for i, first in enumerate(planes):
        for j, second in enumerate(planes[: i + 1]):
            moments[i, j] = moments[j, i] = cv2.mean(first * second)[0]
    return np.asarray(moments - np.outer(means, means), np.float64)


def correlation_of(covariances: NDArray[np.float64], i: int, j: int) -> float:
    """Correlation of channels i and j from their covariance matrix; 0 where either is constant."""
    scale = math.sqrt(max(float(covariances[i, i] * covariances[j, j]), 0.0))
    return float(np.clip(covariances[i, j] / scale, -1.0, 1.0)) if scale > 1e-2 else 0.0


def histogram(values: Pixels) -> NDArray[np.float64]:
    """(256,) counts of the values of a uint8 array."""
    return np.asarray(cv2.calcHist([values], [0], None, [256], [0.0, 256.0]), np.float64).ravel()


def quantile_of(counts: NDArray[np.float64], share: float) -> int:
    """Smallest value at or below which a share of a histogram lies."""
    cumulated = np.cumsum(counts)
    return int(np.searchsorted(cumulated, share * cumulated[-1]))


def heat(plane: Plane, low: float, high: float, shape: tuple[int, int]) -> Pixels:
    """(h, w, 3) uint8 RGB heat map of `shape`, dark at `low` and bright at `high`.

    A value of `plane` stands for a square of as many pixels as go into the shape; its last row and column also for what
    is left over.
    """
    scaled = np.clip((plane - low) * (255.0 / max(high - low, 1e-6)), 0.0, 255.0).astype(np.uint8)
    large = over_blocks(scaled, shape)
    coloured = cv2.applyColorMap(large, cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), np.uint8)


def over_blocks(values: Pixels, shape: tuple[int, int]) -> Pixels:
    """(rows, columns) values of square blocks → (h, w): each over its block, the last also over what is left over.

    Examples
    --------
    >>> over_blocks(np.array([[1, 2]], np.uint8), (2, 5)).tolist()
    [[1, 1, 2, 2, 2], [1, 1, 2, 2, 2]]
    """
    block = min(whole // part for whole, part in zip(shape, values.shape, strict=True))
    large = np.kron(values, np.ones((block, block), np.uint8))
    rest = [(0, whole - part) for whole, part in zip(shape, large.shape, strict=True)]
    return np.asarray(np.pad(large, rest, mode="edge"), np.uint8)
