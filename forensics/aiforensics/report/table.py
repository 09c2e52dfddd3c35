"""The page for a batch: one table of thousands of rows, no pictures; of more, the highest probabilities alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aiforensics.evidence import Finding, Refusal
from aiforensics.explain import top_reason
from aiforensics.report.page import write_page

SHOWN = 5_000
"""Findings on a page at most, and as many refusals: a browser opens that, and a batch of a million fits into memory."""
_PATH, _REASON = 300, 200
"""Characters of a name or message, and of a reason, that a row shows."""


def batch_page(
    rows: Iterable[Finding | Refusal | Mapping[str, Any]],
    path: str | Path,
    *,
    title: str = "Batch",
    generated: datetime | None = None,
) -> None:
    """Write a page with a table of findings, the highest probabilities first, and the refused inputs after them.

    At most `SHOWN` of each have a row, and all are counted.

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
    table = BatchTable()
    for row in rows:
        table.add(row if isinstance(row, Mapping) else row.to_dict())
    table.write(path, title=title, generated=generated)


class BatchTable:
    """What the page of a batch will hold, gathered in bounded memory while the batch runs."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._models: set[str] = set()
        self._found: list[Row] = []
        self._refused: list[Lost] = []

    def add(self, result: Mapping[str, Any]) -> None:
        """Take in a finding or a refusal, as its object of the command line contract."""
        if "error" in result:
            self._counts["refused"] += 1
            if len(self._refused) < SHOWN:
                error = result["error"]
                self._refused.append(Lost(_both_ends(result["path"]), error["kind"], _start(error["message"], _PATH)))
            return
        self._counts[result["verdict"]] += 1
        self._models.add(f"{result['model']['name']} {result['model']['version']}")
        self._found.append(_row(result))
        if len(self._found) >= 2 * SHOWN:
            self._sift()

    def write(self, path: str | Path, *, title: str = "Batch", generated: datetime | None = None) -> None:
        """Write the page of what was taken in; parameters and errors are those of `batch_page`."""
        self._sift()
        counts = {verdict: self._counts[verdict] for verdict in ("ai", "inconclusive", "real")}
        context: dict[str, object] = {
            "title": title,
            "rows": self._found,
            "refused": self._refused,
            "counts": counts,
            "found_total": sum(counts.values()),
            "refused_total": self._counts["refused"],
            "models": sorted(self._models),
            "total": self._counts.total(),
        }
        write_page("batch.html.j2", path, context, generated)

    def _sift(self) -> None:
        """Put the highest first and those whose score is not to be used last, and keep as many as are shown."""
        self._found.sort(key=lambda row: (row.quality == "poor", -row.p_ai, row.path))
        del self._found[SHOWN:]


@dataclass(frozen=True, slots=True)
class Lost:
    """One refused input."""

    path: str
    kind: str
    message: str


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
        path=_both_ends(finding["path"]),
        sha256=finding["sha256"],
        verdict=finding["verdict"],
        p_ai=finding["p_ai"],
        low=finding["interval"][0],
        high=finding["interval"][1],
        quality=finding["quality"]["level"],
        provenance=finding["provenance"]["level"],
        origin=finding["provenance"]["origin"],
        reason=_start(top_reason(finding), _REASON),
    )


def _both_ends(path: str) -> str:
    """A path as a row shows it: of a long one the beginning and, because it tells pictures apart, the name."""
    return path if len(path) <= _PATH else f"{path[: _PATH // 2]}…{path[1 - _PATH // 2 :]}"


def _start(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
