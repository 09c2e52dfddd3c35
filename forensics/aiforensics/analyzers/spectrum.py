"""The Fourier spectrum: how power falls with frequency, and the periodic peaks that up-sampling leaves."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.numerics import Plane, feature_specs, grey, heat, log10, pool
from aiforensics.analyzers.protocol import Exhibit, Pixels
from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window

EDGES = (0.02, 0.04, 0.07, 0.10, 0.14, 0.18, 0.23, 0.28, 0.34, 0.40, 0.46, 0.50)
"""Borders of the rings in cycles per pixel; 0.5 is the Nyquist frequency."""
_RINGS = len(EDGES) - 1
_CENTRES = np.sqrt(np.array(EDGES[:-1]) * np.array(EDGES[1:]))
_PERIODS = (2, 4, 8)
_CHANCE = (2, 1, 0.5)
"""What the mean peak at each of `_PERIODS` strays by in white noise, in dB: that of 2 has three places."""
_HANN_POWER = (3.0 / 8.0) ** 2
"""Mean square of the Hann window in two dimensions."""
_SMOOTHED = 1.75
"""What the mean level rises by, in dB, when 3×3 bins under a Hann window are averaged first; of white noise 1.92."""


class Spectrum:
    """Azimuthally averaged power of the luma, and peaks in the spectra of two of its residuals.

    Source: Durall et al., "Watch your Up-Convolution", CVPR 2020, arXiv 2003.01826 (azimuthal power); Zhang et al.,
    "Detecting and Simulating Artifacts in GAN Fake Images", WIFS 2019, arXiv 1907.06515 (periodic peaks); Bammey,
    "Synthbuster", 2023, doi:10.1109/OJSP.2023.3337714 (cross-difference); van der Schaaf and van
    Hateren 1996, doi:10.1016/0042-6989(96)00002-8 (1/f^α of natural pictures).
    """

    name = "spectrum"
    card = Card(
        title="Fourier spectrum",
        looks_for="Natural pictures lose power steadily towards fine detail. Generators that enlarge an inner picture "
        "leave too little or too much fine detail, or faint regular peaks at halves, quarters and eighths of the "
        "sampling rate.",
        fooled_by="JPEG's 8×8 blocks, fabrics, screens and halftone print make regular peaks too; resizing, blur and "
        "sharpening reshape the whole curve.",
        ignore_when="The picture was resized or strongly compressed, or shows a regular pattern such as a fence.",
        source="Durall 2020, arXiv 2003.01826; Zhang 2019, arXiv 1907.06515; Bammey 2023, "
        "doi:10.1109/OJSP.2023.3337714",
        map_key="The spectrum of what a 3×3 median takes away, from 6 dB below the window's own median to 18 above: "
        "coarse in the middle, half the sampling rate at the edges. Peaks that it looks for are single bright dots at "
        "the edges and at quarters of the way there, on the axes too; those of the cross-difference are not drawn.",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            ("slope", "1", "α of the 1/f^α fall of power with frequency"),
            ("fit_error", "dB", "root mean square departure of the rings from the straight fall"),
            ("curve", "dB", "the four finest of eleven rings against the straight fall"),
            *(
                (f"ring_{i + 1}", "dB", f"departure from the straight fall at {a:.2f}–{b:.2f} cycles per pixel")
                for i, (a, b) in enumerate(pairwise(EDGES))
            ),
            ("corner", "dB", "power beyond the Nyquist frequency of the axes against the finest ring"),
            ("high_share", "log10 share", "power above 0.23 cycles per pixel"),
            ("top_share", "log10 share", "power above 0.40 cycles per pixel"),
            ("upright", "log10 ratio", "horizontal against vertical power above 0.10 cycles per pixel"),
            ("oblique", "log10 ratio", "diagonal against horizontal and vertical power above 0.10 cycles per pixel"),
            ("flatness", "dB", "geometric against arithmetic mean of the residual's power; white noise gives -3"),
            *(
                row
                for kind, text in (("residual", "median residual"), ("cross", "cross-difference"))
                for row in (
                    *(
                        (
                            f"{kind}_peak_{p}",
                            "dB",
                            f"peaks of the {text} at multiples of 1/{p} of the sampling rate; by chance 0 ± {chance}",
                        )
                        for p, chance in zip(_PERIODS, _CHANCE, strict=True)
                    ),
                    (
                        f"{kind}_peak_max",
                        "dB",
                        f"highest peak of the {text} over its surroundings; white noise: 8, level stripes left out",
                    ),
                    (
                        f"{kind}_rough",
                        "dB",
                        f"unevenness of the spectrum of the {text} over its surroundings; white noise: 5.4",
                    ),
                )
            ),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Mean over windows of the spectral statistics."""
        return pool(self.name, exhibit, _measure)

    def map(self, window: Window) -> Pixels:
        """Log power spectrum of the median residual, zero frequency in the middle: peaks show as bright dots."""
        height, width = window.pixels.shape[:2]
        residual = median_residual(grey(window))
        power = np.abs(np.fft.fftshift(np.fft.fft2(residual * _hann(height, width)))) ** 2
        level = 10.0 * np.log10(power + 1.0).astype(np.float32)
        middle = float(np.median(level))
        return heat(level, middle - 6.0, middle + 18.0, (height, width))


