"""Findings as self-contained HTML pages: no script, nothing loaded from elsewhere, hostile metadata escaped."""

from aiforensics.report.page import write_page
from aiforensics.report.scan import write_report
from aiforensics.report.table import BatchTable, batch_page

__all__ = ["BatchTable", "batch_page", "write_page", "write_report"]
