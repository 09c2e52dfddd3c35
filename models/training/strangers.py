"""A finished fusion meets strangers: `python models/training/strangers.py BUNDLE DATA… --test PHOTOS --out DIR`.

What stands on a bundle's network was fitted on what networks said that each had left a part of its sources out.
Pictures of sources that came when it was finished, DATA, are judged by the network that ships: on them the handcrafted
head (where it is trees) and the joint perceptron go half of the way to what these sources ask for, and what `ai` and
`real` cost there, judged by heads that had not seen them, is what they cost the bundle's users: the thresholds are set
by it. Network, mix and lines stay. The figures on left-out sources are those of DATA then, each fold of sources under
the thresholds of the others. Pictures that the bundle has seen are left out.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from aiforensics.lab.amending import Step, amend
from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import Sample, load_dataset
from aiforensics.lab.data.folds import origins
from aiforensics.lab.data.views import CONDITIONS, LARGE_CONDITIONS
from aiforensics.lab.fit.assembling import measured, stack_data
from aiforensics.lab.fit.calibrating import settled
from aiforensics.lab.fit.kept import Kept
from aiforensics.lab.fit.knobs import FusionConfig
from aiforensics.lab.fit.outoffold import out_of_fold
from aiforensics.lab.fit.stacking import Stack
from aiforensics.lab.fit.weighing import row_weights
from aiforensics_models.bundle import Bundle
from aiforensics_models.calibration import Calibration


def main() -> None:
    """Measure, let the heads go on, set the thresholds, and write the bundle."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", help="a shipped bundle's name, or a bundle's folder")
    parser.add_argument("data", type=Path, nargs="+", help="data sets of sources that the bundle has not seen")
    parser.add_argument("--test", type=Path, required=True, help="data set whose split `test` the card has figures of")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new bundle")
    parser.add_argument("--work", type=Path, help="keep what was measured in this folder")
    options = parser.parse_args()
    bundle = Bundle.load(options.bundle)
    known = overlap.seen(bundle) or frozenset()
    samples = [sample for data in options.data for sample in load_dataset(data, need=())]
    strange = [sample for sample in samples if overlap.short_sum(sample.path) not in known]
    if len(strange) < len(samples):
        tell(f"{len(samples) - len(strange)} of {len(samples)} pictures are left out: {bundle.name} has seen them")
    if {sample.label for sample in strange} != {"ai", "real"}:
        parser.error("give pictures of both classes that the bundle has not seen")
    options.out.mkdir(parents=True)
    for name in bundle.manifest["files"]:
        shutil.copyfile(bundle.folder / name, options.out / name)
    with tempfile.TemporaryDirectory() as spare:
        work = options.work or Path(spare)
        work.mkdir(parents=True, exist_ok=True)
        stack, calibration, figures = met(bundle, strange, work / "table.npz", FusionConfig())
        data = " ".join(folder.stem for folder in options.data)
        names = f"{bundle.name} {data} --test {options.test.name} --out {options.out.name}"
        changes = {
            "head": stack.save(options.out),
            "calibration": calibration.to_dict(),
            "metrics": {**bundle.manifest["metrics"], "out_of_fold": figures},
        }
        command = f"python models/training/strangers.py {names}"
        step = Step("strangers", command, strange, changes)
        amend(bundle, options.out, step, test=options.test, work=work, report=tell)


def met(
    bundle: Bundle, samples: Sequence[Sample], table_file: Path, config: FusionConfig
) -> tuple[Stack, Calibration, dict[str, Any]]:
    """Let a bundle's heads go on, and set its thresholds; the figures are out of fold."""
    onnx = bundle.folder / bundle.manifest["network"]["onnx"]
    views = [view.name for view in (*CONDITIONS, *LARGE_CONDITIONS)]
    table = measured(table_file, samples, [onnx], views, config, tell, bundle.enlargement)
    known, owner = np.unique(origins(samples), return_inverse=True)
    folds = (np.random.default_rng([config.seed, 6]).permutation(len(known)) % config.folds)[owner]
    data, kept = stack_data(table, samples, folds, config), Kept.of(bundle)
    stack = kept.stack(data, config.seed, many=True)
    fitted = partial(settled, kept.calibration)
    calibration = fitted(stack.fused, data.labels, table.condition, row_weights(samples, table))
    was, now = kept.calibration, calibration
    tell(f"real below {was.real_below} to {now.real_below}, ai from {was.ai_from} to {now.ai_from}")
    return stack, calibration, out_of_fold(stack.parts, table, samples, folds, fitted)


def tell(line: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