def median_residual(luma: Pixels) -> Plane:
    """(h, w) float32: grey levels that a 3×3 median takes away."""
    return luma.astype(np.float32) - cv2.medianBlur(luma, 3)


def cross_difference(luma: Pixels) -> Plane:
    """(h - 1, w - 1) float32 in grey levels: |I(x, y) + I(x+1, y+1) - I(x+1, y) - I(x, y+1)|.

    The filter of Synthbuster (Bammey 2023).
    """
    plane = luma.astype(np.float32)
    return np.asarray(np.abs(plane[:-1, :-1] + plane[1:, 1:] - plane[:-1, 1:] - plane[1:, :-1]), np.float32)


def power_spectrum(plane: Plane) -> Plane:
    """(h, w // 2 + 1) power of a plane at non-negative horizontal frequencies; mean removed, Hann window."""
    height, width = plane.shape
    spectrum = np.fft.rfft2((plane - plane.mean()) * _hann(height, width))
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)


def _measure(window: Window) -> dict[str, float]:
    luma = grey(window)
    # Whole multiples of 16 put the frequencies 1/2, 1/4 and 1/8 exactly on bins.
    luma = luma[: luma.shape[0] // 16 * 16, : luma.shape[1] // 16 * 16]
    residual = median_residual(luma)
    residual_power = power_spectrum(residual) + _floor(residual)
    values = _fall(luma.astype(np.float32))
    logs = np.log10(residual_power)
    values["flatness"] = float(10.0 * (logs.mean() - np.log10(residual_power.mean())))
    values |= _peaks("residual", residual_power, logs)
    cross = np.pad(cross_difference(luma), ((0, 1), (0, 1)), mode="edge")
    cross_power = power_spectrum(cross) + _floor(cross)
    values |= _peaks("cross", cross_power, np.log10(cross_power))
    return values


def _fall(luma: Plane) -> dict[str, float]:
    """Fall of power over the rings, its straight fit, and its division by direction."""
    power = power_spectrum(luma) + _floor(luma)
    labels, counts = _labels(*luma.shape)
    totals = np.bincount(labels, (power * _times(*luma.shape)).ravel(), 3 * (_RINGS + 2)).reshape(_RINGS + 2, 3)
    rings = totals.sum(1) / counts
    level = 10.0 * np.log10(rings)
    straight = np.log10(_CENTRES) - np.log10(_CENTRES).mean()
    slope = float((straight * level[1:-1]).sum() / (straight**2).sum())
    departure = level[1:-1] - level[1:-1].mean() - slope * straight
    total = float(totals.sum())
    fine = totals[4:]
    return {
        "slope": -slope / 10.0,
        "fit_error": float(np.sqrt((departure**2).mean())),
        "curve": float(departure[-4:].mean()),
        **{f"ring_{i + 1}": float(d) for i, d in enumerate(departure)},
        "corner": float(level[-1] - level[-2]),
        "high_share": log10(float(totals[7:].sum()) / total, 1e-6),
        "top_share": log10(float(totals[10:].sum()) / total, 1e-6),
        "upright": log10(float(fine[:, 0].sum() / fine[:, 1].sum()), 1e-6),
        "oblique": log10(float(fine[:, 2].sum() / fine[:, :2].sum()), 1e-6),
    }


def _peaks(kind: str, power: Plane, logs: Plane) -> dict[str, float]:
    """How far a spectrum stands above its 9×9 surroundings, in dB, on the lattices of up-sampling and anywhere.

    Peaks are taken over 3×3 bins, because the Hann window spreads a line over as many. The surroundings are a mean of
    logarithms, which a peak hardly moves; smoothed bins of a noise lie `_SMOOTHED` above it.
    """
    level = 10.0 * logs
    around = cv2.blur(level, (9, 9))
    contrast = 10.0 * np.log10(cv2.blur(power, (3, 3))) - around - _SMOOTHED
    values = {}
    for p in _PERIODS:
        rows, columns = _lattice(*power.shape, p)
        values[f"{kind}_peak_{p}"] = float(contrast[rows, columns].mean())
    values[f"{kind}_peak_max"] = float(contrast[:, 4:].max())  # the lowest frequencies carry the subject
    values[f"{kind}_rough"] = float((level - around)[:, 4:].std())
    return values


def _floor(plane: Plane) -> float:
    """Power that a noise of 0.1 grey levels would have: the floor under every logarithm."""
    return 0.01 * plane.size * _HANN_POWER


@lru_cache(maxsize=32)
def _hann(height: int, width: int) -> Plane:
    def one(n: int) -> NDArray[np.float64]:
        return 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(n) + 0.5) / n)

    return np.outer(one(height), one(width)).astype(np.float32)


