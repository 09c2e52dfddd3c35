"""Background: what stands out against what lies behind it, in noise, sharpness, texture and the network's doubt."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.noise import SQUARE
from aiforensics.analyzers.numerics import (
    Plane,
    binary_entropy,
    block_mean,
    feature_specs,
    filtered,
    grey,
    log_ratio,
    over_blocks,
)
from aiforensics.analyzers.protocol import Exhibit, Forecast, Pixels
from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window

BLOCK = 8
"""Foreground and background are told apart in blocks of 8×8 pixels."""


class Background:
    """Foreground by saliency and focus, and its measurements against those of the background.

    Evidence on the page, not part of the score.

    Source: Hou and Zhang 2007, doi:10.1109/CVPR.2007.383267 (saliency as the spectral residual);
    Nayar and Nakagawa 1994, doi:10.1109/34.308479 (focus as the sum of modified Laplacians); Otsu 1979,
    doi:10.1109/TSMC.1979.4310076 (threshold).
    """

    name = "background"
    card = Card(
        title="Foreground and background",
        looks_for="Whether what stands out and what lies behind it carry the same grain, and differ in sharpness and "
        "texture as a lens would make them differ. Some generated backgrounds are too smooth, or melt together.",
        fooled_by="The division itself is a guess, made also where nothing stands out: a noisy backdrop passes for "
        "what does, a smooth thing for background. Portrait modes blur by computation; shallow focus, haze and studio "
        "backdrops make a background smooth in real pictures.",
        ignore_when="Nothing stands out, the picture is flat art, or the background was blurred on purpose. A gap of "
        "just 0 means that one side was too small to compare. Read it beside the picture, never alone: it is not part "
        "of the score.",
        source="Hou 2007, doi:10.1109/CVPR.2007.383267; Nayar 1994, doi:10.1109/34.308479; Otsu 1979, "
        "doi:10.1109/TSMC.1979.4310076",
        map_key="In colour, with a yellow border: what is guessed to stand out, by contrast and focus. Dimmed: what "
        "is taken for the background.",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            (
                "foreground_share",
                "share",
                "part of the windows that is guessed to stand out; about half where nothing does",
            ),
            ("noise_gap", "log10 ratio", "noise of calm foreground blocks against calm background blocks"),
            ("sharpness_gap", "log10 ratio", "fine detail of the foreground against the background"),
            ("texture_gap", "log10 ratio", "contrast of the foreground against the background"),
            ("saturation_gap", "share", "saturation of the foreground less that of the background"),
            ("light_gap", "share of white", "brightness of the foreground less that of the background"),
            ("border_sharpness", "log10 ratio", "fine detail at the border against that of the foreground"),
            (
                "uncertainty_gap",
                "bits",
                "the network's doubt in the window that stands out most less that in the one that does least",
            ),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Mean over windows; the network's doubt is compared between windows, where there are two and a forecast."""
        details = [_detail(grey(window)) for window in exhibit.windows]
        masks = [_standing_out(grey(window), detail) for window, detail in zip(exhibit.windows, details, strict=True)]
        rows = [_gaps(*parts) for parts in zip(exhibit.windows, masks, details, strict=True)]
        values = {f"{self.name}.{short}": float(np.mean([row[short] for row in rows])) for short in rows[0]}
        shares = [float(mask.mean()) for mask in masks]
        full, empty = exhibit.windows[int(np.argmax(shares))], exhibit.windows[int(np.argmin(shares))]
        gap = 0.0
        if exhibit.forecast is not None and max(shares) > min(shares):
            gap = _doubt(exhibit.forecast, full) - _doubt(exhibit.forecast, empty)
        return values | {f"{self.name}.uncertainty_gap": gap}

    def map(self, window: Window) -> Pixels:
        """Picture with its background dimmed and in grey, and the border of the foreground drawn."""
        height, width = window.pixels.shape[:2]
        mask = over_blocks(foreground(window).astype(np.uint8), (height, width))
        dimmed = np.repeat((window.luma * 0.35).astype(np.uint8)[:, :, None], 3, axis=2)
        canvas = np.ascontiguousarray(np.where(mask[:, :, None] > 0, window.pixels, dimmed))
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(canvas, contours, -1, (255, 196, 0), 1)
        return np.asarray(canvas, np.uint8)


