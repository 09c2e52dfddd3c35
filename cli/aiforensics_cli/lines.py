"""How words stand on a terminal: lines, and values behind their labels. Imports nothing of the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

LABEL = 12
"""Width of the column of labels in characters."""


def field(console: Console, label: str, value: Text) -> None:
    """Print a value behind its label, in a column of its own on a terminal."""
    if not console.is_terminal:
        line(console, Text.assemble(f"{label:<{LABEL}}", value), indent=2)
        return
    row = Table.grid(padding=0)
    row.add_column(width=LABEL, style="dim")
    row.add_column(overflow="fold")
    row.add_row(label, value)
    console.print(Padding(row, (0, 0, 0, 2)))


def line(console: Console, text: Text, indent: int = 0) -> None:
    """Print a text, which a terminal may break where it is too long."""
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent)))
    else:
        console.print(Text(" " * indent) + text, soft_wrap=True)
