"""Crops of pictures for training."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from aiforensics.image import read
from aiforensics.lab.train.loader import middle, padded

pytestmark = pytest.mark.train


def test_large_pictures_are_cut_on_the_jpeg_grid(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (500, 420, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    cut = middle(read(tmp_path / "a.png"), side=200)
    assert (cut == pixels[144:344, 96:296]).all()
    assert padded(cut[:30, :50], 64).shape == (64, 64, 3)
