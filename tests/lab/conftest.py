"""Small labelled folders of pictures that the tests make themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


def scene(seed: int, side: int = 96) -> NDArray[np.uint8]:
    """A smooth random scene: pictures of different seeds look different to any perceptual hash."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture
def make_folder(tmp_path) -> Callable[..., Path]:
    """Makes `real/` and `ai/` with `per_source` pictures in each of two sources a class, by `save(pixels, path)`."""

    def build(per_source: int = 40, save: Callable[[NDArray[np.uint8], Path, str], None] | None = None) -> Path:
        seed = 0
        for label in ("real", "ai"):
            for source in ("one", "two"):
                folder = tmp_path / "set" / label / f"{label}-{source}"
                folder.mkdir(parents=True)
                for i in range(per_source):
                    seed += 1
                    path = folder / f"{source}{i:03d}.png"
                    if save is None:
                        Image.fromarray(scene(seed)).save(path)
                    else:
                        save(scene(seed), path, label)
        return tmp_path / "set"

    return build
