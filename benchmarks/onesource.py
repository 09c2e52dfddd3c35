"""Leave-one-source-out of the fusion over the AI sources of a data set.

    python benchmarks/onesource.py DATA... --work BUNDLE.work --of CORPUS --out onesource.json

For each AI source of CORPUS with at least 20 pictures the handcrafted head and the joint perceptron are fitted anew on
everything but that source and the real sources of its fold, and judged on these: matched conditions, ROC AUC. The
network is the one of that fold, which saw nothing of the source's whole family, so that `deep` is harder than the name
says; the mix is the bundle's.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from workfolder import WorkFolder

from aiforensics.lab.data.dataset import sources_of
from aiforensics.lab.data.views import CONDITIONS
from aiforensics.lab.fit.heads import fit_head
from aiforensics.lab.fit.stacking import fit_joint, fit_stack, joint_inputs
from aiforensics.lab.judge.leaveout import MIN_PICTURES
from aiforensics.lab.judge.metrics import roc_auc


def main() -> None:
    """Print a line for each source, then mean and lowest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path, help="what the fusion was trained on")
    parser.add_argument("--work", type=Path, required=True, help="work folder of that training")
    parser.add_argument("--of", type=Path, required=True, help="data set whose AI sources are left out")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    options = parser.parse_args()
    work = WorkFolder.read(options.data, options.work)
    counts = Counter(sample.source for sample in work.samples if sample.label == "ai")
    named = {key.removeprefix("ai/") for key in sources_of(options.of) if key.startswith("ai/")}
    standing = fit_stack(work.data, work.config.head, work.config.seed).standing
    found = {source: left_out(work, source, standing) for source in sorted(named) if counts[source] >= MIN_PICTURES}
    parts = ("handcrafted", "deep", "fused")
    for name, summary in (("mean", np.mean), ("lowest", np.min)):
        print(f"{name:<44}", *(f"{part} {summary([row[part] for row in found.values()]):.3f}" for part in parts))
    options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def left_out(work: WorkFolder, source: str, standing: NDArray[np.float64]) -> dict[str, float]:
    """ROC AUC of each part on one AI source and the real sources of its fold, none of which the heads saw."""
    data, mix, seed = work.data, work.mix, work.config.seed
    sources = np.array([sample.source for sample in work.samples])[work.table.sample]
    ai = data.labels > 0.5
    mine = ai & (sources == source)
    out = mine | (~ai & (data.folds == data.folds[mine][0]))
    judged = data.of(out & np.isin(work.table.view, [view.name for view in CONDITIONS]))
    rest = data.of(~out)
    head = fit_head(rest.rows, rest.labels, rest.weights, work.config.head, seed)
    joint = fit_joint(rest, rest.weights, standing[~out], seed).margin(joint_inputs(judged))
    log_odds = {"handcrafted": head.margin(judged.rows), "deep": judged.log_odds}
    fused = mix["embedding"] * log_odds["deep"] + mix["handcrafted"] * log_odds["handcrafted"] + mix["joint"] * joint
    found = {part: roc_auc(judged.labels, z) for part, z in {**log_odds, "fused": fused}.items()}
    print(f"{source:<44}", *(f"{part} {value:.3f}" for part, value in found.items()), flush=True)
    return found


if __name__ == "__main__":
    main()
