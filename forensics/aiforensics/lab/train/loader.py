"""Batches of delivered crops, drawn by threads ahead of the training step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiforensics.evidence import InputError
from aiforensics.image import Picture, read
from aiforensics.lab.data.views import Pixels, random_view, window, with_history

CACHED_SIDE = 320
"""Pictures are kept in memory up to this side in pixels, cut from the middle."""

Choose = Callable[[np.random.Generator], NDArray[np.int64]]


class CropLoader:
    """Draws batches for steps `first` … `steps` - 1; a step's batch depends on the seed and the step alone.

    Parameters
    ----------
    paths
        Pictures; each is decoded once and kept.
    choose
        Draws the indices of a batch.
    side
        Side of a crop in pixels; a smaller view is extended by reflection.
    seed
        Of the indices and the views.
    threads
        Threads that draw.
    """

    def __init__(self, paths: Sequence[Path], choose: Choose, side: int, seed: int, threads: int = 1) -> None:
        self._paths = paths
        self._choose = choose
        self._side = side
        self._seed = seed
        self._threads = threads
        self._cache: dict[int, tuple[Pixels, bool]] = {}

    def batches(self, first: int, steps: int) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Indices (batch,) and crops (batch, 3, side, side) float32 in [0, 255], channels last, for each step."""
        with ThreadPoolExecutor(self._threads) as pool:
            ahead = self._threads + 2
            pending = deque(pool.submit(self._draw, step) for step in range(first, min(first + ahead, steps)))
            step = first + ahead
            while pending:
                yield pending.popleft().result()
                if step < steps:
                    pending.append(pool.submit(self._draw, step))
                step += 1

    def _draw(self, step: int) -> tuple[NDArray[np.int64], Tensor]:
        rng = np.random.default_rng([self._seed, step])
        indices = self._choose(rng)
        crops = [
            padded(window(random_view(self._pixels(int(i), rng), rng), rng, self._side), self._side) for i in indices
        ]
        return indices, to_batch(crops)

    def _pixels(self, index: int, rng: np.random.Generator) -> Pixels:
        if index not in self._cache:
            try:
                picture = read(self._paths[index])
            except InputError as error:
                raise InputError(error.kind, f"{self._paths[index]}: {error.message}") from error
            self._cache[index] = middle(picture), picture.jpeg is None
        pixels, bare = self._cache[index]
        return with_history(pixels, rng) if bare else pixels


def middle(picture: Picture, side: int = CACHED_SIDE) -> Pixels:
    """Cut the middle of a picture, at most `side` px square, on the JPEG grid: (h, w, 3) uint8."""
    image = picture.image
    x, y = (max(0, length - side) // 32 * 16 for length in image.size)
    return np.array(image.crop((x, y, min(x + side, image.width), min(y + side, image.height))), np.uint8)


def padded(crop: Pixels, side: int) -> Pixels:
    """Extend a crop that is smaller than `side` by reflection."""
    down, right = (max(0, side - length) for length in crop.shape[:2])
    return np.pad(crop, ((0, down), (0, right), (0, 0)), mode="symmetric") if down or right else crop


def to_batch(crops: Sequence[Pixels]) -> Tensor:
    """(h, w, 3) uint8 crops of one size → (n, 3, h, w) float32, channels last."""
    batch = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    return batch.float().contiguous(memory_format=torch.channels_last)
