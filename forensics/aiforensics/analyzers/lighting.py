"""Lighting: the direction and colour of the light part by part, and the edges of shadows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.numerics import Plane, feature_specs, log10, log_ratio
from aiforensics.analyzers.protocol import Exhibit, Pixels
from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window

PARTS = 4
"""A window is divided into 4 × 4 parts."""
_MINKOWSKI = 6
"""Exponent of the Minkowski norm of derivatives; the code takes it as the cube of the squared derivative."""


class Lighting:
    """Direction in which brightness rises, illuminant by grey edges, and edges that keep their colour.

    Evidence on the page, not part of the score.

    Source: Johnson and Farid 2005, doi:10.1145/1073170.1073171 (direction of light from brightness gradients, here
    without contours: only its agreement between parts is judged, and slopes around a thing within the window cancel);
    van de Weijer et al. 2007, doi:10.1109/TIP.2007.901808 (illuminant from the Minkowski norm of derivatives, p = 6);
    Finlayson et al. 2006, doi:10.1109/TPAMI.2006.18 (a shadow moves a colour along the direction of the light; here the
    simplest case, in which the ratios of the channels stay).
    """

    name = "lighting"
    card = Card(
        title="Lighting",
        looks_for="Whether brightness rises in the same direction and the light has the same colour in all parts, and "
        "whether dark edges keep their colour as the edges of shadows do under one kind of light. On flat, even "
        "things one sun makes one direction; around a thing that lies within the window the slopes cancel, however it "
        "is lit.",
        fooled_by="Several lamps, reflections, mixed daylight and lamplight, curved and coloured things all break the "
        "agreement in real pictures; a good generator keeps it.",
        ignore_when="The scene is indoors, lit from several sides, flat, or mostly of one coloured thing. Read it "
        "beside the picture, never alone: it is not part of the score.",
        source="Johnson 2005, doi:10.1145/1073170.1073171; van de Weijer 2007, doi:10.1109/TIP.2007.901808; "
        "Finlayson 2006, doi:10.1109/TPAMI.2006.18",
        map_key="Each arrow points to where a part of the window grows lighter; its length is the slope there against "
        "the window's steepest, its colour that of the edges, taken for that of the light. Agreement over flat, even "
        "things is what counts, not a direction.",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            (
                "direction_agreement",
                "1",
                "how far the slopes of brightness of the parts agree; 1 is one direction, or no slope",
            ),
            ("direction_strength", "log10 grey levels per pixel", "mean slope of brightness over the parts"),
            ("window_agreement", "1", "how far the slopes of brightness of the windows agree; 1 for one window"),
            ("illuminant_spread", "degrees", "mean angle between the colour of the light of a part and of the window"),
            ("illuminant_worst", "degrees", "largest such angle"),
            ("illuminant_windows", "degrees", "largest angle between the colours of the light of two windows"),
            (
                "shadow_share",
                "share",
                "strong edges that keep the ratios of the channels, as a shadow's can",
            ),
            ("shadow_agreement", "1", "how far such edges agree on their lighter side"),
            (
                "shadow_softness",
                "log10 ratio",
                "slope of such edges against their slope after wide smoothing; lower is softer, 0 too few",
            ),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Mean over windows, and the agreement between them."""
        arrows = [slopes(window.luma) for window in exhibit.windows]
        lights = [illuminants(window.pixels) for window in exhibit.windows]
        rows = [_measure(*parts) for parts in zip(exhibit.windows, arrows, lights, strict=True)]
        values = {short: float(np.mean([row[short] for row in rows])) for short in rows[0]}
        values["window_agreement"] = agreement(np.stack([a.sum((0, 1)) for a in arrows]))
        values["illuminant_windows"] = max(_angle(a, b) for _, a in lights for _, b in lights)
        return {spec.name: values[spec.name.partition(".")[2]] for spec in self.specs}

    def map(self, window: Window) -> Pixels:
        """Dimmed picture with an arrow towards the light in each part, tinted by the colour of its light."""
        height, width = window.pixels.shape[:2]
        canvas = np.repeat((window.luma * 0.45).astype(np.uint8)[:, :, None], 3, axis=2)
        arrows = slopes(window.luma)
        parts, _ = illuminants(window.pixels)
        longest = max(float(np.hypot(arrows[..., 0], arrows[..., 1]).max()), 0.05)
        reach = 0.45 * min(height, width) / PARTS
        for row in range(PARTS):
            for column in range(PARTS):
                x, y = round((column + 0.5) * width / PARTS), round((row + 0.5) * height / PARTS)
                dx, dy = arrows[row, column] / longest * reach
                tint = 255.0 * parts[row, column] / max(float(parts[row, column].max()), 1e-6)
                tip = (round(x + float(dx)), round(y + float(dy)))
                red, green, blue = (int(c) for c in tint)
                cv2.arrowedLine(canvas, (x, y), tip, (red, green, blue), 2, cv2.LINE_AA, tipLength=0.3)
        return np.asarray(canvas, np.uint8)