@lru_cache(maxsize=32)
def _labels(height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each bin of a half spectrum 3 × ring + direction, and the bins per ring.

    Ring 0 lies below the first border and the last beyond the Nyquist frequency; directions are 0 for horizontal
    frequencies (within 22.5° of the axis), 1 for vertical ones (likewise) and 2 for what lies between.
    """
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.rfftfreq(width)[None, :]
    ring = np.digitize(np.hypot(fy, fx), EDGES)
    angle = np.degrees(np.arctan2(np.abs(fy), fx))
    direction = np.where(angle < 22.5, 0, np.where(angle > 67.5, 1, 2))
    counts = np.asarray(np.bincount(ring.ravel(), _times(height, width).ravel(), _RINGS + 2), np.float64)
    return (3 * ring + direction).ravel(), counts


@lru_cache(maxsize=32)
def _times(height: int, width: int) -> Plane:
    """(h, w // 2 + 1): how often each bin of a half spectrum of an even width stands in the whole one."""
    times = np.full((height, width // 2 + 1), 2.0, np.float32)
    times[:, [0, -1]] = 1.0
    return times


@lru_cache(maxsize=128)
def _lattice(height: int, columns: int, period: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Bins at multiples of 1/period of the sampling rate that are not multiples of 2/period in both directions."""
    width = 2 * (columns - 1)
    places = [
        (i * height // period, j * width // period)
        for i in range(period)
        for j in range(period // 2 + 1)
        if i % 2 or j % 2
    ]
    rows, cols = zip(*places, strict=True)
    return np.array(rows, np.intp), np.array(cols, np.intp)
