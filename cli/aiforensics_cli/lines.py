"""How words stand on a terminal: lines, values behind their labels, manifests. Imports nothing of the house."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from aiforensics_cli.console import clean

if TYPE_CHECKING:
    from rich.console import Console

LABEL = 12
"""Width of the column of labels in characters."""
_MANIFEST_DEPTH = 2
_MANIFEST_LINE = 100
_MANIFEST_ROWS = 20


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


def show_manifest(console: Console, manifest: Mapping[str, Any], depth: int = 0) -> None:
    """Print what stands in a bundle's manifest; a long list or table as its length, numbers with four digits."""
    for key, value in manifest.items():
        label = Text("  " * depth + clean(key), "bold" if depth == 0 else "")
        if isinstance(value, dict) and 0 < len(value) <= _MANIFEST_ROWS and depth < _MANIFEST_DEPTH:
            console.print(label, soft_wrap=True)
            show_manifest(console, value, depth + 1)
            continue
        short = _rounded(value)
        text = json.dumps(short, ensure_ascii=False) if not isinstance(short, str) else short
        if isinstance(value, list | dict) and len(text) > _MANIFEST_LINE:
            text = f"{len(value)} entries; --json lists them"
        console.print(label + Text(": ") + Text(clean(text), ""), soft_wrap=True)


def _rounded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The same with numbers of four digits, at any depth."""
    if isinstance(value, dict):
        return {key: _rounded(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_rounded(held) for held in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
