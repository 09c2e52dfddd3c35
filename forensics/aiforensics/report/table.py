"""The page for a batch: one table of thousands of rows, no pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aiforensics.evidence import Finding, Refusal
from aiforensics.explain import top_reason
from aiforensics.report.page import write_page


def batch_page(
    rows: Iterable[Finding | Refusal | Mapping[str, Any]],
    path: str | Path,
    *,
    title: str = "Batch",
    generated: datetime | None = None,
) -> None:
    """Write a page with a table of findings, the highest probabilities first, and the refused inputs after them.

    Parameters
    ----------
    rows
        Findings and refusals, or their objects of the command line contract (as `batch --jsonl` writes them).
    path
        The HTML file to write; an existing one is replaced.
    title
        What was examined, for the heading.
    generated
        The time that the page states, with a time zone; by default now.

    Raises
    ------
    OSError
        If the file cannot be written.
    PageError
        If the file is a picture: a page is never worth one.
    """
    objects = [row if isinstance(row, Mapping) else row.to_dict() for row in rows]
    refused = [row for row in objects if "error" in row]
    found = sorted((_row(row) for row in objects if "error" not in row), key=lambda row: (-row.p_ai, row.path))
    counts = {verdict: sum(row.verdict == verdict for row in found) for verdict in ("ai", "inconclusive", "real")}
    models = sorted({f"{row['model']['name']} {row['model']['version']}" for row in objects if "error" not in row})
    context: dict[str, object] = {
        "title": title,
        "rows": found,
        "refused": refused,
        "counts": counts,
        "models": models,
        "total": len(objects),
    }
    write_page("batch.html.j2", path, context, generated)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    path: str
    sha256: str
    verdict: str
    p_ai: float
    low: float
    high: float
    quality: str
    provenance: str
    origin: str
    reason: str


def _row(finding: Mapping[str, Any]) -> Row:
    return Row(
        path=finding["path"],
        sha256=finding["sha256"],
        verdict=finding["verdict"],
        p_ai=finding["p_ai"],
        low=finding["interval"][0],
        high=finding["interval"][1],
        quality=finding["quality"]["level"],
        provenance=finding["provenance"]["level"],
        origin=finding["provenance"]["origin"],
        reason=top_reason(finding),
    )
