"""Crops of pictures for training."""

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from aiforensics.image import read  # noqa: E402
from aiforensics.lab.train.loader import CropLoader, middle, padded  # noqa: E402

pytestmark = pytest.mark.train


def test_large_pictures_are_cut_on_the_jpeg_grid(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (500, 420, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    cut = middle(read(tmp_path / "a.png"), side=200)
    assert (cut == pixels[144:344, 96:296]).all()
    assert padded(cut[:30, :50], 64).shape == (64, 64, 3)


def test_a_batch_depends_on_seed_and_step_alone(lattices):
    loader = CropLoader([s.path for s in lattices], lambda rng: rng.integers(len(lattices), size=3), 64, 7)
    all_at_once = list(loader.batches(0, 5))
    later = list(loader.batches(3, 5))
    assert len(all_at_once) == 5
    for (indices, pixels), (again, same) in zip(all_at_once[3:], later, strict=True):
        assert (indices == again).all()
        assert torch.equal(pixels, same)
        assert pixels.shape == (3, 3, 64, 64)
    several = CropLoader([s.path for s in lattices], lambda rng: rng.integers(len(lattices), size=3), 64, 7, threads=4)
    for (_, pixels), (_, same) in zip(all_at_once, several.batches(0, 5), strict=True):
        assert torch.equal(pixels, same)


def test_only_what_was_never_compressed_gets_a_first_jpeg(lattices, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("aiforensics.lab.train.loader.with_history", lambda pixels, rng: seen.append(1) or pixels)
    Image.open(lattices[0].path).save(tmp_path / "a.jpg")
    for path, expected in ((tmp_path / "a.jpg", 0), (lattices[0].path, 6)):
        seen.clear()
        list(CropLoader([path], lambda _rng: np.zeros(3, np.int64), 64, 7).batches(0, 2))
        assert len(seen) == expected
