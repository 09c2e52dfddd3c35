"""Recipes against the fusion on sources that none of them saw.

    python benchmarks/leftout.py DATA... --work BUNDLE.work --fold 0 --manifest leftout.csv
    aiforensics compare leftout.csv --recipes cnn,resnet,cbam-resnet --augment delivery --minutes 5

The work folder is that of `train DATA... --recipe fusion-xgboost`: its out-of-fold table holds every picture as a
network measured it that had not seen the picture's generator family or real source. The manifest makes the pictures of
one fold the split `test` and keeps all others as they are, so that `compare` leaves out the same sources; the fusion's
figures on those pictures are printed, head and mix fitted on the other folds.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiforensics.analyzers import SCORED
from aiforensics.lab.dataset import Sample, load_dataset
from aiforensics.lab.folds import balance, family_folds
from aiforensics.lab.fusion import FusionConfig, chosen
from aiforensics.lab.measure import Table
from aiforensics.lab.metrics import roc_auc
from aiforensics.lab.stacking import fit_stack
from aiforensics.lab.views import CONDITIONS
from aiforensics_models.heads import EMBEDDING


@dataclass(frozen=True)
class Strangers:
    """What the fusion said of pictures of sources that it had not seen.

    Attributes
    ----------
    seen
        The pictures of `train` and `val`.
    folds
        (n,) the fold that each was left out of.
    samples, table
        Those that were measured, and their table.
    left_out
        (rows,) fold of every row of the table.
    parts
        (rows,) out-of-fold log-odds by name of the part.
    """

    seen: Sequence[Sample]
    folds: NDArray[np.int64]
    samples: Sequence[Sample]
    table: Table
    left_out: NDArray[np.int64]
    parts: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, data: Sequence[Path], work: Path) -> Strangers:
        """Read the work folder of `train DATA... --recipe fusion-xgboost` with default knobs."""
        config = FusionConfig()
        seen = [sample for sample in load_dataset(data) if sample.split != "test"]
        known = json.loads((work / "folds.json").read_text(encoding="utf-8"))
        folds = family_folds(seen, config.folds, config.seed, known)
        picked = chosen(seen, config)
        samples, table = [seen[i] for i in picked], Table.load(work / "out-of-fold.npz")
        labels = np.array([sample.label == "ai" for sample in samples], np.float64)[table.sample]
        weights, left_out = balance(samples)[table.sample], folds[picked][table.sample]
        rows, embedding = table.columns(SCORED), table.column(EMBEDDING)
        stack = fit_stack(rows, embedding, labels, left_out, weights, config.head, config.seed)
        return cls(seen, folds, samples, table, left_out, stack.parts)

    def scores(self) -> dict[tuple[str, str], float]:
        """Fused log-odds by (key of the picture, view)."""
        pairs = zip(self.table.sample.tolist(), self.table.view.tolist(), self.parts["fused"].tolist(), strict=True)
        return {(self.samples[i].key, view): odds for i, view, odds in pairs}


def main() -> None:
    """Write the manifest and print the fusion's figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path, help="what the fusion was trained on")
    parser.add_argument("--work", type=Path, required=True, help="work folder of that training")
    parser.add_argument("--fold", type=int, default=0, help="fold that is left out")
    parser.add_argument("--manifest", type=Path, required=True, help="CSV to write")
    options = parser.parse_args()
    strangers = Strangers.of(options.data, options.work)
    write_manifest(options.manifest, strangers, options.fold)
    sys.stdout.write(figures(strangers, options.fold))


def write_manifest(path: Path, strangers: Strangers, fold: int) -> None:
    """Write a manifest: pictures of the other folds with their split, the measured ones of this fold as `test`."""
    measured = {sample.path for sample in strangers.samples}
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "label", "source", "generator", "group", "split"])
        for sample, of in zip(strangers.seen, strangers.folds.tolist(), strict=True):
            if of != fold or sample.path in measured:
                split = "test" if of == fold else sample.split
                file = sample.path.resolve()
                rows.writerow([file, sample.label, sample.source, sample.generator, sample.group, split])


def figures(strangers: Strangers, fold: int) -> str:
    """AUC of each part on one fold's pictures, all matched conditions pooled and each alone."""
    table = strangers.table
    labels = np.array([sample.label == "ai" for sample in strangers.samples], np.float64)[table.sample]
    views = [view.name for view in CONDITIONS]
    matched = (strangers.left_out == fold) & np.isin(table.view, views)
    lines = [f"{len(set(table.sample[matched].tolist()))} pictures", "part        pooled  " + "  ".join(views)]
    for part, odds in strangers.parts.items():
        cells = [roc_auc(labels[rows], odds[rows]) for rows in (matched, *(matched & (table.view == v) for v in views))]
        lines.append(f"{part:<12}" + "  ".join(f"{cell:.3f}" for cell in cells))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
