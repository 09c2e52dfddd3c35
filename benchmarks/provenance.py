"""What the provenance readers recognise in folders of pictures, as a table in Markdown.

Run: python benchmarks/provenance.py [--trust LIST.pem] [--expect EXPECTED.csv] FOLDER...

Every row is a folder. The columns count the files, those that the gate refuses, the rungs of the ladder, the claims by
kind, and the exceptions (there must be none). `--watermark` adds random crops, turns, sizes and tones of every picture,
looks for the open watermark in each and prints the rate of matches. EXPECTED.csv holds `name,level` lines: the rung
that a file with that name must reach; differences are listed.
"""

from __future__ import annotations

import argparse
import collections
import csv
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from aiforensics.evidence import InputError, Provenance
from aiforensics.image import decode
from aiforensics.provenance import read_provenance
from aiforensics.provenance import watermark as open_watermark

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".heif", ".tif", ".tiff", ".gif"}
LEVELS = ("signed-trusted", "signed", "invalid", "claimed", "watermark", "none")
KINDS = ("camera", "generator", "source-type", "aigc-label", "contradiction", "unreadable")
MARKS = (
    b"invokeai_metadata",
    b"sui_image_params",
    b"class_type",
    b"Steps: ",
    b"NovelAI",
    b"aigc_info",
    b"generation_data",
)


def main() -> int:
    """Print the tables; the exit status is 1 when a reader raised or an expected level was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--trust", type=Path)
    parser.add_argument("--expect", type=Path)
    parser.add_argument("--watermark", type=int, default=0, metavar="VIEWS")
    options = parser.parse_args()
    expected = dict(csv.reader(options.expect.open())) if options.expect else {}
    if options.watermark:
        return watermark_rate(options.folders, options.watermark)
    print(f"| folder | files | refused | {' | '.join((*LEVELS, *KINDS))} | exceptions | median ms |")
    print("|---" * (len(LEVELS) + len(KINDS) + 5) + "|")
    wrong = [line for folder in options.folders for line in row(folder, options.trust, expected)]
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


def row(folder: Path, trust: Path | None, expected: dict[str, str]) -> list[str]:
    """Print one folder's row and return what went wrong."""
    counts: collections.Counter[str] = collections.Counter()
    seconds: list[float] = []
    wrong: list[str] = []
    for path in pictures(folder):
        counts["files"] += 1
        try:
            picture = decode(path.read_bytes(), str(path))
        except InputError:
            counts["refused"] += 1
            counts["refused with marks"] += any(mark in path.read_bytes() for mark in MARKS)
            continue
        start = time.perf_counter()
        try:
            found = read_provenance(picture, trust=trust)
        except Exception as error:  # whatever it is: counting exceptions is what this is for
            counts["exceptions"] += 1
            wrong.append(f"exception: {path}: {error!r}")
            continue
        seconds.append(time.perf_counter() - start)
        counts.update([found.level, *{claim.kind for claim in found.claims}])
        wrong += missed(path, found, expected)
    cells = [str(counts[name]) for name in ("files", "refused", *LEVELS, *KINDS, "exceptions")]
    middle = 1000 * statistics.median(seconds or [0.0])
    print(f"| {folder.name} | {' | '.join(cells)} | {middle:.1f} |")
    if counts["refused with marks"]:
        print(f"{folder}: {counts['refused with marks']} refused files hold a generator's marks", file=sys.stderr)
    return wrong


def missed(path: Path, found: Provenance, expected: dict[str, str]) -> list[str]:
    """One line where the file reached another level than expected."""
    want = expected.get(path.name, found.level)
    return [] if want == found.level else [f"level: {path}: {found.level} instead of {want}"]


def pictures(folder: Path) -> list[Path]:
    """Every picture under a folder, by suffix."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def watermark_rate(folders: list[Path], views: int) -> int:
    """Print how many of the pictures and of their random views match a known payload."""
    rng = np.random.default_rng(0)
    tried = matched = 0
    for path in (p for folder in folders for p in pictures(folder)):
        try:
            pixels = np.asarray(decode(path.read_bytes(), str(path)).stored, np.uint8)[:1024, :1024]
        except InputError:
            continue
        for number in range(views + 1):
            view = random_view(pixels, rng) if number else pixels
            view = np.ascontiguousarray(view[: view.shape[0] // 8 * 8, : view.shape[1] // 8 * 8])
            tried += 1
            hit = open_watermark.decode(view, int(rng.integers(0, 10_000)) if number else 0)
            if hit is not None:
                matched += 1
                print(f"match: {path}, view {number}: {hit[0].programs}, {hit[1]} wrong bits", file=sys.stderr)
    # The rule of three: no match in n trials bounds the rate by 3/n with 95 % confidence.
    print(f"{matched} matches in {tried} views; rate at most {max(3, matched + 3) / max(tried, 1):.2g} (95 %)")
    return 0


def random_view(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random crop, turned, resized and re-toned."""
    height, width = pixels.shape[:2]
    side = int(rng.integers(min(96, height, width), min(height, width) + 1))
    y, x = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    view = np.rot90(pixels[y : y + side, x : x + side], int(rng.integers(0, 4)))
    scale = float(rng.uniform(0.6, 2.0))
    view = cv2.resize(np.ascontiguousarray(view), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    gain, lift = rng.uniform(0.6, 1.5), rng.uniform(-40, 40)
    return np.clip(view * gain + lift, 0, 255).astype(np.uint8) if rng.random() < 0.5 else view


if __name__ == "__main__":
    sys.exit(main())
