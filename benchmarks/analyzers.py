"""What each analyzer costs on one 256×256 window, single-threaded, against Pillow's decode of a 12-megapixel JPEG.

Run: OMP_NUM_THREADS=1 python benchmarks/analyzers.py
"""

from __future__ import annotations

import io
import time
import timeit
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from aiforensics.analyzers import ANALYZERS, Exhibit
from aiforensics.image import Window


def picture(height: int, width: int) -> np.ndarray:
    """Make a random picture with a natural fall of power over frequency."""
    rng = np.random.default_rng(7)
    plane = np.zeros((height, width, 3), np.float32)
    for octave in range(6):
        coarse = rng.normal(0.0, 8.0 * 1.6**octave, (height >> octave, width >> octave, 3)).astype(np.float32)
        plane += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(plane + 128.0, 0.0, 255.0).astype(np.uint8)


def best(statement: Callable[[], object], number: int) -> float:
    """Smallest mean processor time of seven runs in milliseconds."""
    return min(timeit.repeat(statement, number=number, repeat=7, timer=time.process_time)) / number * 1e3


def main() -> None:
    """Print one line per analyzer, the sum, and the sum for three windows against the decode."""
    cv2.setNumThreads(1)
    pixels = picture(256, 256)
    total = 0.0
    for analyzer in ANALYZERS:
        # A fresh window each time: its luma is computed once for all analyzers, here once for each.
        spent = best(lambda a=analyzer: a.measure(Exhibit((Window(pixels),))), 20)
        total += spent
        print(f"{analyzer.name:12s} {spent:7.2f} ms  {len(analyzer.specs):3d} features")
    data = io.BytesIO()
    Image.fromarray(picture(3000, 4000)).save(data, "JPEG", quality=92)
    decode = best(lambda: Image.open(io.BytesIO(data.getvalue())).load(), 1)
    print(f"{'all':12s} {total:7.2f} ms  {sum(len(a.specs) for a in ANALYZERS):3d} features")
    print(f"12-megapixel decode {decode:.0f} ms; three windows cost {3 * total / decode:.2f} of it")


if __name__ == "__main__":
    main()
