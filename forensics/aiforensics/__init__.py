"""Says whether a picture was made by an AI model or by a camera, how sure it is, why, and when it cannot tell.

Examples
--------
>>> import aiforensics
>>> finding = aiforensics.scan("photo.jpg")  # doctest: +SKIP
>>> finding.verdict, finding.p_ai, finding.quality.level  # doctest: +SKIP
('real', 0.08, 'good')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiforensics.evidence import Finding, InputError, Refusal
    from aiforensics.pipeline import Scanner, scan, scan_many

__version__ = "0.1.0"
__all__ = ["Finding", "InputError", "Refusal", "Scanner", "__version__", "scan", "scan_many"]

_HOMES = {
    "Finding": "evidence",
    "InputError": "evidence",
    "Refusal": "evidence",
    "Scanner": "pipeline",
    "scan": "pipeline",
    "scan_many": "pipeline",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a lazy attribute may be of any type
    """Import the public names on first use, so that `import aiforensics` stays light."""
    from importlib import import_module  # noqa: PLC0415

    if name == "batch":
        return import_module("aiforensics.batch")
    if name not in _HOMES:
        raise AttributeError(f"module 'aiforensics' has no attribute {name!r}")
    return getattr(import_module(f"aiforensics.{_HOMES[name]}"), name)
