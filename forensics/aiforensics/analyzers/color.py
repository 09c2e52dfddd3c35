"""Colour: how the channels go together, and the traces of lens and colour filter array between them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.numerics import (
    Plane,
    block_mean,
    correlation,
    correlation_of,
    covariance,
    entropy,
    feature_specs,
    filtered,
    heat,
    log10,
    log_ratio,
    mean_square,
    phase_means,
    pool,
    share_of,
)
from aiforensics.analyzers.protocol import Exhibit, Pixels
from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window

LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32) / 4.0
"""Error of the bilinear interpolation of a pixel from its four neighbours."""
_SMOOTH = np.array([0.037659, 0.249153, 0.426375, 0.249153, 0.037659], np.float32)
_SLOPE = np.array([-0.109604, -0.276691, 0.0, 0.276691, 0.109604], np.float32)
"""Prefilter and first derivative that belong together: Farid and Simoncelli 2004, Table I, 5 taps."""


class Color:
    """Channel correlations, saturation and hue, chroma detail, channel displacement and demosaicing traces.

    Source: McCloskey and Albright 2018, arXiv 1812.08247 (saturation and colour of generated pictures); Johnson and
    Farid 2006, doi:10.1145/1161366.1161376 (lateral chromatic aberration); Lucas and Kanade 1981 and Farid and
    Simoncelli 2004, doi:10.1109/TIP.2004.823819 (displacement);
    Popescu and Farid 2005, doi:10.1109/TSP.2005.855406, and Gallagher and Chen 2008,
    doi:10.1109/CVPRW.2008.4562984 (interpolation residual on the colour filter lattice).
    """

    name = "color"
    card = Card(
        title="Colour statistics",
        looks_for="Traces of lens and sensor between the colour channels (tiny displacements, the lattice of the "
        "colour filter), and the balance of colour and fine colour detail, which many generators set differently.",
        fooled_by="Filters and colour grading move saturation and hue; JPEG mostly halves colour detail; almost any "
        "resize erases the sensor's lattice. Art and studio pictures have unusual colours by intention.",
        ignore_when="The picture is graded or small. Of a black-and-white one it mostly says that it has no colour.",
        source="McCloskey 2018, arXiv 1812.08247; Johnson 2006, doi:10.1145/1161366.1161376; Popescu 2005, "
        "doi:10.1109/TSP.2005.855406; Gallagher 2008, doi:10.1109/CVPRW.2008.4562984",
        map_key="Dark to bright: how much colour changes within a few pixels, from 0.1 to 10 levels, logarithmic. "
        "Coloured edges are bright in every picture.",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            ("link_rg", "correlation", "red and green values"),
            ("link_gb", "correlation", "green and blue values"),
            ("link_rb", "correlation", "red and blue values"),
            ("saturation", "share", "mean saturation"),
            ("saturation_spread", "share", "spread of the saturation"),
            ("vivid", "share", "pixels of more than 80 % saturation"),
            ("pale", "share", "pixels of less than 5 % saturation"),
            ("hue_entropy", "bits", "variety of 18 hues, weighted by saturation"),
            ("black", "share", "channel values of at most 2"),
            ("white", "share", "channel values of at least 253"),
            ("chroma_level", "log10 grey levels", "deviation of the chroma planes"),
            ("chroma_detail", "log10 ratio", "fine detail of chroma against luma"),
            ("chroma_fine", "log10 ratio", "fine detail of chroma against its detail at half size"),
            ("chroma_balance", "log10 ratio", "fine detail of blue against red chroma"),
            ("chroma_link", "correlation", "fine detail of chroma and luma over 8×8 blocks"),
            (
                "shift_red",
                "log10 pixels",
                "displacement of red against green, up to a pixel; -3: none, or nothing to tell it by",
            ),
            (
                "shift_blue",
                "log10 pixels",
                "displacement of blue against green, up to a pixel; -3: none, or nothing to tell it by",
            ),
            ("shift_spread", "log10 pixels", "spread of the displacement over parts of the window"),
            ("lattice_green", "log10 ratio", "interpolation residual of green on the two diagonal lattices"),
            ("lattice_red", "log10 ratio", "interpolation residual of red, strongest against weakest of four phases"),
            ("lattice_blue", "log10 ratio", "interpolation residual of blue, strongest against weakest of four phases"),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Mean over windows of the colour statistics."""
        return pool(self.name, exhibit, _measure)

    def map(self, window: Window) -> Pixels:
        """Fine detail of chroma in 4×4 blocks: bright where colour changes within a few pixels."""
        height, width = window.pixels.shape[:2]
        chroma = cv2.cvtColor(window.pixels, cv2.COLOR_RGB2YCrCb)[:, :, 1:]
        detail = np.abs(filtered(np.ascontiguousarray(chroma), LAPLACE)).mean(2)
        return heat(np.log10(block_mean(detail, 4) + 0.1), -1.0, 1.0, (height, width))


