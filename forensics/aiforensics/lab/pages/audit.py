"""The page of an audit: self-contained HTML with plots as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiforensics.lab.pages.charts import interval_bar
from aiforensics.lab.pages.words import TEMPLATES, reach
from aiforensics.report.page import write_page


def audit_page(reports: Sequence[tuple[str, Mapping[str, Any]]], path: Path, *, title: str) -> None:
    """Write the page of an audit.

    Parameters
    ----------
    reports
        Heading and `AuditReport.to_dict` of each part, the audit of the files first.
    path
        The HTML file to write; an existing one is replaced.
    title
        What was audited, for the heading.
    """
    parts = [
        {
            "heading": heading,
            "r": report,
            "cues": [
                (
                    name,
                    cue["value"],
                    reach((cue["low"], cue["high"]), between=" to "),
                    interval_bar(
                        cue["value"], (cue["low"], cue["high"]), "ai" if cue["leaks"] else "inconclusive", base=0.5
                    ),
                )
                for name, cue in report["cues"].items()
            ],
        }
        for heading, report in reports
    ]
    write_page("audit.html.j2", path, {"title": title, "parts": parts}, folder=TEMPLATES)
