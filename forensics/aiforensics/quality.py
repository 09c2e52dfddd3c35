"""Evidence quality: how much the pixels allow anyone to say, from measured facts alone.

The level never enters the score. It names the calibration condition that a picture is judged under, and a `poor` level
makes the verdict `inconclusive` whatever the score says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers.jpeg import Jpeg, quality_moved
from aiforensics.analyzers.protocol import Exhibit
from aiforensics.evidence import Quality
from aiforensics.image import JpegFacts, Picture
from aiforensics.image.jpegfacts import STANDARD_LUMINANCE, scaled
from aiforensics.image.picture import FLAT, WINDOW

SMALL, TINY = 176, 96
"""Shorter sides in pixels below which evidence is limited, and poor."""
LARGE = 2 * WINDOW
"""Shorter side in pixels above which several windows are examined that hardly overlap."""
COARSE = 83
"""IJG quality below which a picture is calibrated as a compressed one."""
COMPRESSED, CRUSHED = 68.0, 42.0
"""IJG qualities below which evidence is limited, and poor."""
BITS = {"AVIF": (1.0, 0.5), "HEIF": (1.0, 0.5), "WEBP": (0.4, 0.2)}
"""Bits per pixel below which evidence is limited, and poor, by format: in an AVIF or HEIC with fewer p rises by 0.05 to
0.2; of AI pictures in a WebP of fewer 6 % were called `real`, and 13 %, where 3.5 % are allowed."""
NEAR = 3.0
"""How far the quality that the pixels betray may lie under the file's own and be the same."""
SOFT = -4.0
"""`spectrum.top_share` below which a picture is as soft as 1 px of blur or an enlargement by 2 make it."""
COLOURLESS = 2.0
"""Standard deviation of R - G and of B - G, in levels, below which a picture is black and white."""
TINTED = 6.0
"""Mean of R - G or of B - G, in levels, from which a picture of one tint is no longer called black and white."""
PALETTE, FEW_COLOURS, FEW_SHADES = 256, 128, 16
"""Colours up to which evidence is limited, and poor; shades up to which that of a black-and-white picture is poor."""
MUCH = 0.1
"""Share of a picture's data that is missing from which evidence is poor."""
NOISE = 0.25
"""Correlation of neighbouring pixels below which a picture is noise; one of 10,155 strange pictures has less."""

READ = ("jpeg.quality_estimate", "jpeg.quality_other", "spectrum.top_share", "jpeg.blocking_other")
"""Measured values that `assess` reads, by full feature name."""
BLOCKY = 0.04
"""`jpeg.blocking_other` from which a grid is looked for that lies off the file's on one axis alone: of crops of JPEGs
of quality 65 and less 95 % have more, and to look takes some 10 ms a window."""
_JPEG = Jpeg()


@dataclass(frozen=True, slots=True)
class Assessment:
    """Evidence quality and the name of the calibration condition."""

    quality: Quality
    condition: str


def assess(picture: Picture, values: Mapping[str, float], strangeness: float) -> Assessment:
    """Judge the evidence.

    Parameters
    ----------
    picture
        The decoded picture as it was examined.
    values
        Measured values by full feature name, those of `READ` among them.
    strangeness
        Distance of the embedding from the training pictures, in units of the distance that 99 % of them stay within;
        0 where the bundle has no reference.
    """
    poor: list[str] = []
    limited: list[str] = []
    _gap(picture.missing, poor, limited)
    left, top, right, bottom = picture.content
    width, height = (round(side / picture.enlarged) for side in (right - left, bottom - top))
    where = "beside a plain or empty part" if picture.missing else "inside a plain border"
    framed = f" {where}" if picture.framed else ""
    short, size = min(width, height), f"{width} × {height} pixels{framed}"
    enlarged = picture.enlarged > 1.0
    if enlarged:
        limited.append(f"no more detail than {size} hold (enlarged, blurred, noisy or smooth): examined at that size")
    if short < TINY:
        poor.append(f"only {size}")
    elif short < SMALL and not enlarged:
        limited.append(size)
    as_it_is = replace(picture, enlarged=1.0) if enlarged else picture
    stored = _JPEG.measure(Exhibit(as_it_is.windows)) if enlarged else values  # reducing hides compression
    seen = min(values[READ[0]], stored[READ[0]])
    _compression(picture, seen, _off_grid(as_it_is, values, stored), poor, limited)
    grey = not any(coloured(window.pixels) for window in picture.windows)
    shades = max(distinct(window.pixels, enough=PALETTE) for window in as_it_is.windows)  # and mixes colours
    flat = max(float(window.luma.std()) for window in picture.windows) < FLAT
    if flat:
        poor.append("almost no texture to examine")
    elif short < TINY:
        pass  # so few pixels have few colours
    elif shades <= (FEW_SHADES if grey else FEW_COLOURS):
        poor.append(f"only {shades} {'shades' if grey else 'colours'}, which hide the traces of the picture's making")
    elif not grey and shades <= PALETTE:
        limited.append(f"only {shades} colours, as many as a palette has")
    if not flat and max(_likeness(window.luma) for window in picture.windows) < NOISE:
        poor.append("nothing but noise: neighbouring pixels are not alike")
    if grey and not flat:
        tint = "one tint" if tinted(picture.windows[0].pixels) else "black and white"
        where = "" if share_examined(picture) > 0.99 else " where it was examined"
        limited.append(f"{tint}{where}: no colour to measure (the shares of colour say only that)")
    if not flat and not enlarged and values["spectrum.top_share"] < SOFT:
        limited.append("hardly any fine detail: out of focus, blurred, enlarged or smooth")
    if strangeness > 2.0:
        poor.append("very unlike the pictures that the model was trained on")
    elif strangeness > 1.0:
        limited.append("unlike most pictures that the model was trained on")
    level = "poor" if poor else "limited" if limited else "good"
    return Assessment(Quality(level, tuple(poor + limited)), _condition(short, grey, values[READ[0]]))  # type: ignore[arg-type]


