"""The analyzers: one file each, one visible tuple. A new one is tested the moment it is listed here."""

from aiforensics.analyzers.background import Background
from aiforensics.analyzers.color import Color
from aiforensics.analyzers.ela import ErrorLevel
from aiforensics.analyzers.jpeg import Jpeg
from aiforensics.analyzers.lighting import Lighting
from aiforensics.analyzers.noise import Noise
from aiforensics.analyzers.protocol import Analyzer, Exhibit
from aiforensics.analyzers.spectrum import Spectrum
from aiforensics.analyzers.texture import Texture
from aiforensics.analyzers.uncertainty import Uncertainty

__all__ = ["ANALYZERS", "ASKING", "NOT_SCORED", "SCORED", "Analyzer", "Exhibit"]

ASKING: tuple[Analyzer, ...] = (Uncertainty(), Background())
"""Those that ask the network for a forecast; none of them is scored."""

ANALYZERS: tuple[Analyzer, ...] = (
    ErrorLevel(),
    Spectrum(),
    Texture(),
    Noise(),
    Jpeg(),
    Color(),
    Lighting(),
    *ASKING,
)

NOT_SCORED: tuple[str, ...] = ("jpeg.quality_estimate", "uncertainty", "lighting", "background")
"""Features, or whole analyzers, that are evidence on the page or belong to evidence quality, never to the score."""

SCORED: tuple[str, ...] = tuple(
    spec.name
    for analyzer in ANALYZERS
    if analyzer.name not in NOT_SCORED
    for spec in analyzer.specs
    if spec.name not in NOT_SCORED
)
"""Full names of the features that may enter the score, in order."""
