"""Whole pictures reduced for the web, both classes alike: `python models/training/reduce.py ORIGINALS --out DIR`.

Windows cut at native resolution never show what most published photographs are: a camera's picture reduced several
times, often sharpened, and saved again. ORIGINALS is a data set of whole files (a folder with a `manifest.csv`). Each
becomes one picture of 320 to 900 px on its long side, at most 0.6 of what it was, by a random kernel; sharpened in
30 %; saved as JPEG of quality 75 to 97, or without loss in 15 %. Label, source and generator stay, so that a reduced
picture is left out wherever its source is; by its name it joins the group, and with it the split, of the windows that
were cut from the same file.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np

from aiforensics.evidence import InputError
from aiforensics.image import read
from aiforensics.lab.data.dataset import load_dataset
from aiforensics.lab.data.views import Codec, Kernel, Pixels, resize, seeded

KERNELS: tuple[Kernel, ...] = ("area", "linear", "cubic", "linear-aa", "cubic-aa", "lanczos-aa")


def main() -> None:
    """Write the reduced pictures and their manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("originals", type=Path, help="data set of whole files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args()
    rows = []
    for sample in load_dataset(options.originals, need=()):
        try:
            pixels = np.asarray(read(sample.path).image, np.uint8)
        except InputError as error:
            sys.stderr.write(f"{sample.path}: {error.message}\n")
            continue
        data, suffix = reduced(pixels, seeded(sample.path.name))
        name = f"{sample.label}/{sample.source}/{sample.path.stem}-resized{suffix}"
        (options.out / name).parent.mkdir(parents=True, exist_ok=True)
        (options.out / name).write_bytes(data)
        rows.append([name, sample.label, sample.source, sample.generator])
    with (options.out / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "label", "source", "generator"])
        table.writerows(rows)


def reduced(pixels: Pixels, rng: np.random.Generator) -> tuple[bytes, str]:
    """Reduce (h, w, 3) uint8 and encode it: the bytes of a file, and the ending of its name."""
    longest = max(pixels.shape[:2])
    side = min(float(np.exp(rng.uniform(np.log(320), np.log(900)))), 0.6 * longest)
    seen = resize(pixels, side / longest, KERNELS[rng.integers(len(KERNELS))])
    if rng.random() < 0.3:
        soft = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.5, 1.2))
        amount = rng.uniform(0.3, 1.0)
        seen = np.asarray(cv2.addWeighted(seen, 1 + amount, soft, -amount, 0.0), np.uint8)
    if rng.random() < 0.15:
        return Codec("PNG").encode(seen), ".png"
    full = bool(rng.random() < 0.3)
    return Codec("JPEG", int(rng.integers(75, 98)), full).encode(seen), ".jpg"


if __name__ == "__main__":
    main()
