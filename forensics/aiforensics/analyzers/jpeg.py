"""JPEG traces in the pixels: DCT coefficients, first digits, blocking, double compression and a quality estimate."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.numerics import (
    GAUSSIAN_SHAPE,
    Plane,
    feature_specs,
    heat,
    histogram,
    log10,
    log_ratio,
    phase_means,
    pool,
)
from aiforensics.analyzers.protocol import Exhibit, Pixels
from aiforensics.evidence import Card, FeatureSpec
from aiforensics.image import Window
from aiforensics.image.jpegfacts import STANDARD_LUMINANCE, scaled

_U, _V = np.mgrid[0:8, 0:8]
_DCT = (np.cos((2 * _V + 1) * _U * np.pi / 16) * np.where(_U == 0, np.sqrt(1 / 8), 0.5)).astype(np.float32)
_GROUPS = ((1,), (2,), (3,), (4,), (5, 6), (7, 8), (9, 10), (11, 12, 13, 14))
_BANDS: tuple[NDArray[np.bool_], ...] = tuple(np.isin(_U + _V, group) for group in _GROUPS)
_MODES = tuple((u, v) for u in range(4) for v in range(4) if 1 <= u + v <= 3)
"""The nine lowest AC frequencies, which keep coefficients at every quality."""
_BENFORD = np.log10(1.0 + 1.0 / np.arange(1, 10))
_QUALITIES = np.arange(8, 95)
"""Above 94 the steps are 1 and 2, which the rounding of the pixels hides. Searched from higher up, a heavier one
would pass for a lighter one, whose steps divide its own."""
_VALUES = np.arange(256)
_STEPS = np.arange(1, 65)
_COARSE = 2
"""The smallest step whose multiples stand apart once the pixels are rounded."""
# A coefficient quantised with step s lies on its multiples; below s / 2 there is nothing to see but the zero.
_MASS = (_VALUES[None, :] >= np.maximum(_STEPS[:, None] / 2.0, 1.0)) & (_VALUES[None, :] < 255)
_COMB = np.where(_MASS, np.cos(2.0 * np.pi * _VALUES[None, :] / _STEPS[:, None]), 0.0)


class Jpeg:
    """Statistics of 8×8 DCT coefficients on the grid of the file and off it.

    Source: Lam and Goodman 2000, doi:10.1109/83.869177 (Laplacian AC coefficients); Fu, Shi and Su 2007,
    doi:10.1117/12.704723 (first digits); Fan and de Queiroz 2003, doi:10.1109/TIP.2002.807361 (blocking and the
    quantiser's traces); Popescu and Farid 2004, doi:10.1007/978-3-540-30114-1_10 (double quantisation).
    """

    name = "jpeg"
    card = Card(
        title="JPEG traces",
        looks_for="The distribution of the 8×8 frequency coefficients, block borders, and the gaps that one or two "
        "JPEG compressions leave. The coefficients of photographs follow known laws; those of generated pictures often "
        "follow them as well.",
        fooled_by="Almost every picture was compressed somewhere; an edited photograph is compressed twice, and so is "
        "a generated picture that was shared. Resizing mostly erases the grid, and a crop moves it.",
        ignore_when="On its own. Compression history says where a picture travelled, not who made it.",
        source="Lam 2000, doi:10.1109/83.869177; Fu 2007, doi:10.1117/12.704723; Fan 2003, "
        "doi:10.1109/TIP.2002.807361; Popescu 2004, doi:10.1007/978-3-540-30114-1_10",
        map_key="Dark to bright: steps over the borders of 8×8 blocks against those inside, from 0.6 to 10 times, "
        "logarithmic. An edge of the subject that lies on a border is bright too, also where nothing was ever "
        "compressed.",
    )
    specs: tuple[FeatureSpec, ...] = feature_specs(
        name,
        [
            ("scale_1", "log10 grey levels", "mean magnitude of the two lowest AC coefficients"),
            *((f"scale_{i}", "log10 ratio", f"mean magnitude of AC band {i} of 8 against band 1") for i in range(2, 9)),
            *(
                (f"shape_{i}", "1", f"shape of the distribution of AC band {i} of 8; lower has heavier tails")
                for i in (1, 3, 5, 7, 8)
            ),
            *((f"zero_{i}", "share", f"coefficients of AC band {i} of 8 that round to zero") for i in (1, 3, 5, 7, 8)),
            ("benford", "log10", "departure of first digits from their logarithmic law, on the grid"),
            ("benford_off", "log10", "departure of first digits from their logarithmic law, off the grid"),
            ("digit_gap", "log10 ratio", "departure of first digits on the grid against off it"),
            ("blocking", "log10 ratio", "steps across the 8×8 borders of the file's grid against steps elsewhere"),
            ("blocking_other", "log10 ratio", "strongest period-8 steps off the file's grid against steps elsewhere"),
            ("zero_gap", "share", "coefficients that round to zero on the grid less those off it"),
            ("periodic", "1", "how far low coefficients lie on the multiples of one step, on the grid"),
            (
                "periodic_off",
                "1",
                "how far low coefficients lie on one step's multiples, off the file's grid both across and down",
            ),
            (
                "double",
                "1",
                "regular gaps in the levels of quantised coefficients, as a finer second or one strong save leaves",
            ),
            (
                "quality_estimate",
                "IJG quality",
                "JPEG quality up to 94, by standard tables, that the pixels betray; 100 where none does; not scored",
            ),
            (
                "quality_other",
                "IJG quality",
                "quality of an earlier JPEG, off the file's grid both across and down; 100 where none shows",
            ),
        ],
    )

    def measure(self, exhibit: Exhibit) -> dict[str, float]:
        """Mean over windows of the coefficient statistics; of a quality, the median over those that betray one."""
        found: list[dict[str, float]] = []

        def one(window: Window) -> dict[str, float]:
            found.append(_measure(window))
            return found[-1]

        values = pool(self.name, exhibit, one)
        for name in ("quality_estimate", "quality_other"):
            betrayed = [
                row[name] for row in found if row[name] < 100.0
            ]  # a smooth window has no coefficients to show it
            values[f"{self.name}.{name}"] = float(np.median(betrayed)) if betrayed else 100.0
        return values

    def map(self, window: Window) -> Pixels:
        """Compare steps across the right and lower border of 8×8 blocks with those inside; bright where blocky."""
        height, width = window.pixels.shape[:2]
        luma = window.luma[: height // 8 * 8, : width // 8 * 8]
        across, down = _steps(luma), _steps_down(luma)
        cells = [p.reshape(luma.shape[0] // 8, 8, luma.shape[1] // 8, 8) for p in (across, down)]
        borders = [cells[0][:, :, :, 7].mean(1), cells[1][:, 7].mean(2)]
        insides = [cells[0][:, :, :, 1:6].mean((1, 3)), cells[1][:, 1:6].mean((1, 3))]
        borders[0][:, -1], borders[1][-1] = insides[0][:, -1], insides[1][-1]  # behind them no neighbour is left
        contrast = np.log10((borders[0] + borders[1] + 0.5) / (insides[0] + insides[1] + 0.5))
        return heat(contrast.astype(np.float32), -0.2, 1.0, (height, width))


def block_dct(luma: Plane) -> Plane:
    """(h / 8, 8, w / 8, 8) orthonormal type-II DCT of the 8×8 blocks of a plane whose sides are multiples of 8.

    Axes are block row, vertical frequency, block column, horizontal frequency.
    """
    height, width = luma.shape
    columns = np.matmul(_DCT, luma.reshape(height // 8, 8, width))
    # One small product per block row: a large one would be divided between threads, and rounded by their number.
    rows = np.matmul(columns.reshape(height // 8, width, 8), _DCT.T)
    return np.asarray(rows.reshape(height // 8, 8, width // 8, 8), np.float32)


def quality_of(levels: NDArray[np.float64]) -> float:
    """IJG quality whose luminance steps explain the histograms of `_MODES`; 100 where no quality does.

    Parameters
    ----------
    levels
        (9, 256) counts of the rounded magnitudes of the nine lowest AC coefficients.
    """
    hits, mass = levels @ _COMB.T, levels @ _MASS.T  # (9, 64) over steps 1 to 64
    modes = np.arange(9)
    total = mass[modes, _STEPS_OF_QUALITY - 1].sum(1)
    filled = (mass[modes, _STEPS_OF_QUALITY - 1] >= 4.0).sum(1) >= 4
    scores = np.where(filled, hits[modes, _STEPS_OF_QUALITY - 1].sum(1) / np.maximum(total, 64.0), 0.0)
    if scores.max() < 0.5:
        return 100.0
    # Divisors of the true steps score as high as they do: the lowest of the near-best qualities is the true one.
    first = int(np.argmax(scores >= scores.max() - 0.02))
    near = scores[first : first + 4] >= scores.max() - 0.02
    return float(_QUALITIES[first + int(near.sum()) // 2])


def quality_moved(windows: Sequence[Window]) -> float:
    """IJG quality of an earlier JPEG whose grid lies off the file's on one axis alone; 100 where none shows.

    It counts for evidence quality and is no feature: `quality_other` looks off the grid on both axes at once.
    """
    found = [quality for window in windows if (quality := _moved(_whole_blocks(window))) < 100.0]
    return float(np.median(found)) if found else 100.0


def _moved(luma: Plane) -> float:
    *_, (down, right) = _blocking(luma)
    parts = (luma[down : down - 8], luma[:, right : right - 8])
    return min(quality_of(_levels(_rounded(block_dct(np.ascontiguousarray(part))))) for part in parts)


def _whole_blocks(window: Window) -> Plane:
    height, width = window.luma.shape
    return window.luma[: height // 8 * 8, : width // 8 * 8]


def _measure(window: Window) -> dict[str, float]:
    luma = _whole_blocks(window)
    on, other, (down, right) = _blocking(luma)
    grid = block_dct(luma)
    shifted = block_dct(np.ascontiguousarray(luma[down : down - 8, right : right - 8]))
    magnitude, zeros, shape = _tables(grid)
    scale = [float(magnitude[band].mean()) for band in _BANDS]
    values = {"scale_1": log10(scale[0], 0.05)}
    values |= {f"scale_{i + 1}": log_ratio(s, scale[0], 0.02) for i, s in enumerate(scale) if i}
    values |= {f"shape_{i}": float(shape[_BANDS[i - 1]].mean()) for i in (1, 3, 5, 7, 8)}
    values |= {f"zero_{i}": float(zeros[_BANDS[i - 1]].mean()) for i in (1, 3, 5, 7, 8)}
    whole, whole_off = _rounded(grid), _rounded(shifted)
    levels = _levels(whole)
    steps, values["periodic"] = _period(levels)
    levels_off = _levels(whole_off)
    values["periodic_off"] = _period(levels_off)[1]
    digits, digits_off = _digits(whole), _digits(whole_off)
    values["double"] = _double(levels, steps)
    values["benford"], values["benford_off"] = log10(digits, 1e-5), log10(digits_off, 1e-5)
    values["digit_gap"] = log_ratio(digits, digits_off, 1e-3)
    values["blocking"], values["blocking_other"] = on, other
    values["zero_gap"] = float(zeros[1:, 1:].mean() - _zeros(np.abs(shifted))[1:, 1:].mean())
    values["quality_estimate"], values["quality_other"] = quality_of(levels), quality_of(levels_off)
    return values


def _blocking(luma: Plane) -> tuple[float, float, tuple[int, int]]:
    """Strength of period-8 steps on the grid and at the best other phase, and that phase (down, right)."""
    across, down = _steps(luma), _steps_down(luma)
    strengths, phases = [], []
    for profile in (_profile(down.mean(1)), _profile(across.mean(0))):
        # Entry 7 is the step between the last pixel of a block and the first of the next.
        strength = [log_ratio(float(s), float((profile.sum() - s) / 7.0), 0.05) for s in np.roll(profile, 1)]
        strengths.append(strength)
        phases.append(1 + int(np.argmax(strength[1:])))
    on = (strengths[0][0] + strengths[1][0]) / 2.0
    other = (strengths[0][phases[0]] + strengths[1][phases[1]]) / 2.0
    return on, other, (phases[0], phases[1])


def _profile(steps: NDArray[np.float32]) -> NDArray[np.float64]:
    """(8,) mean step at each phase of the grid; the first and the last two of (n,) steps lack a neighbour."""
    places = np.arange(1, len(steps) - 2) % 8
    return np.asarray(np.bincount(places, steps[1:-2], 8) / np.bincount(places, minlength=8), np.float64)


def _steps(luma: Plane) -> Plane:
    """(h, w) step between pixels j and j + 1 of a row beyond what their neighbours lead to expect.

    |x[j+1] - x[j] - (x[j] - x[j-1] + x[j+2] - x[j+1]) / 2|, and 0 where a neighbour is missing.
    """
    steps = np.zeros_like(luma)
    _beyond(luma[:, :-3], luma[:, 1:-2], luma[:, 2:-1], luma[:, 3:], steps[:, 1:-2])
    return steps


def _steps_down(luma: Plane) -> Plane:
    """(h, w) step between rows i and i + 1, as `_steps` takes it between columns."""
    steps = np.zeros_like(luma)
    _beyond(luma[:-3], luma[1:-2], luma[2:-1], luma[3:], steps[1:-2])
    return steps


def _beyond(before: Plane, here: Plane, there: Plane, after: Plane, out: Plane) -> None:
    np.subtract(there, here, out=out)
    out *= 3.0
    out += before
    out -= after
    np.abs(out, out=out)
    out *= 0.5


def _tables(coefficients: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(8, 8) mean magnitude, share that rounds to zero, and moment ratio of each frequency."""
    size = np.abs(coefficients)
    magnitude, energy = _means(size), _means(size * size)
    shape = np.where(energy > 1e-6, magnitude**2 / np.maximum(energy, 1e-6), GAUSSIAN_SHAPE)
    return magnitude, _zeros(size), shape


def _zeros(size: Plane) -> NDArray[np.float64]:
    """(8, 8) share of the magnitudes of each frequency that round to zero."""
    return _means((size < 0.5).astype(np.float32))


def _means(plane: Plane) -> NDArray[np.float64]:
    return phase_means(plane.reshape(plane.shape[0] * 8, -1), 8)


def _rounded(coefficients: Plane) -> Pixels:
    """Magnitudes rounded to whole numbers, half to even, of at most 255; the shape is that of the coefficients."""
    rows = cv2.convertScaleAbs(coefficients.reshape(coefficients.shape[0] * 8, -1))
    return np.asarray(rows, np.uint8).reshape(coefficients.shape)


def _digits(rounded: Pixels) -> float:
    """Symmetrised χ² of the first digits of rounded AC coefficients against Benford's law; 0 without coefficients."""
    rounded = rounded.copy()
    rounded[:, 0, :, 0] = 0
    counts = histogram(rounded.reshape(rounded.shape[0] * 8, -1))
    first = np.bincount(_FIRST, counts, 10)[1:]
    if first.sum() < 50.0:
        return 0.0
    shares = first / first.sum()
    return float(((shares - _BENFORD) ** 2 / (shares + _BENFORD)).sum())


def _levels(rounded: Pixels) -> NDArray[np.float64]:
    """(9, 256) counts of the rounded magnitudes of each of `_MODES`."""
    return np.stack([histogram(np.ascontiguousarray(rounded[:, u, :, v])) for u, v in _MODES])


def _period(levels: NDArray[np.float64]) -> tuple[NDArray[np.intp], float]:
    """(9,) likeliest quantisation step of each mode (1 where none shows), and how strongly the modes show one."""
    mass = levels @ _MASS[_COARSE - 1 :].T
    score = np.where(mass >= 16.0, levels @ _COMB[_COARSE - 1 :].T / np.maximum(mass, 16.0), 0.0)
    top = score.max(1)
    # Divisors of the true step score as high as it does: the largest of the near-best steps is the true one.
    near = score >= top[:, None] - 0.05
    largest = score.shape[1] - 1 - np.argmax(near[:, ::-1], axis=1) + _COARSE
    return np.where(top > 0.5, largest, 1), float(top.mean())


def _double(levels: NDArray[np.float64], steps: NDArray[np.intp]) -> float:
    """Mean over modes of the highest line in the spectrum of the levels' departure from their neighbours."""
    places = np.arange(1, 26) * steps[:, None]
    comb = np.take_along_axis(levels, np.minimum(places, 255), axis=1) * (places < 255)
    total = comb[:, 1:-1].sum(1)
    departure = (comb[:, 1:-1] - (comb[:, :-2] + comb[:, 2:]) / 2.0) / np.maximum(total, 16.0)[:, None]
    lines = np.abs(np.fft.rfft(departure, axis=1)).max(1)
    return float(np.where(total < 16.0, 0.0, lines).mean())


def _first_digits() -> NDArray[np.intp]:
    return np.array([0] + [int(str(v)[0]) for v in range(1, 255)] + [0])


_FIRST = _first_digits()


def _steps_of_quality() -> NDArray[np.intp]:
    """(87, 9) luminance steps of `_MODES` at each of `_QUALITIES`, at most 64."""
    base = [STANDARD_LUMINANCE[8 * down + across] for down, across in _MODES]
    return np.minimum(scaled(base, _QUALITIES), 64).astype(np.intp)


_STEPS_OF_QUALITY = _steps_of_quality()
