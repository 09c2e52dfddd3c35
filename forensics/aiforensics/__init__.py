"""Says whether a picture was made by an AI model or by a camera, how sure it is, why, and when it cannot tell.

Examples
--------
>>> import aiforensics
>>> finding = aiforensics.scan("photo.jpg")  # doctest: +SKIP
>>> finding.verdict, finding.p_ai, finding.quality.level  # doctest: +SKIP
('real', 0.08, 'good')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiforensics import batch
    from aiforensics.evidence import Finding, InputError, Refusal
    from aiforensics.features import FeatureError
    from aiforensics.image import Limits
    from aiforensics.pipeline import Scanner, scan, scan_many
    from aiforensics.provenance import TrustError
    from aiforensics_models.bundle import BundleError

__version__ = "0.1.0"
__all__ = [
    "BundleError",
    "FeatureError",
    "Finding",
    "InputError",
    "Limits",
    "Refusal",
    "Scanner",
    "TrustError",
    "__version__",
    "batch",
    "scan",
    "scan_many",
]

_HOMES = {
    "BundleError": "aiforensics_models.bundle",
    "FeatureError": "aiforensics.features",
    "Finding": "aiforensics.evidence",
    "InputError": "aiforensics.evidence",
    "Limits": "aiforensics.image",
    "Refusal": "aiforensics.evidence",
    "Scanner": "aiforensics.pipeline",
    "TrustError": "aiforensics.provenance",
    "scan": "aiforensics.pipeline",
    "scan_many": "aiforensics.pipeline",
}

if not TYPE_CHECKING:  # a type checker takes the names from above, and tells of one that is not there

    def __getattr__(name: str) -> object:
        """Import the public names on first use, so that `import aiforensics` stays light."""
        from importlib import import_module  # noqa: PLC0415

        if name == "batch":
            return import_module("aiforensics.batch")
        if name not in _HOMES:
            raise AttributeError(f"module 'aiforensics' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Every name, those too that are not imported yet: completion asks for them."""
    return sorted({*globals(), *__all__})
