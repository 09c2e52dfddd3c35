"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str], None]
"""Takes a line of progress."""
Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""
