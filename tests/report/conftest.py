"""Made-up findings, so that the report is tested without a model."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from aiforensics.evidence import (
    Card,
    Claim,
    Feature,
    Finding,
    Measurement,
    ModelRef,
    Provenance,
    Quality,
    Reason,
    ToolRef,
)
from aiforensics.image import JpegFacts, Picture

WHEN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

CARDS = {
    "ela": Card(
        "Error level analysis",
        "How much each block changes when the picture is saved once more: parts with another history stand out.",
        "Sharp edges and saturated colours light up in every picture; one more save at low quality hides the rest.",
        "The picture was re-saved by a website or a messenger, or it is a PNG that was never a JPEG.",
        "Krawetz 2007, A Picture's Worth",
    ),
    "spectrum": Card(
        "Frequency spectrum",
        "Regular peaks and a bent slope in the spectrum of the residual, as up-sampling layers leave them.",
        "Resizing, halftone prints, fabrics and fences make peaks too.",
        "The picture was enlarged or is a scan of a print.",
        "Durall et al. 2020, doi:10.1109/CVPR42600.2020.00791",
    ),
    "noise": Card(
        "Noise residual",
        "Sensor noise that grows with brightness and is spread evenly.",
        "Night modes and beauty filters remove it; film grain filters add it.",
        "The picture is smaller than 512 pixels or heavily compressed.",
        "Fridrich and Kodovsky 2012, doi:10.1109/TIFS.2012.2190402",
    ),
    "color": Card(
        "Colour statistics",
        "Correlations between channels that demosaicing leaves.",
        "Black-and-white conversion, colour grading.",
        "The picture is grey or a screenshot.",
        "Popescu and Farid 2005, doi:10.1109/TSP.2005.855406",
    ),
}

FEATURES = {
    "ela": (("mean_error", "grey levels", 3.21), ("block_spread", "ratio", 0.41)),
    "spectrum": (("slope", "1", -2.31), ("peak_energy", "dB", 12.4), ("high_share", "ratio", 0.0031)),
    "noise": (("level", "grey levels", 1.7), ("evenness", "1", 0.62), ("slope", "ratio", 0.0007)),
    "color": (("rg_correlation", "1", 0.97), ("cfa_peak", "dB", 4.4)),
}

MEANINGS = {
    "ela.mean_error": "Mean difference after one more save at quality 90",
    "spectrum.slope": "Slope of the azimuthal power spectrum in log-log axes",
}

SHARES = {
    "ai": (
        ("embedding", 0.0, "1", 1.61, "The embedding network finds patterns that it knows from generated pictures"),
        ("spectrum.peak_energy", 12.4, "dB", 0.82, "Regular peaks stand out of the residual spectrum"),
        ("spectrum.slope", -2.31, "1", 0.21, "The spectrum falls off more steeply than in photographs"),
        ("noise.evenness", 0.62, "1", 0.47, "The noise is spread less evenly than sensor noise"),
        ("noise.level", 1.7, "grey levels", -0.12, "The noise level is common among photographs"),
        ("color.cfa_peak", 4.4, "dB", -0.38, "Traces of demosaicing are there, as a camera leaves them"),
        ("ela.mean_error", 3.21, "grey levels", 0.05, "The error level is slightly higher than usual"),
    ),
    "real": (
        ("embedding", 0.0, "1", -1.42, "The embedding network finds patterns that it knows from photographs"),
        ("color.cfa_peak", 4.4, "dB", -0.91, "Traces of demosaicing are there, as a camera leaves them"),
        ("noise.slope", 0.0007, "ratio", -0.52, "The noise grows with brightness, as sensor noise does"),
        ("spectrum.high_share", 0.0031, "ratio", 0.18, "Fine detail is weaker than in most photographs"),
    ),
    "inconclusive": (
        ("embedding", 0.0, "1", 0.21, "The embedding network leans slightly towards generated pictures"),
        ("color.cfa_peak", 0.4, "dB", 0.11, "No traces of demosaicing are left"),
        ("noise.level", 0.4, "grey levels", -0.19, "The noise level is common among photographs"),
    ),
}

SCORES = {
    "ai": (0.93, (0.86, 0.97), Quality("good")),
    "real": (0.06, (0.02, 0.13), Quality("good")),
    "inconclusive": (0.47, (0.18, 0.79), Quality("poor", ("224 pixels on the short side", "heavy JPEG compression"))),
}

DECISIONS = {
    "ai": "The probability lies above the threshold for AI, and so does its whole interval.",
    "real": "The probability lies below the threshold for real pictures, and so does its whole interval.",
    "inconclusive": "The evidence quality is poor, so the pixels alone cannot settle the origin.",
}


@dataclass(frozen=True)
class MadeUpMap:
    analyzer: str
    title: str
    pixels: np.ndarray
    x: int
    y: int


@dataclass(frozen=True)
class MadeUpExamination:
    finding: Finding
    picture: Picture
    maps: tuple[MadeUpMap, ...] = ()
    activation: tuple[MadeUpMap, ...] = ()
    thresholds: tuple[float, float] | None = (0.22, 0.81)


def made_up_picture(name="astronaut", orientation=1, enlarge=1):
    pixels = getattr(data, name)()
    image = Image.fromarray(pixels)
    image = image.resize((image.width * enlarge, image.height * enlarge))
    jpeg = JpegFacts(((1,) * 64,), 92, "4:2:0", progressive=False)
    return Picture(
        path=f"evidence/{name}.jpg",
        data=b"",
        sha256="3b" * 32,
        format="JPEG",
        stored=image,
        orientation=orientation,
        jpeg=jpeg,
    )


def made_up_finding(verdict="ai", path="evidence/astronaut.jpg", **changes):
    p, interval, quality = SCORES[verdict]
    finding = Finding(
        path=path,
        sha256="3b" * 32,
        bytes=182_431,
        format="JPEG",
        width=512,
        height=512,
        verdict=verdict,
        p_ai=p,
        interval=interval,
        quality=quality,
        provenance=Provenance(),
        analyzers=tuple(
            Measurement(name, tuple(Feature(f"{name}.{short}", value, unit) for short, unit, value in features))
            for name, features in FEATURES.items()
        ),
        reasons=tuple(Reason(*share) for share in SHARES[verdict]),
        model=ModelRef("default", "0.1.0", "c4" * 32),
        tool=ToolRef("aiforensics", "0.1.0"),
        seconds=0.412,
        notes=("ICC profile Display P3 converted to sRGB",),
        condition="jpeg-90",
        decision=DECISIONS[verdict],
    )
    return replace(finding, **changes)


def made_up_examination(verdict="ai", name="astronaut", orientation=1, enlarge=1, maps=True, **changes):
    picture = made_up_picture(name, orientation, enlarge)
    changes = {"path": picture.path, "width": picture.width, "height": picture.height, **changes}
    finding = made_up_finding(verdict, **changes)
    drawn, activation = [], []
    for window in picture.windows if maps else ():
        image = Image.fromarray(window.pixels)
        residual = np.asarray(image, np.int16) - np.asarray(image.filter(ImageFilter.GaussianBlur(1)), np.int16)
        edges = np.clip(128 + 4 * residual, 0, 255).astype(np.uint8)
        spectrum = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(window.luma))))
        spectrum = np.uint8(255 * spectrum / spectrum.max())[..., None].repeat(3, axis=2)
        drawn += [
            MadeUpMap("noise", "Noise residual", edges, window.x, window.y),
            MadeUpMap("spectrum", "Power spectrum", spectrum, window.x, window.y),
            MadeUpMap("ela", "Error level", np.abs(8 * residual).clip(0, 255).astype(np.uint8), window.x, window.y),
        ]
        heat = np.asarray(image.filter(ImageFilter.GaussianBlur(18)))
        activation.append(MadeUpMap("embedding", "Class activation", heat, window.x, window.y))
    return MadeUpExamination(finding, picture, tuple(drawn), tuple(activation))


def claims(*rows):
    return tuple(Claim(*row) for row in rows)


@pytest.fixture
def examine():
    return made_up_examination


@pytest.fixture
def write(tmp_path):
    """Write a report with the made-up cards at a fixed time and return its text."""
    from aiforensics.report import write_report

    def _write(*examinations, **options):
        path = tmp_path / "report.html"
        write_report(examinations, path, generated=WHEN, cards=CARDS, meanings=MEANINGS, **options)
        return path.read_text(encoding="utf-8")

    return _write
