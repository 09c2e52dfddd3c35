"""Noise: what remains when the subject is filtered away, how it is distributed and how evenly it lies."""

from __future__ import annotations

import cv2
import numpy as np

from aiforensics.analyzers.numerics import (
    Plane,
    block_mean,
    correlation,
    correlation_of,
    covariance,
    feature_specs,
    filtered,
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

SQUARE = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], np.float32) / 4.0
"""The 3×3 predictor of Ker and Böhme; its response to white noise of deviation σ is 1.5 σ."""
KV = (
    np.array(
        [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]],
        np.float32,
    )
    / 12.0
)
"""The 5×5 predictor of Fridrich and Kodovský 2012, doi:10.1109/TIFS.2012.2190402."""
SECOND = np.array([[1, -2, 1]], np.float32) / 2.0
THIRD = np.array([[1, -3, 3, -1]], np.float32) / 3.0
_KERNELS = (("kv", "5×5 predictor", KV), ("second", "second difference", SECOND), ("third", "third difference", THIRD))


class Noise:
    """Residuals of fixed high-pass filters, neighbouring-pixel residuals, and noise over brightness and place.

    Source: Fridrich and Kodovský, "Rich Models for Steganalysis", 2012, doi:10.1109/TIFS.2012.2190402
    (kernels and co-occurrence of truncated residuals); Tan et al., "Rethinking the Up-Sampling Operations …", CVPR
    2024, arXiv 2312.10461 (neighbouring-pixel residual); Donoho and Johnstone 1994,
    doi:10.1093/biomet/81.3.425 (noise level from the median of the finest diagonal wavelet coefficients); Foi et al.
    2008, doi:10.1109/TIP.2008.2001399 (noise against brightness).
    """

    name = "noise"
    card = Card(
        title="Noise residual",
        looks_for="The fine grain left when the subject is filtered away. A sensor's grain follows brightness in a "
        "regular way (it grows in raw data and often falls in developed pictures); some generators leave less of it, "
        "or grain that follows the subject. Neither its strength nor its evenness tells the two apart alone.",
        fooled_by="Denoising in phones removes real grain; film-grain effects and re-photographed screens add it to "
        "generated pictures. Compression and resizing replace it by their own residue.",
        ignore_when="The picture was strongly compressed or shrunk, or much of it is clipped to black or white.",
        source="Fridrich 2012, doi:10.1109/TIFS.2012.2190402; Tan 2024, arXiv 2312.10461; Foi 2008, "
        "doi:10.1109/TIP.2008.2001399",
        map_key="Dark to bright: mean residual of each 8×8 block, from 0.1 to 30 grey levels, logarithmic; of mere "
        "grain it is 1.2 times the deviation. Rough subjects are bright in every picture.",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            ("square_level", "log10 grey levels", "deviation of the residual of the 3×3 predictor"),
            ("square_shape", "1", "shape of the distribution of the 3×3 predictor's residual; lower has heavier tails"),
            *(
                row
                for short, text, _ in _KERNELS
                for row in (
                    (f"{short}_level", "log10 ratio", f"deviation of the {text} residual against the 3×3 predictor's"),
                    (f"{short}_shape", "1", f"shape of the distribution of the {text} residual"),
                )
            ),
            *(
                row
                for short, text in (("square", "3×3 predictor"), ("second", "second difference"))
                for row in (
                    (f"{short}_calm", "share", f"neighbouring residuals of the {text} that are both small"),
                    (f"{short}_same", "share", f"neighbouring residuals of the {text} that are large with one sign"),
                    (f"{short}_flip", "share", f"neighbouring residuals of the {text} that are large, signs opposed"),
                )
            ),
            ("npr_level", "log10 ratio", "neighbouring-pixel residual against the 3×3 predictor's"),
            ("npr_shape", "1", "shape of the distribution of neighbouring-pixel residuals"),
            ("npr_zero", "share", "neighbouring-pixel residuals below half a grey level"),
            ("npr_likeness", "correlation", "residuals to the right and down within a 2×2 cell"),
            ("npr_cell_x", "log10 ratio", "horizontal steps inside 2-pixel cells against steps between them"),
            ("npr_cell_y", "log10 ratio", "vertical steps inside 2-pixel cells against steps between them"),
            ("npr_diagonal", "log10 ratio", "diagonal detail of 2×2 cells against their steps"),
            (
                "level",
                "log10 grey levels",
                "noise level by the median of diagonal wavelet coefficients; fine texture counts as noise",
            ),
            ("tail", "log10 ratio", "deviation of diagonal wavelet coefficients against the noise level"),
            ("kurtosis", "log10", "kurtosis of diagonal wavelet coefficients"),
            ("light_slope", "log10 per white", "growth of the noise of calm blocks from black to white"),
            ("light_link", "correlation", "noise and brightness of calm blocks"),
            ("uneven", "log10", "spread of the noise level over blocks"),
            ("uneven_calm", "log10", "spread of the noise level over calm blocks"),
            ("quiet_tail", "log10 ratio", "noise that a tenth of the blocks stay under, against the median block's"),
            ("loud_tail", "log10 ratio", "noise that a tenth of the blocks exceed, against the median block's"),
            ("texture_link", "correlation", "noise and contrast of blocks"),
            ("link_rg", "correlation", "residuals of red and green"),
            ("link_gb", "correlation", "residuals of green and blue"),
            ("link_rb", "correlation", "residuals of red and blue"),
            ("red_level", "log10 ratio", "residual of red against green"),
            ("blue_level", "log10 ratio", "residual of blue against green"),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Mean over windows of the noise statistics."""
        return pool(self.name, exhibit, _measure)

    def map(self, window: Window) -> Pixels:
        """Noise level of 8×8 blocks from 0.1 (dark) to 30 grey levels (bright), on a logarithmic scale."""
        height, width = window.pixels.shape[:2]
        level = np.log10(block_mean(np.abs(filtered(window.luma, SQUARE)), 8) + 0.05)
        return heat(level, -1.0, 1.5, (height, width))


def _measure(window: Window) -> dict[str, float]:
    luma = window.luma
    square = filtered(luma, SQUARE)
    deviation = mean_square(square) ** 0.5
    values = {"square_level": log10(deviation, 0.02), "square_shape": moment_ratio(square)}
    both_ways = filtered(luma, KV)
    residuals = {"kv": (both_ways, both_ways)}
    for short, _, kernel in _KERNELS[1:]:
        residuals[short] = (filtered(luma, kernel), filtered(luma, np.ascontiguousarray(kernel.T)))
    for short, (across, down) in residuals.items():
        energy = (mean_square(across) + mean_square(down)) / 2.0
        values[f"{short}_level"] = log_ratio(energy**0.5, deviation, 0.05)
        values[f"{short}_shape"] = (moment_ratio(across) + moment_ratio(down)) / 2.0
    values |= _pairs("square", square, square) | _pairs("second", *residuals["second"])
    return values | _cells(luma, deviation) | _channels(window.pixels)


def _pairs(short: str, across: Plane, down: Plane) -> dict[str, float]:
    """Co-occurrence of the residual, truncated to -1, 0 and 1 at its own mean magnitude, with its neighbour.

    The threshold follows the residual, so that the shares say how it is arranged and not how strong it is.
    """
    right = _truncated(across)
    below = right if down is across else _truncated(down)
    counts = histogram(right[:, :-1] * np.uint8(3) + right[:, 1:])[:9].reshape(3, 3)
    counts += histogram(below[:-1] * np.uint8(3) + below[1:])[:9].reshape(3, 3)
    counts /= counts.sum()
    return {
        f"{short}_calm": float(counts[1, 1]),
        f"{short}_same": float(counts[0, 0] + counts[2, 2]),
        f"{short}_flip": float(counts[0, 2] + counts[2, 0]),
    }


def _truncated(plane: Plane) -> Pixels:
    """(h, w) uint8: 0 where the residual is strong and negative, 2 where it is strong and positive, 1 between."""
    threshold = max(mean_abs(plane), 0.1)
    level = (plane > threshold).view(np.uint8)
    level += np.uint8(1)
    level -= (plane < -threshold).view(np.uint8)
    return level


def _cells(luma: Plane, deviation: float) -> dict[str, float]:
    """Neighbouring-pixel residuals within 2×2 cells, and the noise level from the cells' diagonal coefficients."""
    luma = luma[: luma.shape[0] // 2 * 2, : luma.shape[1] // 2 * 2]
    a, b = np.ascontiguousarray(luma[0::2, 0::2]), np.ascontiguousarray(luma[0::2, 1::2])
    c, d = np.ascontiguousarray(luma[1::2, 0::2]), np.ascontiguousarray(luma[1::2, 1::2])
    right, down = b - a, c - a
    step_x, step_y = (mean_abs(right) + mean_abs(d - c)) / 2.0, (mean_abs(down) + mean_abs(d - b)) / 2.0
    diagonal = (d - b - c + a) / 2.0
    size = np.abs(diagonal)
    level = float(np.median(size)) / 0.6745
    return {
        "npr_level": log_ratio((step_x + step_y) / 2.0, deviation, 0.05),
        "npr_shape": (moment_ratio(right) + moment_ratio(down)) / 2.0,
        "npr_zero": (share_of(np.abs(right) < 0.5) + share_of(np.abs(down) < 0.5)) / 2.0,
        "npr_likeness": correlation(right, down),
        "npr_cell_x": log_ratio(step_x, mean_abs(a[:, 1:] - b[:, :-1]), 0.05),
        "npr_cell_y": log_ratio(step_y, mean_abs(a[1:] - c[:-1]), 0.05),
        "npr_diagonal": log_ratio(2.0 * mean_abs(diagonal), step_x + step_y, 0.05),
        "level": log10(level, 0.02),
        "tail": log_ratio(mean_square(diagonal) ** 0.5, level, 0.1),
        "kurtosis": log_kurtosis(diagonal),
        **_blocks(luma, size),
    }


def _blocks(luma: Plane, diagonal: Plane) -> dict[str, float]:
    """Noise of 8×8 blocks against their brightness, contrast and place; calm blocks have at most the median contrast.

    The contrast is that of the four quarters of a block, so that noise itself hardly enters it.
    """
    noise = np.log10(block_mean(diagonal, 4) / 0.8 + 0.05).ravel()
    quarters = block_mean(luma, 4)
    light = block_mean(luma, 8)
    contrast = np.sqrt(np.maximum(block_mean(quarters * quarters, 2) - light * light, 0.0))
    calm = (contrast <= np.median(contrast)).ravel()
    still, shade = noise[calm], light.ravel()[calm] / 255.0
    link = correlation(still, shade)
    ordered = np.sort(noise)
    middle = float(ordered[len(ordered) // 2])
    return {
        "light_slope": float(np.clip(link * still.std() / max(float(shade.std()), 0.02), -10.0, 10.0)),
        "light_link": link,
        "uneven": float(noise.std()),
        "uneven_calm": float(still.std()),
        "quiet_tail": float(ordered[len(ordered) // 10]) - middle,
        "loud_tail": float(ordered[9 * len(ordered) // 10]) - middle,
        "texture_link": correlation(noise, np.log10(contrast + 0.5)),
    }


def _channels(pixels: Pixels) -> dict[str, float]:
    """Levels and correlations of the 3×3 predictor's residual in red, green and blue."""
    moments = covariance([filtered(plane.astype(np.float32), SQUARE) for plane in cv2.split(pixels)])
    red, green, blue = np.sqrt(np.maximum(np.diag(moments), 0.0))
    return {
        "link_rg": correlation_of(moments, 0, 1),
        "link_gb": correlation_of(moments, 1, 2),
        "link_rb": correlation_of(moments, 0, 2),
        "red_level": log_ratio(red, green, 0.05),
        "blue_level": log_ratio(blue, green, 0.05),
    }
