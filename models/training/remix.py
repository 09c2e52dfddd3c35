"""A finished fusion's mix, fitted once more: `python models/training/remix.py BUNDLE DATA --out DIR`.

The mix of a bundle was fitted on what networks said that each had left a part of its sources out, and weighs one that
none of them is: the mean of their weights. Pictures of sources that came when it was finished, DATA, are judged by the
network that ships, so on them the weights of its three parts can be fitted as they are used. Nothing else is: lines
stay, and thresholds become stricter where DATA asks for it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.fit.assembling import chosen, measured, stack_data
from aiforensics.lab.fit.calibrating import logistic, tightened
from aiforensics.lab.fit.kept import KeptHead
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.fit.measure import VIEWS
from aiforensics.lab.fit.stacking import joint_inputs, levelled
from aiforensics.lab.judge.quick import open_detector
from aiforensics.lab.making import Job, judge_test, state_figures
from aiforensics_models.bundle import Bundle, write_manifest
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
    parser.add_argument("--table", type=Path, help="keep what was measured here")
    options = parser.parse_args()
    bundle, config = Bundle.load(options.bundle), FusionConfig(per_source=options.per_source)
    samples = load_dataset(options.data, need=())
    picked = [samples[i] for i in chosen(samples, config)]
    known = overlap.seen(bundle) or frozenset()
    met = sum(sum_of(sample.path)[: overlap.DIGITS] in known for sample in picked)
    if met:
        parser.error(f"{bundle.name} has seen {met} of these pictures: give sources that are new to it")
    options.out.mkdir(parents=True)
    for name in bundle.manifest["files"]:
        shutil.copyfile(bundle.folder / name, options.out / name)
    with tempfile.TemporaryDirectory() as folder:
        mix, calibration = remixed(bundle, picked, options.table or Path(folder) / "table.npz", config)
        overlap.record(options.out, [replace(sample, split="train") for sample in picked], known)
        sources = Counter(label for label, _ in {(sample.label, sample.source) for sample in picked})
        training = bundle.manifest["training"]
        names = f"{bundle.name} {options.data.stem} --test {options.test.name} --out {options.out.name}"
        told = {
            "from": bundle.sha256,
            "command": f"python models/training/remix.py {names}",
            "pictures": len(picked),
            "sources": dict(sources),
        }
        manifest = {
            **bundle.manifest,
            "head": {**bundle.manifest["head"], "mix": mix},
            "calibration": calibration.to_dict(),
            "training": {**training, "remixed": told},
        }
        write_manifest(options.out, {key: value for key, value in manifest.items() if key not in ("schema", "files")})
        job = Job(options.out, Path(folder), training.get("data", ()), training.get("command", ""))
        test = [sample for sample in load_dataset(options.test, need=("test",)) if sample.split == "test"]
        made = Bundle.load(options.out)
        metrics = judge_test(test, open_detector(options.out), job, tell, of=len(test), seen=overlap.seen(made))
    state_figures(options.out, manifest, metrics)


def remixed(
    bundle: Bundle, samples: Sequence[Sample], table_file: Path, config: FusionConfig
) -> tuple[dict[str, float], Calibration]:
    """Fit a fusion's mix on pictures that none of its parts had seen, and tighten its thresholds by them."""
    head = bundle.manifest["head"]
    onnx = bundle.folder / bundle.manifest["network"]["onnx"]
    table = measured(table_file, samples, [onnx], [0] * len(samples), VIEWS, config, tell)
    data = stack_data(table, samples, np.zeros(len(samples), np.int64), config)
    groups = ["measurements"] * data.rows.shape[1]
    joint = Perceptron.load(bundle.folder / head["joint"]["file"], groups, EMBEDDING)
    margins = KeptHead(head["kind"], bundle.folder / head["file"]).margin(data.rows)
    parts = np.column_stack([data.log_odds, margins, joint.margin(joint_inputs(data).astype(np.float64))])
    weights = levelled(data.weights, data.labels)
    slopes, offset = logistic(parts, data.labels, weights, bounds=(0.0, np.inf))
    mix = dict(zip(("embedding", "handcrafted", "joint"), slopes.tolist(), strict=True)) | {"offset": offset}
    tell(", ".join(f"{name} {head['mix'][name]:.3f} to {value:.3f}" for name, value in mix.items()))
    return mix, tightened(bundle.calibration, parts @ slopes + offset, data.labels, table.condition, data.weights)


def tell(line: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
