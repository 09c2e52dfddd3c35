"""Error level analysis: what a picture loses when it is saved once more as JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from aiforensics.analyzers.numerics import (
    Plane,
    block_mean,
    correlation,
    feature_specs,
    grey,
    heat,
    histogram,
    log10,
    log_ratio,
    pool,
    quantile_of,
)
from aiforensics.analyzers.protocol import Exhibit, Pixels
from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window

QUALITIES = (95, 85, 75)
"""JPEG qualities (IJG scale) of the re-saves."""


class ErrorLevel:
    """The error of in-memory JPEG re-saves of the luma: its level, its distribution and how evenly blocks carry it.

    Source: N. Krawetz, "A Picture's Worth: Digital Image Analysis and Forensics", Black Hat 2007 (error
    level analysis); block statistics after H. Farid, "Exposing Digital Forgeries from JPEG Ghosts", 2009,
    doi:10.1109/TIFS.2008.2012215.
    """

    name = "ela"
    card = Card(
        title="Error level analysis",
        looks_for="How much each part of the picture changes when it is saved again as JPEG. A camera's JPEG changes "
        "little and evenly for its texture; parts that were put in later may change more than their surroundings.",
        fooled_by="Sharp edges, text and borders between strong colours change most, whoever made the picture. The "
        "last save sets the level: what was saved before at about the same quality hardly changes, and saving an edit "
        "once more can hide it.",
        ignore_when="The picture was sent through a messenger or social network, is small, or only edges light up.",
        source="Krawetz, Black Hat 2007; Farid, JPEG ghosts, doi:10.1109/TIFS.2008.2012215",
        map_key="Dark to bright: how much the colours of a place change in a re-save as JPEG of quality 90, from 0 to "
        "16 grey levels, logarithmic. Edges are brightest in most pictures; one saved before at that quality is dark "
        "all over. A bright place is no sign of AI by itself.",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            ("mean_error", "grey levels", "mean error over re-saves at quality 95, 85 and 75"),
            *(
                (f"level_{q}", "log10 grey levels", f"level of the error of a re-save at quality {q}")
                for q in QUALITIES
            ),
            *((f"spread_{q}", "ratio", f"deviation of the error at quality {q} against its mean") for q in (95, 85)),
            *(
                (f"block_spread_{q}", "log10 ratio", f"unevenness of the error at quality {q} over 8×8 blocks")
                for q in (95, 85)
            ),
            ("unchanged_95", "share", "pixels that a re-save at quality 95 leaves as they are"),
            ("ratio_85_95", "log10 ratio", "error at quality 85 against quality 95"),
            ("ratio_75_85", "log10 ratio", "error at quality 75 against quality 85"),
            ("tail", "log10 ratio", "99th percentile of the error at quality 85 against its mean"),
            ("block_tail", "log10 ratio", "blocks of strong error (95th percentile) against the median block"),
            ("cluster", "correlation", "likeness of the error of neighbouring blocks at quality 85"),
            ("texture", "correlation", "how far the contrast of a block explains its error at quality 85"),
            ("unexplained", "log10 ratio", "spread of the block error that its contrast does not explain"),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Mean over windows of the error statistics."""
        return pool(self.name, exhibit, _measure)

    def map(self, window: Window) -> Pixels:
        """Colour error of a re-save at quality 90, smoothed over 3 pixels, on a logarithmic heat scale."""
        bgr = cv2.cvtColor(window.pixels, cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        again = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        error = np.asarray(cv2.blur(cv2.absdiff(bgr, again).astype(np.float32).mean(2), (3, 3)), np.float32)
        height, width = window.pixels.shape[:2]
        return heat(np.log1p(error), 0.0, float(np.log1p(16.0)), (height, width))


def resave_error(luma: Pixels, quality: int) -> Pixels:
    """(h, w) uint8 magnitude of the change when a grey picture is saved as JPEG and read again."""
    data = cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    again = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.asarray(cv2.absdiff(luma, again), np.uint8)


def _measure(window: Window) -> dict[str, float]:
    luma = grey(window)
    levels = np.arange(256)
    values: dict[str, float] = {}
    means: list[float] = []
    for q in QUALITIES:
        error = resave_error(luma, q)
        counts = histogram(error)
        total = counts.sum()
        mean = float((counts * levels).sum() / total)
        values[f"level_{q}"] = log10(mean, 0.01)
        means.append(mean)
        if q == 75:
            continue
        square = float((counts * levels**2).sum() / total)
        blocks = block_mean(error.astype(np.float32), 8)
        values[f"spread_{q}"] = min(max(square - mean**2, 0.0) ** 0.5 / max(mean, 0.05), 10.0)
        values[f"block_spread_{q}"] = log_ratio(float(blocks.std()), mean, 0.02)
        if q == 95:
            values["unchanged_95"] = float(counts[0] / total)
        else:
            values["tail"] = log_ratio(quantile_of(counts, 0.99), mean, 0.1)
            values |= _blocks(blocks, window.luma)
    values["mean_error"] = sum(means) / len(means)
    values["ratio_85_95"] = log_ratio(means[1], means[0], 0.05)
    values["ratio_75_85"] = log_ratio(means[2], means[1], 0.05)
    return values


def _blocks(error: Plane, luma: Plane) -> dict[str, float]:
    """How the error of 8×8 blocks is spread, how it clusters, and what the contrast of the blocks explains of it."""
    level = np.log10(error + 0.1)
    mean = block_mean(luma, 8)
    contrast = np.log10(np.sqrt(np.maximum(block_mean(luma * luma, 8) - mean * mean, 0.0)) + 0.5)
    ordered = np.sort(error, axis=None)
    texture = correlation(level, contrast)
    beside = correlation(level[:, 1:], level[:, :-1])
    below = correlation(level[1:], level[:-1])
    return {
        "block_tail": log_ratio(float(ordered[int(0.95 * len(ordered))]), float(ordered[len(ordered) // 2]), 0.1),
        "cluster": (beside + below) / 2.0,
        "texture": texture,
        "unexplained": log10(float(level.std()) * max(1.0 - texture**2, 0.0) ** 0.5, 1e-3),
    }
