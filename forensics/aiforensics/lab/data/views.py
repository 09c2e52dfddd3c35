"""How a picture was delivered: the views that training draws and the conditions that evaluation names.

Every view is a function of pixels and a numpy `Generator`, the same for both classes: it cuts a random window, so that
neither the size of the picture nor the phase of its old JPEG grid says anything about its label, and re-encodes it, so
that both classes share the last codec. Matching the delivery is what keeps a detector from learning the file instead of
the picture (Grommelt et al., "Fake or JPEG?", arXiv:2403.17608).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiforensics.image import Picture

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, np.random.Generator], Pixels]
Kernel = Literal["linear", "area", "cubic", "lanczos", "linear-aa", "cubic-aa", "lanczos-aa"]

SIDE = 248
"""Side of the evaluation window in pixels: a 256-px picture then still has all eight phases of the JPEG grid."""

_CV_KERNELS: dict[str, int] = {
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
_PIL_KERNELS: dict[str, Image.Resampling] = {
    "linear-aa": Image.Resampling.BILINEAR,
    "cubic-aa": Image.Resampling.BICUBIC,
    "lanczos-aa": Image.Resampling.LANCZOS,
}
TRAIN_KERNELS: tuple[Kernel, ...] = ("area", "linear", "cubic", "lanczos", "linear-aa", "cubic-aa", "lanczos-aa")
"""Kernels of the training distribution."""


@dataclass(frozen=True, slots=True)
class Codec:
    """The encoder that a picture was last saved with.

    Attributes
    ----------
    format
        `JPEG`, `WEBP` or `AVIF` (lossy), or `PNG`.
    quality
        1 to 100; PNG has none.
    full_chroma
        Whether JPEG keeps full chroma (4:4:4) instead of 4:2:0.
    """

    format: Literal["JPEG", "WEBP", "AVIF", "PNG"]
    quality: int = 100
    full_chroma: bool = False

    def encode(self, pixels: Pixels) -> bytes:
        """Encode (h, w, 3) uint8 as the bytes of a file."""
        stream = io.BytesIO()
        image = Image.fromarray(pixels)
        if self.format == "JPEG":
            image.save(stream, "JPEG", quality=self.quality, subsampling=0 if self.full_chroma else 2)
        elif self.format == "WEBP":
            image.save(stream, "WEBP", quality=self.quality, method=2)
        elif self.format == "AVIF":
            image.save(stream, "AVIF", quality=self.quality, speed=8, max_threads=1)
        else:
            image.save(stream, "PNG", compress_level=1)
        return stream.getvalue()

    def pass_through(self, pixels: Pixels) -> Pixels:
        """Encode and decode again: (h, w, 3) uint8 → (h, w, 3) uint8."""
        if self.format == "PNG":
            return pixels
        with Image.open(io.BytesIO(self.encode(pixels))) as image:
            return np.array(image.convert("RGB"), np.uint8)


@dataclass(frozen=True, slots=True)
class View:
    """A named delivery condition.

    Attributes
    ----------
    name
        Short name, such as `jpeg75`.
    title
        The same for a person.
    codec
        The encoder that comes last.
    change
        What happens to the window before it: (h, w, 3) uint8 and a generator → (h', w', 3) uint8; None for nothing.
    family, level
        The curve of the robustness sweep that the view belongs to, and its place on that curve.
    side
        Side of the window in pixels, at most.
    """

    name: str
    title: str
    codec: Codec
    change: Change | None = None
    family: str = ""
    level: float = 0.0
    side: int = SIDE

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Cut a random window of at most `side` pixels and deliver it.

        Parameters
        ----------
        pixels
            (h, w, 3) uint8, RGB; left unchanged.
        rng
            The only source of chance.

        Returns
        -------
        (h', w', 3) uint8, RGB, contiguous, a new array.
        """
        return self.codec.pass_through(self._changed(pixels, rng))

    def file(self, pixels: Pixels, rng: np.random.Generator) -> bytes:
        """Deliver the same window as a file: its bytes decode to what calling the view gives."""
        return self.codec.encode(self._changed(pixels, rng))

    def _changed(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        seen = window(pixels, rng, self.side)
        return seen if self.change is None else self.change(seen, rng)


def cut_to(views: Sequence[View], side: int) -> tuple[View, ...]:
    """Views of windows of another side in pixels: larger ones are nearer to whole pictures, which people look at."""
    return tuple(replace(view, side=side) for view in views)


def random_view(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """One draw of the training distribution, the same for both classes.

    A random window of 160 to 248 px at a random grid phase, mirrored half of the time; in 70 % of the draws rescaled
    with a random kernel, mostly by 0.41 to 1 (evenly over octaves, so that half size is as common as full size), else
    by 1 to 1.4; now and then light blur, noise or a colour cast; then one re-encoding, in a quarter of the draws two:
    JPEG of quality 60 to 98 with 4:2:0 or 4:4:4 chroma; WebP of quality 60 to 95 in 12 %, AVIF of 40 to 85 in 6 %.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8, RGB; left unchanged.
    rng
        The only source of chance.

    Returns
    -------
    (h', w', 3) uint8, RGB, contiguous, a new array.

    Examples
    --------
    >>> picture = np.full((300, 400, 3), 128, np.uint8)
    >>> seen = random_view(picture, np.random.default_rng(1))
    >>> bool((seen == random_view(picture, np.random.default_rng(1))).all())
    True
    """
    seen = window(pixels, rng, side=int(rng.integers(160, SIDE + 1)))
    if rng.random() < 0.5:
        seen = np.ascontiguousarray(seen[:, ::-1])
    if rng.random() < 0.7:
        factor = 2.0 ** rng.uniform(-1.3, 0.0) if rng.random() < 0.85 else rng.uniform(1.0, 1.4)
        seen = resize(seen, factor, TRAIN_KERNELS[rng.integers(len(TRAIN_KERNELS))])
    seen = _disturb(seen, rng)
    for _ in range(1 + (rng.random() < 0.25)):
        kind = rng.random()
        if kind < 0.12:
            seen = webp(seen, int(rng.integers(60, 96)))
        elif kind < 0.18:
            seen = avif(seen, int(rng.integers(40, 86)))
        else:
            seen = jpeg(seen, int(rng.integers(60, 99)), full_chroma=bool(rng.random() < 0.5))
    return seen


def training_view(picture: Picture, rng: np.random.Generator) -> Pixels:
    """One draw of the training distribution from a file: `with_history` if it is no JPEG, then `random_view`.

    Parameters
    ----------
    picture
        The decoded file.
    rng
        The only source of chance.

    Returns
    -------
    (h', w', 3) uint8, RGB, contiguous, a new array.
    """
    pixels = np.asarray(picture.image, np.uint8)
    return random_view(with_history(pixels, rng) if picture.jpeg is None else pixels, rng)


def with_history(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Give a picture that was never compressed a first JPEG, in 70 % of the draws, before anything else is done to it.

    Cameras and the web compress nearly every real picture; collections of generated ones are often lossless originals.
    The last codec of a view does not take that difference away, and a detector learns it instead of the generator.

    Parameters
    ----------
    pixels
        (h, w, 3) uint8, RGB, of a file that is no JPEG; left unchanged.
    rng
        The only source of chance.

    Returns
    -------
    (h, w, 3) uint8: through JPEG of quality 72 to 97, 4:4:4 in 40 %, or as it came.
    """
    if rng.random() >= 0.7:
        return pixels
    return jpeg(pixels, int(rng.integers(72, 98)), full_chroma=bool(rng.random() < 0.4))


def seeded(name: str, seed: int = 0) -> np.random.Generator:
    """Make a generator that depends on a picture's name and a seed alone, never on the order of a data set.

    Examples
    --------
    >>> bool(seeded("a.jpg").integers(9**9) == seeded("a.jpg").integers(9**9))
    True
    """
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")])


def window(pixels: Pixels, rng: np.random.Generator, side: int = SIDE) -> Pixels:
    """Cut a random square window at native resolution, at most `side` px and never larger than the picture."""
    height, width = pixels.shape[:2]
    side = min(side, height, width)
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    return np.array(pixels[y : y + side, x : x + side], order="C")


def jpeg(pixels: Pixels, quality: int, *, full_chroma: bool = False) -> Pixels:
    """Through JPEG at an IJG quality of 1 to 100; chroma 4:4:4 when `full_chroma`, else 4:2:0."""
    return Codec("JPEG", quality, full_chroma).pass_through(pixels)


def webp(pixels: Pixels, quality: int) -> Pixels:
    """Through lossy WebP at a quality of 1 to 100."""
    return Codec("WEBP", quality).pass_through(pixels)


def avif(pixels: Pixels, quality: int) -> Pixels:
    """Through lossy AVIF at a quality of 1 to 100 of Pillow's scale."""
    return Codec("AVIF", quality).pass_through(pixels)


def resize(pixels: Pixels, factor: float, kernel: Kernel = "area") -> Pixels:
    """Resized by `factor` > 0, each side at least 8 px; `…-aa` kernels widen with the reduction, as browsers do."""
    height, width = (max(8, round(side * factor)) for side in pixels.shape[:2])
    if kernel in _PIL_KERNELS:
        return np.array(Image.fromarray(pixels).resize((width, height), _PIL_KERNELS[kernel]), np.uint8)
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=_CV_KERNELS[kernel]), np.uint8)


def blur(pixels: Pixels, sigma: float) -> Pixels:
    """Gaussian blur with a standard deviation of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def noise(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Independent Gaussian noise with a standard deviation of `sigma` grey levels."""
    noisy = pixels + rng.normal(0.0, sigma, pixels.shape).astype(np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def colour_cast(pixels: Pixels, gains: NDArray[np.float64], gamma: float) -> Pixels:
    """Apply a gain per channel and one gamma, as white balance and a brightness slider give."""
    levels = np.arange(256)[:, None] / 255.0
    table = np.clip(np.rint(255.0 * (levels * gains) ** gamma), 0, 255).astype(np.uint8)
    return np.stack([table[pixels[..., c], c] for c in range(3)], axis=-1)


def faded(pixels: Pixels, saturation: float) -> Pixels:
    """Blend with the picture's luma (ITU-R BT.601): 1 leaves the colours as they are, 0 leaves none."""
    luma = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return cv2.addWeighted(pixels, saturation, luma, 1.0 - saturation, 0.0).astype(np.uint8)


def _disturb(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    if rng.random() < 0.08:
        pixels = blur(pixels, rng.uniform(0.3, 1.2))
    if rng.random() < 0.08:
        pixels = noise(pixels, rng.uniform(1.0, 5.0), rng)
    if rng.random() < 0.10:
        pixels = colour_cast(pixels, rng.uniform(0.92, 1.08, 3), rng.uniform(0.85, 1.18))
    return pixels


def _resized(pixels: Pixels, _rng: np.random.Generator, *, factor: float) -> Pixels:
    return resize(pixels, factor, "area" if factor < 1 else "cubic")


def _blurred(pixels: Pixels, _rng: np.random.Generator, *, sigma: float) -> Pixels:
    return blur(pixels, sigma)


def _noisy(pixels: Pixels, rng: np.random.Generator, *, sigma: float) -> Pixels:
    return noise(pixels, sigma, rng)


def _screenshot(pixels: Pixels, _rng: np.random.Generator, *, factor: float) -> Pixels:
    return resize(pixels, factor, "linear")


def _faded(pixels: Pixels, _rng: np.random.Generator, *, saturation: float) -> Pixels:
    return faded(pixels, saturation)


def _reposted(pixels: Pixels, _rng: np.random.Generator, *, times: int) -> Pixels:
    for factor, quality in ((0.8, 85), (0.85, 75), (0.9, 75))[: times - 1]:
        pixels = jpeg(resize(pixels, factor, "lanczos-aa"), quality)
    return resize(pixels, (0.8, 0.85, 0.9)[times - 1], "lanczos-aa")


_J90 = Codec("JPEG", 90)

CLEAN = View("clean", "native window, JPEG 95 4:4:4", Codec("JPEG", 95, full_chroma=True))
JPEG90 = View("jpeg90", "JPEG 90", _J90)
JPEG75 = View("jpeg75", "JPEG 75", Codec("JPEG", 75))
HALF = View("half", "half size, then JPEG 90", _J90, partial(_resized, factor=0.5))

CONDITIONS: tuple[View, ...] = (CLEAN, JPEG90, JPEG75, HALF)
"""The matched conditions of every evaluation and of calibration."""

LARGE_CONDITIONS: tuple[View, ...] = tuple(
    replace(view, name=f"large-{view.name}", title=f"{view.title}, up to 1,024 px") for view in cut_to(CONDITIONS, 1024)
)
"""What head and calibration see of a picture that has several windows: their mean is surer than one of them."""

GREY = View("grey", "black and white, JPEG 90", _J90, partial(_faded, saturation=0.0))
"""What head and calibration see beside the matched conditions, or the lack of colour would speak for a camera."""

SWEEP: tuple[View, ...] = (
    *(View(f"jpeg-{q}", f"JPEG {q}", Codec("JPEG", q), None, "JPEG quality", q) for q in (95, 85, 75, 65, 50, 40)),
    *(View(f"webp-{q}", f"WebP {q}", Codec("WEBP", q), None, "WebP quality", q) for q in (90, 70, 50)),
    *(View(f"avif-{q}", f"AVIF {q}", Codec("AVIF", q), None, "AVIF quality", q) for q in (80, 60, 40)),
    *(
        View(f"resize-{f:g}", f"{f:g} × size, JPEG 90", _J90, partial(_resized, factor=f), "resize factor", f)
        for f in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
    ),
    *(
        View(f"crop-{s}", f"{s} px crop, JPEG 90", _J90, partial(window, side=s), "crop side (px)", s)
        for s in (SIDE, 192, 128, 96, 64)
    ),
    *(
        View(f"blur-{s:g}", f"blur of {s:g} px, JPEG 90", _J90, partial(_blurred, sigma=s), "blur (px)", s)
        for s in (0.5, 1.0, 2.0)
    ),
    *(
        View(f"saturation-{s:g}", f"{s:g} × saturation, JPEG 90", _J90, partial(_faded, saturation=s), "saturation", s)
        for s in (0.0, 0.5, 1.0)
    ),
    *(
        View(f"noise-{s:g}", f"noise of {s:g} levels, JPEG 90", _J90, partial(_noisy, sigma=s), "noise (levels)", s)
        for s in (2.0, 5.0, 10.0)
    ),
    *(
        View(
            f"screenshot-{f:g}",
            f"screenshot at {f:g} ×, PNG",
            Codec("PNG"),
            partial(_screenshot, factor=f),
            "screenshot scale",
            f,
        )
        for f in (0.7, 0.85, 1.15, 1.3)
    ),
    *(
        View(f"reposts-{n}", f"re-posted {n} ×", Codec("JPEG", q), partial(_reposted, times=n), "re-posts", n)
        for n, q in ((1, 85), (2, 75), (3, 75))
    ),
)
"""The robustness sweep: curves by `family`, in order of `level`; what has no codec of its own ends in JPEG 90."""
