"""CIFAKE without its duplicates, as a manifest that `train`, `evaluate` and `compare` read.

    python benchmarks/cifake.py prepare DATASET            # writes DATASET/manifest.csv
    aiforensics train DATASET --recipe resnet18-scratch --out BUNDLE --test-pictures 500
    python benchmarks/cifake.py score DATASET BUNDLE...    # the whole test set, files as they are

DATASET holds `train/REAL`, `train/FAKE`, `test/REAL` and `test/FAKE`, as in the repository
jordan-bird/CIFAKE-Real-and-AI-Generated-Synthetic-Images. One picture of every family of exact or near duplicates is
kept, a test picture only where no training picture looks like it; a tenth of the training pictures becomes `val`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aiforensics.lab.data.dataset import load_dataset
from aiforensics.lab.data.duplicates import families, fingerprints, near_pairs
from aiforensics.lab.judge.domains import as_found
from aiforensics.lab.judge.quick import open_detector
from aiforensics_models.bundle import Bundle

PARTS = (("train", "REAL"), ("train", "FAKE"), ("test", "REAL"), ("test", "FAKE"))
VAL = 0.1
"""Share of the training pictures that become `val`."""


COLUMNS = ("accuracy", "precision", "recall", "f1", "roc_auc", "ece")


def main() -> None:
    """Prepare the manifest or score bundles."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("step", choices=("prepare", "score"))
    parser.add_argument("dataset", type=Path, help="folder with train/REAL, train/FAKE, test/REAL, test/FAKE")
    parser.add_argument("bundles", nargs="*", type=Path, help="bundles to score")
    options = parser.parse_args()
    if options.step == "prepare":
        prepare(options.dataset)
    else:
        sys.stdout.write(table(options.dataset, options.bundles))


def prepare(folder: Path) -> None:
    """Write the manifest, and say on standard error what was left out."""
    files = [(part, label, path) for part, label in PARTS for path in sorted((folder / part / label).glob("*.jpg"))]
    if {(part, label) for part, label, _ in files} != set(PARTS):
        sys.exit(f"{folder}: no CIFAKE (train/REAL, train/FAKE, test/REAL, test/FAKE)")
    prints, broken = fingerprints([path for _, _, path in files])
    if broken:
        sys.exit(f"{len(broken)} pictures cannot be read, the first is {broken[0][0]} ({broken[0][1]})")
    kept = kept_of_families([label for _, label, _ in files], families(len(files), near_pairs(prints)))
    say_what_is_left(files, kept)
    rng = np.random.default_rng(0)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "label", "source", "generator", "group", "split"])
        for part, label, path in (files[i] for i in kept):
            split = part if part == "test" else "val" if rng.random() < VAL else "train"
            name = path.relative_to(folder).as_posix()
            ai = label == "FAKE"
            source, generator = ("cifake-ai", "stable-diffusion-1.4") if ai else ("cifake-real", "")
            rows.writerow([name, "ai" if ai else "real", source, generator, name, split])


def table(folder: Path, bundles: Sequence[Path]) -> str:
    """Judge the test split with every bundle: a Markdown table, answers forced at 50 %, with 95 % intervals."""
    test = [sample for sample in load_dataset(folder, need=("test",)) if sample.split == "test"]
    lines = ["| recipe | training pictures | passes | " + " | ".join(COLUMNS) + " |", "|" + "---|" * (len(COLUMNS) + 3)]
    for path in bundles:
        found = as_found(test, open_detector(path))
        told = Bundle.load(path).manifest
        pictures = sum(count for name, count in told["training"]["pictures"].items() if name.endswith("train"))
        cells = [told["recipe"], str(pictures), str(told["training"].get("epochs", "–"))]
        for name in COLUMNS:
            low, high = found["intervals"][name]
            cells.append(f"{found[name]:.4f} ({low:.4f}–{high:.4f})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def kept_of_families(labels: list[str], family: list[int]) -> list[int]:
    """Choose the first of each family, a training picture where there is one; nothing of a family of both classes."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, first in enumerate(family):
        members[first].append(index)
    return sorted(first for first, group in members.items() if len({labels[i] for i in group}) == 1)


def say_what_is_left(files: list[tuple[str, str, Path]], kept: list[int]) -> None:
    """Count what is kept and what is not, by part and class."""
    before = Counter((part, label) for part, label, _ in files)
    after = Counter(files[i][:2] for i in kept)
    for key in PARTS:
        sys.stderr.write(f"{'/'.join(key)}: {after[key]} of {before[key]} kept\n")


if __name__ == "__main__":
    main()
