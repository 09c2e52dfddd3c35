"""Golden vectors: every feature of one photograph of scikit-image, so that no definition changes unnoticed.

After a change that is meant, write them anew: `python tests/analyzers/test_golden.py`.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from aiforensics.analyzers import ANALYZERS, Exhibit
from aiforensics.image import Window

GOLDEN = Path(__file__).with_name("golden.json")


def measured():
    pixels = np.ascontiguousarray(data.astronaut()[64:320, 128:384])
    exhibit = Exhibit((Window(pixels),), lambda p: np.array([p[:, :128].mean(), p.mean()]) / 255.0)
    return {analyzer.name: dict(analyzer.measure(exhibit)) for analyzer in ANALYZERS}


@pytest.mark.parametrize("analyzer", ANALYZERS, ids=lambda a: a.name)
def test_golden(analyzer):
    expected = json.loads(GOLDEN.read_text())[analyzer.name]
    # Another build of OpenCV may decode a re-saved JPEG or round a filter differently in the last place.
    assert measured()[analyzer.name] == pytest.approx(expected, rel=1e-3, abs=1e-4)


if __name__ == "__main__":
    short = {name: {k: float(f"{v:.6g}") for k, v in values.items()} for name, values in measured().items()}
    GOLDEN.write_text(json.dumps(short, indent=1) + "\n")
