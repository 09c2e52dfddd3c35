"""What a classifier sees of labelled pictures: prepared once, kept in memory, augmented anew in each pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from aiforensics.image import Picture, from_array, read
from aiforensics.image.picture import WINDOW
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.views import CONDITIONS, Pixels, random_view, seeded, training_view, window, with_history
from aiforensics.lab.train.recipes import ClassifierConfig
from aiforensics_models.preparation import Preparation, cut_back, mirrored

Floats32 = NDArray[np.float32]

WINDOWS = 2
"""Windows of each picture that are kept, the most detailed first."""
KEPT_SIDE = 384
"""Side in pixels that a picture is cut to in memory where every view of it is drawn anew."""
SHIFT = 0.1
"""Shifts are at most this share of the side."""
_AHEAD = 2


class Pictures:
    """Labelled pictures as one network input sees them.

    Parameters
    ----------
    samples
        The pictures; each is decoded once.
    prepare
        What a window becomes before it enters the network.
    augment
        Names out of `aiforensics.lab.train.recipes.AUGMENTATIONS`.
    seed
        Of the order and the augmentation.
    """

    def __init__(self, samples: Sequence[Sample], prepare: Preparation, augment: Sequence[str], seed: int) -> None:
        self.samples = samples
        self.labels = np.array([sample.label == "ai" for sample in samples], np.float32)
        self.weights = class_weights(self.labels)
        self._prepare = prepare
        self._augment = frozenset(augment)
        self._seed = seed
        self._kept: dict[int, list[Pixels]] = {}
        self._looked_at: dict[int, list[Pixels]] = {}
        self._bare: set[int] = set()  # of the kept ones, those that were no JPEG

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def delivered(self) -> bool:
        """Whether pictures are seen under delivery conditions."""
        return "delivery" in self._augment

    def batches(self, epoch: int, size: int) -> Iterator[tuple[NDArray[np.int64], Floats32]]:
        """One pass in random order: indices (n,) and pictures (n, 3, h, w) in [0, 255]; no batch has but one.

        What a batch holds depends on the seed, the pass and its place alone.
        """
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self))
        parts = [order[at : at + size] for at in range(0, len(order), size)]
        parts = [part for part in parts if len(part) > 1 or size == 1]
        with ThreadPoolExecutor(1) as ahead:
            pending: list[Future[Floats32]] = []
            for place in range(len(parts) + _AHEAD):
                if place < len(parts):
                    pending.append(ahead.submit(self._draw, parts[place], epoch, place))
                if place >= _AHEAD:
                    yield parts[place - _AHEAD], pending.pop(0).result()

    def plain(self, size: int) -> Iterator[tuple[NDArray[np.int64], Floats32, Floats32]]:
        """Every kept window without augmentation, in order: owners (n,), shares (n,) and pictures.

        The shares of a picture add up to 1; its first window has half of its own read mirrored, as the pipeline has it.
        Where pictures are trained under delivery, each is seen once, and the matched conditions take turns.
        """
        owners: list[int] = []
        shares: list[float] = []
        pixels: list[Pixels] = []
        for index in range(len(self)):
            found = self._both_ways(index)
            owners += [index] * len(found)
            shares += [share / (len(found) - 1) for share in (0.5, 0.5, *(1.0 for _ in found[2:]))]
            pixels += found
            if len(pixels) >= size or index == len(self) - 1:
                yield np.array(owners, np.int64), np.array(shares, np.float32), to_batch(pixels)
                owners, shares, pixels = [], [], []

    def example(self, index: int, rng: np.random.Generator) -> Pixels:
        """(h, w, 3) uint8: one augmented picture, as the network sees it."""
        if self.delivered:
            raw = self._raw(index)
            pixels = self._shown(random_view(with_history(raw, rng) if index in self._bare else raw, rng))
        else:
            windows = self._windows(index)
            pixels = windows[int(rng.integers(len(windows)))]
        if {"flip", "flips"} & self._augment and rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        if "flips" in self._augment and rng.random() < 0.5:
            pixels = pixels[::-1]
        if "shift" in self._augment:
            pixels = shifted(pixels, rng)
        return np.ascontiguousarray(pixels)

    def _draw(self, indices: NDArray[np.int64], epoch: int, place: int) -> Floats32:
        rng = np.random.default_rng([self._seed, epoch, place])
        return to_batch([self.example(int(index), rng) for index in indices])

    def _windows(self, index: int) -> list[Pixels]:
        if index not in self._kept:
            self._kept[index] = [self._prepare.picture(one) for one in self._unprepared(index)]
        return self._kept[index]

    def _both_ways(self, index: int) -> list[Pixels]:
        """The first window, the same read mirrored, and the others: made once, because every pass looks at them."""
        if index not in self._looked_at:
            first, *others = self._unprepared(index)
            self._looked_at[index] = [self._prepare.picture(one) for one in (first, mirrored(first), *others)]
        return self._looked_at[index]

    def _unprepared(self, index: int) -> list[Pixels]:
        if not self.delivered:
            return [one.pixels for one in read(self.samples[index].path).windows[:WINDOWS]]
        view = CONDITIONS[index % len(CONDITIONS)]
        return [from_array(view(self._raw(index), seeded(self.samples[index].key))).windows[0].pixels]

    def _raw(self, index: int) -> Pixels:
        if index not in self._kept:
            picture = read(self.samples[index].path)
            if picture.jpeg is None:
                self._bare.add(index)
            pixels = np.asarray(picture.image, np.uint8)
            self._kept[index] = [window(pixels, seeded(self.samples[index].key), KEPT_SIDE)]
        return self._kept[index][0]

    def _shown(self, pixels: Pixels) -> Pixels:
        return self._prepare.picture(from_array(pixels).windows[0].pixels)


def train_and_val(samples: Sequence[Sample], config: ClassifierConfig) -> tuple[Pictures, Pictures]:
    """The pictures of a data set that a classifier learns from, and those that say when it has learned enough."""
    prepare = Preparation(config.input, config.side)
    train, val = ([sample for sample in samples if sample.split == split] for split in ("train", "val"))
    return Pictures(train, prepare, config.augment, config.seed), Pictures(val, prepare, config.augment, config.seed)


def class_weights(labels: NDArray[np.float32]) -> Floats32:
    """(n,) weights of mean 1 that give both classes the same total, where both are there."""
    share = float(labels.mean())
    if share in (0.0, 1.0):
        return np.ones_like(labels)
    return np.where(labels > 0.5, 0.5 / share, 0.5 / (1 - share)).astype(np.float32)


def to_batch(pixels: Sequence[Pixels]) -> Floats32:
    """(h, w, 3) uint8 pictures of one size → (n, 3, h, w) float32."""
    return np.ascontiguousarray(np.stack(pixels).transpose(0, 3, 1, 2), np.float32)


def shifted(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Shift a picture by up to a tenth of its side each way; the border repeats."""
    height, width = pixels.shape[:2]
    move = np.array([[1, 0, rng.uniform(-SHIFT, SHIFT) * width], [0, 1, rng.uniform(-SHIFT, SHIFT) * height]])
    move[:, 2] = np.rint(move[:, 2])
    return np.asarray(cv2.warpAffine(pixels, move, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def audited_view(delivered: bool, picture: Picture, rng: np.random.Generator) -> Pixels:
    """Show the audit what a classifier may learn from: a delivered view, or the first window of the file in one size.

    The network sees one size in any case; what is left of compression is what leaks, and it shows only where the window
    starts on the picture's own JPEG grid, as the network's windows do.
    """
    if delivered:
        return training_view(picture, rng)
    seen = cut_back(picture.windows[0].pixels)
    room = [(0, WINDOW - side) for side in seen.shape[:2]]
    return np.pad(seen, (*room, (0, 0)), mode="symmetric")