def coloured(pixels: NDArray[np.uint8]) -> bool:
    """Whether (h, w, 3) pixels show more than shades of one tint."""
    red, green, blue = (pixels[..., channel].astype(np.int16) for channel in range(3))
    return max(float((red - green).std()), float((blue - green).std())) >= COLOURLESS


def tinted(pixels: NDArray[np.uint8]) -> bool:
    """Whether (h, w, 3) pixels without colour of their own lie under a tint, as sepia prints do."""
    red, green, blue = pixels.reshape(-1, 3).mean(axis=0)
    return max(abs(float(red - green)), abs(float(blue - green))) >= TINTED


def distinct(pixels: NDArray[np.uint8], enough: int) -> int:
    """How many colours (h, w, 3) pixels have; where there are more than `enough`, some number above it."""
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    packed = red << 16 | green << 8 | blue
    few = len(np.unique(packed[::4, ::4]))  # a photograph has enough in a sixteenth of its pixels
    return few if few > enough else len(np.unique(packed))


def share_examined(picture: Picture) -> float:
    """Share of a picture's pixels that lie in a window, a plain border not counted.

    Parameters
    ----------
    picture
        The decoded picture as it was examined.
    """
    boxes = [(x, y, x + across, y + down) for x, y, across, down in (window.box for window in picture.windows)]
    edges = [sorted({box[i] for box in boxes} | {box[i + 2] for box in boxes}) for i in (0, 1)]
    inside = sum(
        (x1 - x0) * (y1 - y0)
        for x0, x1 in pairwise(edges[0])
        for y0, y1 in pairwise(edges[1])
        if any(left <= x0 and x1 <= right and top <= y0 and y1 <= bottom for left, top, right, bottom in boxes)
    )
    left, top, right, bottom = picture.content
    return inside / ((right - left) * (bottom - top))


def strangeness(
    embeddings: NDArray[np.float32], centre: NDArray[np.float32], scale: NDArray[np.float32], usual: float
) -> float:
    """Distance of the windows' mean embedding from the training pictures.

    Parameters
    ----------
    embeddings
        (windows, dimension).
    centre, scale
        (dimension,) mean and standard deviation over the training pictures.
    usual
        Root-mean-square standard score that 99 % of the training pictures stay within.

    Returns
    -------
    Root-mean-square standard score of the windows' mean embedding, divided by `usual`.
    """
    scores = np.clip((embeddings.mean(axis=0) - centre) / scale, -10.0, 10.0)
    return float(np.sqrt(np.mean(np.square(scores))) / usual)


def _likeness(luma: NDArray[np.float32]) -> float:
    """Correlation of (h, w) luma with that of the next pixel, across or down, whichever is higher."""
    return max(_correlation(luma[:, :-1], luma[:, 1:]), _correlation(luma[:-1], luma[1:]))


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt(np.mean(one * one) * np.mean(other * other)))
    return float(np.mean(one * other)) / scale if scale else 1.0


def _gap(missing: float, poor: list[str], limited: list[str]) -> None:
    """Add that some of the picture's data are missing; its notes say how it is known, and how many."""
    if missing:
        strength, part = (poor, "much") if missing >= MUCH else (limited, "part")
        strength.append(f"{part} of the picture is missing from the file")


def _off_grid(as_it_is: Picture, *measured: Mapping[str, float]) -> float:
    """Quality of an earlier JPEG whose grid lies off the file's, on both axes or on one."""
    qualities = [values[READ[1]] for values in measured]
    if max(values[READ[3]] for values in measured) > BLOCKY:
        qualities.append(quality_moved(as_it_is.windows))
    return min(qualities)


def _compression(picture: Picture, seen: float, earlier: float, poor: list[str], limited: list[str]) -> None:
    """Add what is to be said of the compression: the worst of what the pixels betray and what the file states."""
    own = min(seen, float(picture.jpeg.quality)) if picture.jpeg else seen
    if picture.jpeg and _is_standard(picture.jpeg) and seen < picture.jpeg.quality - NEAR:
        own, earlier = float(picture.jpeg.quality), min(earlier, seen)
    kind, quality = ("earlier ", earlier) if earlier < own else ("", own)
    if quality < CRUSHED:
        poor.append(f"heavy {kind}compression (like JPEG quality {quality:.0f})")
    elif quality < COMPRESSED:
        limited.append(f"strong {kind}compression (like JPEG quality {quality:.0f})")
    left, top, right, bottom = picture.content  # a plain border costs next to nothing
    bits = 8 * len(picture.data) / ((right - left) * (bottom - top))
    thin, starved = BITS.get(picture.format, (0.0, 0.0))
    lossless = picture.format == "WEBP" and b"VP8 " not in picture.data
    if bits < thin and not lossless:
        strength = poor if bits < starved else limited
        strength.append(f"{'heavy' if bits < starved else 'strong'} compression ({bits:.2g} bits per pixel)")


def _is_standard(facts: JpegFacts) -> bool:
    """Whether a JPEG's steps are those that the scale of qualities is made of: what others leave reads as another."""
    return facts.tables[:1] == (tuple(scaled(STANDARD_LUMINANCE, facts.quality).tolist()),)


def _condition(short: int, grey: bool, seen: float) -> str:
    """Name the condition by what the pixels show: the file's tables can be changed without them, and p must not be."""
    if short < SMALL:
        return "small"
    if grey:
        return "grey"
    kind = "compressed" if seen < COARSE else "good"
    return f"large-{kind}" if short > LARGE else kind
