"""How fast a scan is, as ratios within one run: `python benchmarks/scan_speed.py [PICTURE...] [--folder DIR]`.

- cold: `aiforensics scan` of one picture from a fresh process, against `import torch` in the same environment
- warm: a full scan of a 12-megapixel JPEG on one thread, against Pillow's full decode of it, in processor time
- batch: pictures per second of `aiforensics batch` on two workers over a folder
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from PIL import Image

from aiforensics.pipeline import Scanner

ROUNDS = 15
SAMPLE = Path(__file__).parent.parent / "samples" / "astronaut.jpg"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path, help="12-megapixel JPEGs; one is made without")
    parser.add_argument("--folder", type=Path, help="a folder of pictures for the batch figure")
    arguments = parser.parse_args()
    cold_start()
    cv2.setNumThreads(1)
    scanner = Scanner()
    for path in arguments.pictures or [None]:
        warm_scan(scanner, path)
    if arguments.folder:
        batch(arguments.folder)


def cold_start() -> None:
    """Wall time of a scan from nothing, best of three, against importing PyTorch."""
    scan = _best(lambda: _run("-m", "aiforensics_cli", "scan", str(SAMPLE), "--json"))
    print(f"cold scan {scan:.2f} s", end="")
    if importlib.util.find_spec("torch"):
        torch = _best(lambda: _run("-c", "import torch"))
        print(f"; import torch {torch:.2f} s; ratio {scan / torch:.2f}", end="")
    print()


def warm_scan(scanner: Scanner, path: Path | None) -> None:
    """Processor time of a warm scan against Pillow's decode, taken in turns: medians, and best against best.

    Both start from and return to the same memory: a decoded picture that outlived its turn would decide by chance which
    of the two pays for fresh pages, a good third of a decode.
    """
    data = path.read_bytes() if path else _twelve_megapixels()
    decodes, scans = [], []
    scanner.scan_bytes(data)
    for _ in range(ROUNDS):
        started = time.process_time()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
        del image
        decodes.append(time.process_time() - started)
        started = time.process_time()
        scanner.scan_bytes(data)
        scans.append(time.process_time() - started)
    name = path.name if path else "made picture"
    decode, scan = median(decodes), median(scans)
    print(
        f"{name}: {len(data) / 1e6:.1f} MB, decode {1000 * decode:.0f} ms, scan {1000 * scan:.0f} ms, "
        f"ratio {scan / decode:.2f} (best against best {min(scans) / min(decodes):.2f})"
    )


def batch(folder: Path) -> None:
    """Pictures per second of the command on two workers, its start included."""
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "out.csv"
        started = time.perf_counter()
        _run("-m", "aiforensics_cli", "batch", str(folder), "--csv", str(table), "--workers", "2")
        spent = time.perf_counter() - started
        count = len(table.read_text(encoding="utf-8").splitlines()) - 1
    print(f"batch: {count} pictures in {spent:.1f} s, {count / spent:.1f} pictures/s on 2 workers")


def _twelve_megapixels() -> bytes:
    """A photograph's texture at 4000 × 3000, with sensor-like noise, as JPEG 92."""
    with Image.open(SAMPLE) as image:
        tile = np.asarray(image.convert("RGB"), np.uint8)
    tiled = np.tile(tile, (6, 8, 1))[:3000, :4000].astype(np.float32)
    noisy = tiled + np.random.default_rng(0).normal(0.0, 2.0, tiled.shape).astype(np.float32)
    stream = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=92)
    return stream.getvalue()


def _best(action: Callable[[], None]) -> float:
    times = []
    for _ in range(3):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def _run(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )


if __name__ == "__main__":
    main()
