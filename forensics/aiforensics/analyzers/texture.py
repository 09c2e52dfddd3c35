"""Texture: local patterns, co-occurring grey levels, local entropy and the statistics of edges."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.numerics import (
    Plane,
    block_mean,
    correlation,
    entropy,
    feature_specs,
    grey,
    heat,
    histogram,
    log10,
    log_kurtosis,
    log_ratio,
    mean_abs,
    mean_square,
    moment_ratio,
    pool,
    share_of,
)
from aiforensics.analyzers.protocol import Exhibit, Pixels
from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window

GREYS = 32
"""Grey levels of the co-occurrence matrix."""
_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))


def _pattern_of_code() -> NDArray[np.intp]:
    """(256,) class of each 8-bit ring: 0–8 ones in one run, or 9 for more than two changes around the ring."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(1)
    return np.where(changes <= 2, bits.sum(1), 9)


_PATTERNS = _pattern_of_code()
_LEVELS = np.arange(GREYS, dtype=np.float64)
_STEP = _LEVELS[:, None] - _LEVELS[None, :]


class Texture:
    """Local binary patterns at two distances, grey-level co-occurrence, entropy, derivatives and coherence.

    Source: Ojala et al. 2002, doi:10.1109/TPAMI.2002.1017623 (uniform rotation-invariant patterns, on
    the square ring of 8 neighbours); Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314 (co-occurrence); Mittal et
    al. 2012, doi:10.1109/TIP.2012.2214050 (normalised luminance); Bigün and Granlund 1987 (coherence).
    """

    name = "texture"
    card = Card(
        title="Texture statistics",
        looks_for="How often each small pattern of lighter and darker neighbours occurs, how smoothly grey levels "
        "follow one another, and how strong and how aligned edges are. Some generators are too smooth in places and "
        "too regular in others.",
        fooled_by="Beauty filters, denoising in phones, heavy compression and upscaling smooth real pictures alike; "
        "the subject itself (sky, grass, print) moves every number.",
        ignore_when="The picture is mostly flat or out of focus, strongly compressed, or a drawing.",
        source="Ojala 2002, doi:10.1109/TPAMI.2002.1017623; Haralick 1973, doi:10.1109/TSMC.1973.4309314; Mittal "
        "2012, doi:10.1109/TIP.2012.2214050",
        map_key="Dark to bright: how each 16×16 block spreads over 16 grey levels, from 0 to 4 bits. Texture, edges "
        "and steep shading are bright, plain sky and walls dark in every picture; a grain is brighter where it "
        "crosses from one level to the next.",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            *(
                row
                for r in (1, 2)
                for row in (
                    *(
                        (
                            f"lbp{r}_{k}",
                            "share",
                            f"pixels with {k} of 8 neighbours at distance {r} not darker, in one run",
                        )
                        for k in range(9)
                    ),
                    (f"lbp{r}_mixed", "share", f"pixels whose neighbours at distance {r} alternate"),
                    (f"lbp{r}_entropy", "bits", f"variety of the 256 patterns at distance {r}"),
                )
            ),
            ("glcm_contrast", "log10 levels²", "squared step between neighbours in 32 grey levels"),
            ("glcm_homogeneity", "1", "share of small steps between neighbours, weighted by closeness"),
            ("glcm_energy", "log10", "how few pairs of grey levels make up the picture"),
            ("glcm_correlation", "correlation", "likeness of neighbouring grey levels"),
            ("glcm_entropy", "bits", "variety of the pairs of grey levels"),
            ("glcm_direction", "log10 ratio", "largest against smallest contrast of four directions"),
            ("entropy_mean", "bits", "mean entropy of 16 grey levels over blocks of 16×16 pixels"),
            ("entropy_spread", "bits", "spread over blocks of the entropy of 16 grey levels"),
            ("slope_shape", "1", "shape of the distribution of first differences; lower has heavier tails"),
            ("slope_kurtosis", "log10", "kurtosis of first differences"),
            ("slope_zero", "share", "neighbours of equal grey level"),
            ("slope_level", "log10 grey levels", "mean magnitude of first differences"),
            ("bend_shape", "1", "shape of the distribution of second differences"),
            ("bend_ratio", "log10 ratio", "second against first differences: fineness of the detail"),
            ("upright", "log10 ratio", "horizontal against vertical differences"),
            ("edge_share", "share", "pixels whose gradient is over four times the mean"),
            ("coherence_mean", "1", "how far gradients in a block agree in direction"),
            ("coherence_spread", "1", "spread over blocks of how far gradients agree in direction"),
            ("mscn_shape", "1", "shape of the luminance normalised by its surroundings"),
            ("mscn_level", "log10", "variance of the normalised luminance"),
            ("mscn_beside", "correlation", "normalised luminance of horizontal and vertical neighbours"),
            ("mscn_oblique", "correlation", "normalised luminance of diagonal neighbours"),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Mean over windows of the texture statistics."""
        return pool(self.name, exhibit, _measure)

    def map(self, window: Window) -> Pixels:
        """Entropy of 16 grey levels over 16×16 blocks: bright where the texture is rich, dark where it is smooth."""
        height, width = window.pixels.shape[:2]
        return heat(_block_entropy(grey(window)), 0.0, 4.0, (height, width))


def local_patterns(luma: Pixels, radius: int) -> NDArray[np.float64]:
    """(256,) counts of the codes whose bit k says that neighbour k of the square ring is not darker than the pixel."""
    height, width = luma.shape
    # Rows end to end, so that every comparison is one run over memory; pixels at the sides, whose neighbours would be
    # those of another row, are left out at the end.
    flat = luma.ravel()
    first, last = radius * width + radius, (height - radius) * width - radius
    centre = flat[first:last]
    code = np.zeros(height * width, np.uint8)
    inner = code[first:last]
    bits = np.empty(centre.shape, np.bool_)
    for bit, (dy, dx) in enumerate(_RING):
        step = radius * (dy * width + dx)
        np.greater_equal(flat[first + step : last + step], centre, out=bits)
        inner |= bits.view(np.uint8) * np.uint8(1 << bit)  # a product is vectorised, a shift is not
    return histogram(code.reshape(height, width)[radius : height - radius, radius : width - radius])


def cooccurrence(luma: Pixels, dy: int, dx: int) -> NDArray[np.float64]:
    """(32, 32) symmetric probabilities of the grey levels of a pixel and of its neighbour at (dy, dx), dy ≥ 0."""
    height, width = luma.shape
    first = luma[: height - dy, max(0, -dx) : width - max(0, dx)]
    second = luma[dy:, max(0, dx) : width - max(0, -dx)]
    pairs = cv2.calcHist([first, second], [0, 1], None, [GREYS, GREYS], [0.0, 256.0, 0.0, 256.0])
    counts = np.asarray(pairs, np.float64)
    counts = counts + counts.T
    return np.asarray(counts / counts.sum(), np.float64)


def _measure(window: Window) -> dict[str, float]:
    luma = grey(window)
    values: dict[str, float] = {}
    for radius in (1, 2):
        codes = local_patterns(luma, radius)
        shares = np.bincount(_PATTERNS, codes, 10) / codes.sum()
        values |= {f"lbp{radius}_{k}": float(shares[k]) for k in range(9)}
        values[f"lbp{radius}_mixed"] = float(shares[9])
        values[f"lbp{radius}_entropy"] = entropy(codes)
    entropies = _block_entropy(luma)
    values["entropy_mean"] = float(entropies.mean())
    values["entropy_spread"] = float(entropies.std())
    return values | _pairs(luma) | _derivatives(luma.astype(np.float32)) | _normalised(window.luma)


def _pairs(luma: Pixels) -> dict[str, float]:
    tables = [cooccurrence(luma, dy, dx) for dy, dx in _DIRECTIONS]
    contrasts = [float((t * _STEP**2).sum()) for t in tables]
    mean = np.mean(tables, axis=0)
    edge = mean.sum(0)
    middle = float((edge * _LEVELS).sum())
    variance = float((edge * (_LEVELS - middle) ** 2).sum())
    # For a symmetric table E[(i - j)²] = 2 (variance - covariance).
    likeness = 1.0 - float(np.mean(contrasts)) / (2.0 * variance) if variance > 1e-6 else 0.0
    return {
        "glcm_contrast": log10(float(np.mean(contrasts)), 1e-4),
        "glcm_homogeneity": float((mean / (1.0 + _STEP**2)).sum()),
        "glcm_energy": log10(float((mean**2).sum()), 1e-6) / 2.0,
        "glcm_correlation": max(likeness, -1.0),
        "glcm_entropy": entropy(mean * 1e6),
        "glcm_direction": log_ratio(max(contrasts), min(contrasts), 1e-3),
    }


def _block_entropy(luma: Pixels) -> Plane:
    """(h // 16, w // 16) entropy in bits of 16 grey levels in each block of 16×16 pixels."""
    rows, columns = luma.shape[0] // 16, luma.shape[1] // 16
    whole, places = luma[: rows * 16, : columns * 16], _places(rows, columns)
    bins, borders = [rows * columns, 16], [0.0, float(rows * columns), 0.0, 256.0]
    counts = np.asarray(cv2.calcHist([places, whole], [0, 1], None, bins, borders), np.float64)
    shares = counts.reshape(rows, columns, 16) / 256.0
    return np.asarray(-(shares * np.log2(np.maximum(shares, 1e-12))).sum(2), np.float32) + np.float32(0.0)


@lru_cache(maxsize=32)
def _places(rows: int, columns: int) -> Pixels:
    """(16 rows, 16 columns) uint8: the running number of each pixel's block; a window has at most 256 of them."""
    numbers = np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)
    return np.repeat(np.repeat(numbers, 16, axis=0), 16, axis=1)


def _derivatives(luma: Plane) -> dict[str, float]:
    across, down = luma[:, 1:] - luma[:, :-1], luma[1:] - luma[:-1]
    bend_across, bend_down = across[:, 1:] - across[:, :-1], down[1:] - down[:-1]
    # Central differences: those to the next pixel share one, so that even noise would agree on a diagonal.
    gx, gy = (across[1:-1, 1:] + across[1:-1, :-1]) / 2.0, (down[1:, 1:-1] + down[:-1, 1:-1]) / 2.0
    xx, yy, xy = (np.asarray(p, np.float32) for p in (gx * gx, gy * gy, gx * gy))
    strength = np.sqrt(xx + yy)
    jxx, jyy, jxy = block_mean(xx, 8), block_mean(yy, 8), block_mean(xy, 8)
    # A noise of one grey level under the trace keeps flat blocks at zero coherence.
    coherence = np.sqrt((jxx - jyy) ** 2 + 4.0 * jxy**2) / (jxx + jyy + 1.0)
    slope = (mean_abs(across) + mean_abs(down)) / 2.0
    bend = (mean_abs(bend_across) + mean_abs(bend_down)) / 2.0
    return {
        "slope_shape": (moment_ratio(across) + moment_ratio(down)) / 2.0,
        "slope_kurtosis": (log_kurtosis(across) + log_kurtosis(down)) / 2.0,
        "slope_zero": (share_of(across == 0.0) + share_of(down == 0.0)) / 2.0,
        "slope_level": log10(slope, 0.01),
        "bend_shape": (moment_ratio(bend_across) + moment_ratio(bend_down)) / 2.0,
        "bend_ratio": log_ratio(bend, slope, 0.01),
        "upright": log_ratio(mean_abs(across), mean_abs(down), 0.01),
        "edge_share": share_of(strength > 4.0 * strength.mean() + 1e-3),
        "coherence_mean": float(coherence.mean()),
        "coherence_spread": float(coherence.std()),
    }


def _normalised(luma: Plane) -> dict[str, float]:
    """Statistics of luminance less its local mean, over its local deviation plus 1 (Mittal 2012)."""
    mean = cv2.GaussianBlur(luma, (7, 7), 7 / 6)
    square = cv2.GaussianBlur(luma * luma, (7, 7), 7 / 6)
    mscn = np.asarray((luma - mean) / (np.sqrt(np.maximum(square - mean * mean, 0.0)) + 1.0), np.float32)
    beside = correlation(mscn[:, 1:], mscn[:, :-1]) + correlation(mscn[1:], mscn[:-1])
    oblique = correlation(mscn[1:, 1:], mscn[:-1, :-1]) + correlation(mscn[1:, :-1], mscn[:-1, 1:])
    return {
        "mscn_shape": moment_ratio(mscn),
        "mscn_level": log10(mean_square(mscn), 1e-3),
        "mscn_beside": beside / 2.0,
        "mscn_oblique": oblique / 2.0,
    }
