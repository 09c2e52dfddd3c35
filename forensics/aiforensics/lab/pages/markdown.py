"""Pieces of Markdown that cards are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar in a cell does not end it.

    Examples
    --------
    >>> table(["a", "b"], [["1", "2"]]).splitlines()
    ['| a | b |', '| --- | --- |', '| 1 | 2 |']
    """
    return "\n".join(map(_row, (heads, ["---"] * len(heads), *rows)))


def shell(command: str) -> str:
    """Write a block with a command; nothing where there is none."""
    return f"```sh\n{command}\n```" if command else ""


def number(value: float | None) -> str:
    """Write a figure with three decimals, or a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
