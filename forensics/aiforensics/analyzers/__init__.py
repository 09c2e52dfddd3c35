"""The analyzers: one file each, one visible tuple. A new one is tested the moment it is listed here."""

from aiforensics.analyzers.protocol import Analyzer, Exhibit

__all__ = ["ANALYZERS", "Analyzer", "Exhibit"]

ANALYZERS: tuple[Analyzer, ...] = ()
