"""Recipes against the fusion on sources that none of them saw.

    python benchmarks/leftout.py DATA... --work BUNDLE.work --fold 0 --test-pictures 600 --manifest leftout.csv
    aiforensics compare leftout.csv --recipes cnn,resnet,cbam-resnet --augment delivery --minutes 5

The work folder is that of `train DATA... --recipe fusion-xgboost`: its out-of-fold table holds every picture as a
network measured it that had not seen the picture's generator family or real source. The manifest makes pictures of one
fold, evenly over its sources, the split `test` and keeps those of the other folds as they are, so that `compare` leaves
out the same sources; the fusion's figures on the same test pictures are printed, heads and mix fitted on the other
folds.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from workfolder import WorkFolder

from aiforensics.lab.data.dataset import Sample, thin
from aiforensics.lab.data.views import CONDITIONS
from aiforensics.lab.fit.measure import Table
from aiforensics.lab.fit.stacking import fit_stack
from aiforensics.lab.judge.metrics import Scores, figure


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
        """Fit heads and mix of each fold of a work folder on the others."""
        was = WorkFolder.read(data, work)
        stack = fit_stack(was.data, was.config.head, was.config.seed)
        return cls(was.seen, was.folds, was.samples, was.table, was.data.folds, stack.parts)

    def scores(self) -> dict[tuple[str, str], float]:
        """Fused log-odds by (key of the picture, view)."""
        pairs = zip(self.table.sample.tolist(), self.table.view.tolist(), self.parts["fused"].tolist(), strict=True)
        return {(self.samples[i].key, view): log_odds for i, view, log_odds in pairs}


def main() -> None:
    """Write the manifest and print the fusion's figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path, help="what the fusion was trained on")
    parser.add_argument("--work", type=Path, required=True, help="work folder of that training")
    parser.add_argument("--fold", type=int, default=0, help="fold that is left out")
    parser.add_argument("--test-pictures", type=int, help="pictures of the fold at most, evenly over sources")
    parser.add_argument("--manifest", type=Path, required=True, help="CSV to write")
    options = parser.parse_args()
    strangers = Strangers.of(options.data, options.work)
    fold_of = dict(zip(strangers.table.sample.tolist(), strangers.left_out.tolist(), strict=True))
    test = [sample for i, sample in enumerate(strangers.samples) if fold_of[i] == options.fold]
    test = list(thin(test, options.test_pictures or len(test)))
    write_manifest(options.manifest, strangers, options.fold, test)
    sys.stdout.write(figures(strangers, test))


def write_manifest(path: Path, strangers: Strangers, fold: int, test: Sequence[Sample]) -> None:
    """Write a manifest: pictures of the other folds with their split, those to judge as `test`."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "label", "source", "generator", "group", "split"])
        kept = [s for s, of in zip(strangers.seen, strangers.folds.tolist(), strict=True) if of != fold]
        for samples, split in ((kept, None), (test, "test")):
            for s in samples:
                rows.writerow([s.path.resolve(), s.label, s.source, s.generator, s.group, split or s.split])


def figures(strangers: Strangers, test: Sequence[Sample]) -> str:
    """AUC of each part on some pictures, all matched conditions pooled (with a 95 % interval) and each alone."""
    table, wanted = strangers.table, {sample.path for sample in test}
    picked = np.array([sample.path in wanted for sample in strangers.samples])[table.sample]
    labels = np.array([sample.label == "ai" for sample in strangers.samples])[table.sample]
    groups = np.array([sample.group for sample in strangers.samples])[table.sample]
    views = [view.name for view in CONDITIONS]
    lines = [f"{len(test)} pictures", f"{'part':<12}{'pooled':<21}" + "  ".join(views)]
    for part, log_odds in strangers.parts.items():
        scores = Scores.of(labels, 1 / (1 + np.exp(-log_odds)), groups=groups.tolist())
        pooled, *alone = (
            figure(scores.pick(picked & rows), "roc_auc")
            for rows in (np.isin(table.view, views), *(table.view == v for v in views))
        )
        cells = "  ".join(f"{one.value:.3f}" for one in alone)
        lines.append(f"{part:<12}{pooled.value:.3f} ({pooled.low:.3f}–{pooled.high:.3f})  {cells}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
