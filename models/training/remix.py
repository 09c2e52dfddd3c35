"""A finished fusion's mix, fitted once more: `python models/training/remix.py BUNDLE DATA --test PHOTOS --out DIR`.

The mix of a bundle was fitted on what networks said that each had left a part of its sources out, and weighs one that
none of them is: the mean of their weights. Pictures of sources that came when it was finished, DATA, are judged by the
network that ships, so on them the weights of its three parts can be fitted as they are used. The joint perceptron,
which knows least of old generators, gets the least weight that is no worse by more than a standard error. Nothing else
is fitted: lines stay, and thresholds become stricter where DATA asks for it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiforensics.lab.amending import Step, amend
from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.folds import origins
from aiforensics.lab.fit.assembling import chosen, measured, stack_data
from aiforensics.lab.fit.calibrating import Floats, logistic, tightened
from aiforensics.lab.fit.kept import KeptHead
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.fit.measure import VIEWS
from aiforensics.lab.fit.stacking import joint_inputs
from aiforensics.lab.fit.weighing import levelled
from aiforensics_models.bundle import Bundle
from aiforensics_models.calibration import Calibration
from aiforensics_models.heads import EMBEDDING
from aiforensics_models.perceptron import Perceptron


def main() -> None:
    """Measure, fit four numbers, and write the bundle with them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", help="a shipped bundle's name, or a bundle's folder")
    parser.add_argument("data", type=Path, help="data set of sources that the bundle has not seen")
    parser.add_argument("--test", type=Path, required=True, help="data set whose split `test` the card has figures of")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new bundle")
    parser.add_argument("--per-source", type=int, default=8, help="pictures of each source at most")
    parser.add_argument("--work", type=Path, help="keep what was measured in this folder")
    options = parser.parse_args()
    bundle, config = Bundle.load(options.bundle), FusionConfig(per_source=options.per_source)
    samples = load_dataset(options.data, need=())
    picked = [samples[i] for i in chosen(samples, config)]
    known = overlap.seen(bundle) or frozenset()
    met = sum(overlap.short_sum(sample.path) in known for sample in picked)
    if met:
        parser.error(f"{bundle.name} has seen {met} of these pictures: give sources that are new to it")
    options.out.mkdir(parents=True)
    for name in bundle.manifest["files"]:
        shutil.copyfile(bundle.folder / name, options.out / name)
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        mix, calibration = remixed(bundle, picked, work / "table.npz", config)
        names = f"{bundle.name} {options.data.stem} --test {options.test.name} --out {options.out.name}"
        changes = {"head": {**bundle.manifest["head"], "mix": mix}, "calibration": calibration.to_dict()}
        command = f"python models/training/remix.py {names}"
        step = Step("remixed", command, picked, changes)
        amend(bundle, options.out, step, test=options.test, work=work, report=tell)


def remixed(
    bundle: Bundle, samples: Sequence[Sample], table_file: Path, config: FusionConfig
) -> tuple[dict[str, float], Calibration]:
    """Fit a fusion's mix on pictures that none of its parts had seen, and tighten its thresholds by them.

    Parameters
    ----------
    bundle
        The fusion.
    samples
        The pictures.
    table_file
        Keeps what was measured.
    config
        Workers and seed.
    """
    head = bundle.manifest["head"]
    onnx = bundle.folder / bundle.manifest["network"]["onnx"]
    table = measured(table_file, samples, [onnx], VIEWS, config, tell, bundle.enlargement)
    data = stack_data(table, samples, np.zeros(len(samples), np.int64), config)
    groups = ["measurements"] * data.rows.shape[1]
    joint = Perceptron.load(bundle.folder / head["joint"]["file"], groups, EMBEDDING)
    margins = KeptHead(head["kind"], bundle.folder / head["file"]).margin(data.rows)
    parts = np.column_stack([data.log_odds, margins, joint.margin(joint_inputs(data).astype(np.float64))])
    owner = np.unique(origins(samples), return_inverse=True)[1][table.sample]
    slopes, offset = sparing(parts, data.labels, levelled(data.weights, data.labels), owner)
    mix = dict(zip(("embedding", "handcrafted", "joint"), slopes.tolist(), strict=True)) | {"offset": offset}
    tell(", ".join(f"{name} {head['mix'][name]:.3f} to {value:.3f}" for name, value in mix.items()))
    return mix, tightened(bundle.calibration, parts @ slopes + offset, data.labels, table.condition, data.weights)


def sparing(parts: Floats, labels: Floats, weights: Floats, owner: NDArray[np.int64]) -> tuple[Floats, float]:
    """Slopes and offset of a mix whose last part has the least weight that is as good as the best.

    As good is what loses no more than a standard error, over sources (Breiman et al. 1984, "Classification and
    Regression Trees", the one-standard-error rule).

    Parameters
    ----------
    parts, labels, weights, owner
        (n, parts) log-odds, and of each row 1 for `ai`, its weight and its source.
    """

    def loss(slopes: Floats, offset: float) -> Floats:
        log_odds = parts @ slopes + offset
        return np.asarray(weights / weights.sum() * np.logaddexp(0.0, np.where(labels > 0.5, -log_odds, log_odds)))

    slopes, offset = logistic(parts, labels, weights, bounds=(0.0, np.inf))
    best, most = loss(slopes, offset), slopes[-1]
    for last in np.linspace(0.0, 1.0, 21) * most:
        others, offset = logistic(parts[:, :-1], labels, weights, standing=last * parts[:, -1], bounds=(0.0, np.inf))
        slopes = np.append(others, last)
        by_source = np.bincount(owner, loss(slopes, offset) - best)
        if by_source.sum() <= np.sqrt(np.square(by_source).sum()):
            break
    return slopes, offset


def tell(line: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