def saliency(luma: Pixels) -> Plane:
    """(64, 64) spectral residual saliency, 0 to 1; all 0 for a picture without contrast."""
    small = cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
    if float(small.std()) < 0.5:
        return np.zeros((64, 64), np.float32)
    spectrum = np.fft.fft2(small)
    size = np.abs(spectrum)
    level = np.log(size + 1e-3).astype(np.float32)
    residual = level - cv2.blur(level, (3, 3))
    # The residual with the phase of the spectrum: its unit vectors, and 1 where there is no phase.
    phase = np.divide(spectrum, size, out=np.ones_like(spectrum), where=size > 0.0)
    surprise = np.abs(np.fft.ifft2(np.exp(residual) * phase)) ** 2
    smooth = np.asarray(cv2.GaussianBlur(surprise.astype(np.float32), (0, 0), 3.0), np.float32)
    return np.asarray((smooth - smooth.min()) / max(float(np.ptp(smooth)), 1e-9), np.float32)


def foreground(window: Window) -> NDArray[np.bool_]:
    """(h // 8, w // 8) mask of the blocks that stand out by saliency and focus; all False without any detail.

    Otsu's threshold divides every other window, also one in which nothing stands out.
    """
    luma = grey(window)
    return _standing_out(luma, _detail(luma))


def _standing_out(luma: Pixels, detail: Plane) -> NDArray[np.bool_]:
    focus = np.log(detail + np.float32(1.0))
    span = float(np.ptp(focus))
    rows, columns = focus.shape
    salient = cv2.resize(saliency(luma), (columns, rows), interpolation=cv2.INTER_AREA)
    if span < 0.1:
        return np.zeros((rows, columns), np.bool_)
    both = salient / max(float(salient.max()), 1e-6) + (focus - focus.min()) / span
    cue = np.clip(127.5 * cv2.GaussianBlur(both, (5, 5), 0), 0.0, 255.0).astype(np.uint8)
    return np.asarray(cv2.threshold(cue, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1], np.bool_)


def _detail(luma: Pixels) -> Plane:
    """(h // 8, w // 8) mean of the modified Laplacian over blocks."""
    kernel = np.array([[-1, 2, -1]], np.float32)
    plane = luma.astype(np.float32)  # filtered twice as fast as bytes
    across, down = filtered(plane, kernel), filtered(plane, kernel.T.copy())
    np.abs(across, out=across)
    across += np.abs(down, out=down)
    return block_mean(across, BLOCK)


def _gaps(window: Window, mask: NDArray[np.bool_], detail: Plane) -> dict[str, float]:
    share = float(mask.mean())
    values = dict.fromkeys(("noise_gap", "sharpness_gap", "texture_gap", "saturation_gap", "light_gap"), 0.0)
    values |= {"foreground_share": share, "border_sharpness": 0.0}
    if min(int(mask.sum()), int((~mask).sum())) < 8:  # too little on one side to compare
        return values
    luma = window.luma
    noise = block_mean(np.abs(filtered(luma, SQUARE)), BLOCK)
    light = block_mean(luma, BLOCK)
    contrast = np.sqrt(np.maximum(block_mean(luma * luma, BLOCK) - light * light, 0.0))
    saturation = block_mean(_saturation(window.pixels), BLOCK)
    whole = mask.astype(np.uint8)
    border = (cv2.dilate(whole, np.ones((3, 3), np.uint8)) != whole) | (
        cv2.erode(whole, np.ones((3, 3), np.uint8)) != whole
    )
    quiet = [float(np.quantile(noise[side], 0.25)) for side in (mask, ~mask)]
    return values | {
        "noise_gap": log_ratio(quiet[0], quiet[1], 0.05),
        "sharpness_gap": log_ratio(float(detail[mask].mean()), float(detail[~mask].mean()), 0.1),
        "texture_gap": log_ratio(float(contrast[mask].mean()), float(contrast[~mask].mean()), 0.1),
        "saturation_gap": float(saturation[mask].mean() - saturation[~mask].mean()),
        "light_gap": float(light[mask].mean() - light[~mask].mean()) / 255.0,
        "border_sharpness": log_ratio(float(detail[border].mean()), float(detail[mask].mean()), 0.1),
    }


def _saturation(pixels: Pixels) -> Plane:
    saturation = cv2.extractChannel(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV), 1)
    return np.asarray(saturation.astype(np.float32) / np.float32(255.0), np.float32)


def _doubt(forecast: Forecast, window: Window) -> float:
    """Entropy in bits of the mean forecast of a window."""
    p = float(np.clip(np.mean(forecast(window.pixels)), 1e-4, 1.0 - 1e-4))
    return float(binary_entropy(p))
