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
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aiforensics.analyzers import SCORED
from aiforensics.lab.dataset import Sample, load_dataset
from aiforensics.lab.folds import balance, family_folds
from aiforensics.lab.fusion import FusionConfig, chosen
from aiforensics.lab.measure import RANDOM, VIEWS, Table
from aiforensics.lab.metrics import roc_auc
from aiforensics.lab.stacking import fit_stack
from aiforensics_models.heads import EMBEDDING


def main() -> None:
    """Write the manifest and print the fusion's figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path, help="what the fusion was trained on")
    parser.add_argument("--work", type=Path, required=True, help="work folder of that training")
    parser.add_argument("--fold", type=int, default=0, help="fold that is left out")
    parser.add_argument("--manifest", type=Path, required=True, help="CSV to write")
    options = parser.parse_args()
    config = FusionConfig()
    seen = [sample for sample in load_dataset(options.data) if sample.split != "test"]
    folds = family_folds(seen, config.folds, config.seed)
    picked = chosen(seen, config)
    samples, of = [seen[i] for i in picked], folds[picked]
    left_out = {samples[i].path for i in np.flatnonzero(of == options.fold)}
    write_manifest(options.manifest, seen, folds != options.fold, left_out)
    sys.stdout.write(figures(Table.load(options.work / "out-of-fold.npz"), samples, of, options.fold))


def write_manifest(path: Path, seen: Sequence[Sample], kept: np.ndarray, left_out: set[Path]) -> None:
    """Write a manifest: kept pictures with their split, and those that were left out as `test`."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "label", "source", "generator", "group", "split"])
        for sample, keep in zip(seen, kept.tolist(), strict=True):
            if keep or sample.path in left_out:
                split = sample.split if keep else "test"
                file = sample.path.resolve()
                rows.writerow([file, sample.label, sample.source, sample.generator, sample.group, split])


def figures(table: Table, samples: Sequence[Sample], folds: np.ndarray, fold: int) -> str:
    """AUC of each part on one fold's pictures, all matched conditions pooled and each alone."""
    labels = np.array([sample.label == "ai" for sample in samples], np.float64)[table.sample]
    weights = balance(samples)[table.sample]
    of = folds[table.sample]
    stack = fit_stack(table.columns(SCORED), table.column(EMBEDDING), labels, of, weights, "xgboost", 0)
    matched = (of == fold) & (table.view != RANDOM)
    views = [view for view in VIEWS if view != RANDOM]
    lines = [f"{len(set(table.sample[matched].tolist()))} pictures", "part        pooled  " + "  ".join(views)]
    for part, odds in stack.parts.items():
        cells = [roc_auc(labels[rows], odds[rows]) for rows in (matched, *(matched & (table.view == v) for v in views))]
        lines.append(f"{part:<12}" + "  ".join(f"{cell:.3f}" for cell in cells))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
