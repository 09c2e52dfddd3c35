"""What a bundle knows of its own training pictures, so that no evaluation takes them for new ones unawares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aiforensics.lab.data.dataset import Sample, learnable
from aiforensics.lab.data.splits import SHARES, Shares, parse_shares
from aiforensics.lab.data.sums import sum_of
from aiforensics_models.bundle import Bundle

FILE = "seen.bin"
"""A bundle's file of short sums in ascending order, 4 bytes each: 120 kB for 30,000 pictures."""
DIGITS = 8
"""Hexadecimal digits of a short sum; of 10,000 strange pictures, 0.07 have by chance one of 30,000."""


def short_sum(path: Path) -> str:
    """The beginning of a file's sum, by which bundles know what they learned from."""
    return sum_of(path)[:DIGITS]


def record(folder: Path, samples: Iterable[Sample], earlier: Iterable[str] = ()) -> None:
    """Write the short sums of what a bundle learned from into its folder, before its manifest is written.

    Parameters
    ----------
    folder
        The bundle's folder.
    samples
        The data set; `test` is left out.
    earlier
        Short sums of what its first weights had learned from.
    """
    sums = {short_sum(sample.path) for sample in learnable(samples)}
    (folder / FILE).write_bytes(bytes.fromhex("".join(sorted(sums.union(earlier)))))


def seen(bundle: Bundle) -> frozenset[str] | None:
    """Short sums of the pictures that a bundle learned from; None where it does not state them."""
    if FILE not in bundle.manifest.get("files", ()):
        return None
    sums = (bundle.folder / FILE).read_bytes().hex()
    return frozenset(sums[at : at + DIGITS] for at in range(0, len(sums), DIGITS))


def drawn(manifest: Mapping[str, Any], seed: int) -> tuple[int, Shares]:
    """Seed and shares of the splits that a bundle's data set was cut into, where they are not given.

    Parameters
    ----------
    manifest
        The bundle's `bundle.json`, which states them under `training.split`.
    seed
        The seed where it does not; the shares are then the usual ones.

    Raises
    ------
    aiforensics.lab.data.dataset.DatasetError
        The stated shares make no sense.
    """
    stated = manifest.get("training", {}).get("split")
    return (int(stated["seed"]), parse_shares(str(stated["shares"]))) if stated else (seed, SHARES)
