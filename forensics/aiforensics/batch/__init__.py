"""Many files, local processes: a file that crashes or stalls its worker costs that file, never the batch.

Examples
--------
>>> from functools import partial
>>> from aiforensics.batch import Listing, scan_items
>>> from aiforensics.pipeline import Scanner  # doctest: +SKIP
>>> for result in scan_items(Listing(["photos/"]), partial(Scanner, "default"), workers=2):  # doctest: +SKIP
...     result["path"], result.get("verdict")
"""

from aiforensics.batch.crew import BatchError, scan_items
from aiforensics.batch.ledger import COLUMNS, Ledger, to_row
from aiforensics.batch.listing import Item, Listing
from aiforensics.batch.worker import Result, Scans

__all__ = ["COLUMNS", "BatchError", "Item", "Ledger", "Listing", "Result", "Scans", "scan_items", "to_row"]
