"""The shipped bundle's steps, stated by name: `python models/training/restate.py BUNDLE --out DIR`.

`remix.py` and `strangers.py` state by name which sources and generators they gave a bundle. When they made the one that
ships, they stated how many alone. The lists beside this script name them: `strangers.py` was given all of its two, and
`remix.py` those windows of `latest.csv` whose sums stand in the bundle's `seen.bin` and in no list of `strangers.py`.
Where a list does not come to the numbers that the bundle states, nothing is written. No other file than manifest and
card changes.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

from aiforensics.lab.amending import census_of
from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.making import METRICS, state_figures
from aiforensics_models.bundle import Bundle

Row = dict[str, str]


def main() -> None:
    """Name what the steps learned, and write manifest and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", help="a shipped bundle's name, or a bundle's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new bundle")
    options = parser.parse_args()
    bundle = Bundle.load(options.bundle)
    training = dict(bundle.manifest["training"])
    for name, rows in given(overlap.seen(bundle) or frozenset()).items():
        told = census_of([sample(row) for row in rows])
        if any(training[name][key] != told[key] for key in ("pictures", "sources")):
            parser.error(f"the lists of {name} name {told['pictures']} pictures, {told['sources']}: other than stated")
        training[name] = {**training[name], **told}
    options.out.mkdir(parents=True)
    for name in bundle.manifest["files"]:
        shutil.copyfile(bundle.folder / name, options.out / name)
    metrics = json.loads((bundle.folder / METRICS).read_text(encoding="utf-8"))
    state_figures(options.out, {**bundle.manifest, "training": training}, metrics)


def given(seen: frozenset[str]) -> dict[str, list[Row]]:
    """Rows of the lists that each step was given, by its name."""
    strangers, windows = [*listed("strangers"), *listed("strangers-whole")], listed("latest")
    later = {row.get("window_sha256_16") for row in strangers}
    mix = [row for row in windows if row["window_sha256_16"][: overlap.DIGITS] in seen]
    return {"remixed": [row for row in mix if row["window_sha256_16"] not in later], "strangers": strangers}


def listed(name: str) -> list[Row]:
    """Rows of a list beside this script."""
    with Path(__file__).with_name(f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def sample(row: Row) -> Sample:
    """The picture of a row, as far as a census counts it."""
    return Sample(
        Path(row["path"]), "ai" if row["label"] == "ai" else "real", row["source"], row["generator"], "", "train"
    )


if __name__ == "__main__":
    main()