def slopes(luma: Plane) -> NDArray[np.float64]:
    """(4, 4, 2) mean slope of brightness (x, y) towards the light in each part, in grey levels per pixel.

    The slope is taken over details larger than about 8 pixels, so that texture averages out.
    """
    height, width = (side // PARTS * PARTS for side in luma.shape)
    soft = np.asarray(cv2.GaussianBlur(luma[:height, :width], (0, 0), 4.0), np.float32)
    return np.stack([_parts(plane) for plane in _gradient(soft)], axis=-1)


def agreement(vectors: NDArray[np.float64]) -> float:
    """Length of the sum of (n, 2) vectors against the sum of their lengths: 1 for one direction, near 0 for none."""
    lengths = np.hypot(vectors[:, 0], vectors[:, 1])
    return float(np.hypot(*vectors.sum(0)) / lengths.sum()) if lengths.sum() > 1e-3 else 1.0


def illuminants(pixels: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(4, 4, 3) and (3,) unit vectors of the colour of the light in the parts and in the whole, by grey edges.

    A part without edges takes the colour of the whole; a picture without edges is taken as lit by white.
    """
    soft = _half(pixels).astype(np.float32)
    gx, gy = _gradient(soft)
    square = np.asarray(gx * gx + gy * gy, np.float32)
    powers = _parts(square * square * square)
    whole = powers.mean((0, 1)) ** (1.0 / _MINKOWSKI)
    whole = whole / np.linalg.norm(whole) if whole.max() > 0.5 else np.full(3, 3.0**-0.5)
    parts = powers ** (1.0 / _MINKOWSKI)
    seen = parts.max(-1, keepdims=True) > 0.5
    norm = np.maximum(np.sqrt((parts**2).sum(-1, keepdims=True)), 1e-9)
    return np.where(seen, parts / norm, whole), np.asarray(whole, np.float64)


def _measure(
    window: Window, slope: NDArray[np.float64], light: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> dict[str, float]:
    arrows = slope.reshape(-1, 2)
    parts, whole = light
    angles = [_angle(part, whole) for part in parts.reshape(-1, 3)]
    return {
        "direction_agreement": agreement(arrows),
        "direction_strength": log10(float(np.hypot(arrows[:, 0], arrows[:, 1]).mean()), 1e-3),
        "illuminant_spread": float(np.mean(angles)),
        "illuminant_worst": max(angles),
        **_shadows(window.pixels),
    }


def _shadows(pixels: Pixels) -> dict[str, float]:
    """Edges over which all channels fall by one factor: logarithms of the channels have the same slope."""
    logs = np.log(cv2.GaussianBlur(_half(pixels), (0, 0), 0.8).astype(np.float32) + np.float32(8.0))
    # A sum of three planes: many times faster than the mean over an axis of length three, and the same numbers.
    level = np.asarray((logs[..., 0] + logs[..., 1] + logs[..., 2]) / np.float32(3.0), np.float32)
    slope, slopes_of_channels = _gradient(level), _gradient(logs)
    strength = np.hypot(*slope)
    # At least 4 % of brightness per 2 pixels; places are taken by number, which is faster than by mask.
    strong = np.flatnonzero(strength > max(4.0 * float(strength.mean()), 0.04))
    none = {"shadow_share": 0.0, "shadow_agreement": 0.0, "shadow_softness": 0.0}
    if len(strong) < 8:
        return none
    steep = strength.ravel()[strong]
    vectors = np.stack([plane.ravel()[strong] for plane in slope], axis=-1).astype(np.float64)
    colours = np.stack([plane.reshape(-1, 3)[strong] for plane in slopes_of_channels], axis=1)  # (n, 2, 3)
    off = np.sqrt(((colours - vectors[:, :, None]) ** 2).sum(1).mean(1))
    shadow = off < 0.15 * steep
    if int(shadow.sum()) < 8:
        return none | {"shadow_share": float(shadow.mean())}
    wide = _gradient(np.asarray(cv2.GaussianBlur(level, (0, 0), 3.0), np.float32))
    far = np.hypot(*(plane.ravel()[strong[shadow]] for plane in wide))
    near_slope, far_slope = float(steep[shadow].mean()), float(far.mean())
    return {
        "shadow_share": float(shadow.mean()),
        "shadow_agreement": agreement(vectors[shadow]),
        "shadow_softness": log_ratio(near_slope, far_slope, 1e-3),
    }


def _half(pixels: Pixels) -> Pixels:
    """Half size: light changes over many pixels, and noise is halved."""
    return np.asarray(cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _gradient(plane: Plane) -> tuple[Plane, Plane]:
    """Sobel derivatives across and down, per pixel."""
    return (
        np.asarray(cv2.Sobel(plane, cv2.CV_32F, 1, 0, scale=1 / 8), np.float32),
        np.asarray(cv2.Sobel(plane, cv2.CV_32F, 0, 1, scale=1 / 8), np.float32),
    )


def _parts(plane: Plane) -> NDArray[np.float64]:
    """(4, 4) or (4, 4, channels) means over the parts of a plane, by area."""
    return np.asarray(cv2.resize(plane, (PARTS, PARTS), interpolation=cv2.INTER_AREA), np.float64)


def _angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.degrees(np.arccos(np.clip((a * b).sum(), -1.0, 1.0))))