def displacements(planes: Sequence[Plane], reference: Plane) -> list[NDArray[np.float64]]:
    """(n, 2) displacements in pixels (x, y) of each plane against a reference; Lucas-Kanade.

    Parts are squares, four along the shorter side.

    Values and gradients are those of one interpolated surface (`_SMOOTH`, `_SLOPE`): plain differences make fine detail
    look flatter than it is, and its displacement larger.

    Least-squares solution of ∇reference · d = reference - plane / gain in each part, where the gain brings the plane to
    the contrast of the reference. Parts without detail in both directions are left out.
    """
    gx, gy = _separable(reference, _SLOPE, _SMOOTH), _separable(reference, _SMOOTH, _SLOPE)
    reference, *planes = (_separable(plane, _SMOOTH, _SMOOTH) for plane in (reference, *planes))
    side = min(reference.shape) // 4

    def mean(a: Plane, b: Plane) -> NDArray[np.float64]:
        return block_mean(a * b, side).astype(np.float64)

    xx, xy, yy = mean(gx, gx), mean(gx, gy), mean(gy, gy)
    rr, rx, ry = mean(reference, reference), mean(gx, reference), mean(gy, reference)
    det = xx * yy - xy * xy
    detailed = (det > 0.05 * (xx + yy) ** 2 / 4.0) & (xx + yy > 1.0)
    found = []
    for plane in planes:
        gain = np.clip(mean(reference, plane) / np.maximum(rr, 1e-6), 0.0, 4.0)
        bx, by = gain * rx - mean(gx, plane), gain * ry - mean(gy, plane)
        usable = detailed & (gain > 0.1)
        scale = np.where(usable, det * gain, 1.0)
        shifts = np.stack([(yy * bx - xy * by) / scale, (xx * by - xy * bx) / scale], axis=-1)
        found.append(np.clip(shifts[usable], -3.0, 3.0))
    return found


def _measure(window: Window) -> dict[str, float]:
    pixels = window.pixels
    red, green, blue = (np.ascontiguousarray(p, np.float32) for p in cv2.split(pixels))
    moments = covariance([np.ascontiguousarray(plane[::2, ::2]) for plane in (red, green, blue)])
    return {
        "link_rg": correlation_of(moments, 0, 1),
        "link_gb": correlation_of(moments, 1, 2),
        "link_rb": correlation_of(moments, 0, 2),
        "black": share_of(pixels <= 2),
        "white": share_of(pixels >= 253),
        **_hues(pixels),
        **_chroma(pixels),
        **_lens(red, green, blue),
        **_lattice(red, green, blue),
    }


def _hues(pixels: Pixels) -> dict[str, float]:
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    table = np.asarray(cv2.calcHist([hsv], [0, 1], None, [18, 256], [0.0, 180.0, 0.0, 256.0]), np.float64)
    levels = np.arange(256) / 255.0
    shares = table.sum(0) / table.sum()
    mean = float((shares * levels).sum())
    return {
        "saturation": mean,
        "saturation_spread": max(float((shares * levels**2).sum()) - mean**2, 0.0) ** 0.5,
        "vivid": float(shares[205:].sum()),
        "pale": float(shares[:13].sum()),
        "hue_entropy": entropy((table * levels).sum(1)),
    }


def _chroma(pixels: Pixels) -> dict[str, float]:
    ycc = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb), np.uint8)
    small = np.asarray(cv2.resize(ycc, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    coarse = filtered(small, LAPLACE)
    planes = cv2.split(ycc)
    # OpenCV filters floating point twice as fast as bytes, and one plane faster than three that are interleaved.
    luma, red, blue = (filtered(plane.astype(np.float32), LAPLACE) for plane in planes)
    fine_red, fine_blue = mean_square(red) ** 0.5, mean_square(blue) ** 0.5
    half = mean_square(np.ascontiguousarray(coarse[:, :, 1:])) ** 0.5
    chroma = ((fine_red**2 + fine_blue**2) / 2.0) ** 0.5
    deviations = [float(cv2.meanStdDev(plane)[1][0, 0]) for plane in planes]
    return {
        "chroma_level": log10(float(np.hypot(deviations[1], deviations[2])), 0.1),
        "chroma_detail": log_ratio(chroma, mean_square(luma) ** 0.5, 0.05),
        "chroma_fine": log_ratio(chroma, half, 0.05),
        "chroma_balance": log_ratio(fine_blue, fine_red, 0.05),
        "chroma_link": correlation(block_mean(np.abs(red) + np.abs(blue), 8), block_mean(np.abs(luma), 8)),
    }


def _lens(red: Plane, green: Plane, blue: Plane) -> dict[str, float]:
    """Displacement of red and blue against green between details of about two to eight pixels."""
    bands = [p - cv2.blur(p, (9, 9)) for p in (red, green, blue)]
    red_shift, blue_shift = displacements((bands[0], bands[2]), bands[1])
    both = [s for s in (red_shift, blue_shift) if len(s) > 1]
    spread = float(np.mean([np.hypot(*s.std(0)) for s in both])) if both else 0.0
    return {
        "shift_red": _size(red_shift),
        "shift_blue": _size(blue_shift),
        "shift_spread": log10(spread, 1e-3),
    }


def _separable(plane: Plane, across: NDArray[np.float32], down: NDArray[np.float32]) -> Plane:
    return np.asarray(cv2.sepFilter2D(plane, cv2.CV_32F, across, down), np.float32)


def _size(shifts: NDArray[np.float64]) -> float:
    return log10(float(np.hypot(*np.median(shifts, axis=0))) if len(shifts) else 0.0, 1e-3)


def _lattice(red: Plane, green: Plane, blue: Plane) -> dict[str, float]:
    """Interpolated pixels have smaller residuals than measured ones.

    Green was measured on one of two diagonal lattices, red and blue at one of four phases.
    """
    r, g, b = (phase_means(np.abs(filtered(p, LAPLACE)), 2) for p in (red, green, blue))
    return {
        "lattice_green": abs(log_ratio(float(g[0, 0] + g[1, 1]), float(g[0, 1] + g[1, 0]), 0.05)),
        "lattice_red": log_ratio(float(r.max()), float(r.min()), 0.05),
        "lattice_blue": log_ratio(float(b.max()), float(b.min()), 0.05),
    }
