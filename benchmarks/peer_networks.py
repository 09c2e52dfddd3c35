"""Detectors that `peers.py` compares: published ones from a checkout of their repository, and a bundle of ours."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from aiforensics.image import Picture
from aiforensics.lab.data import overlap
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.sums import sum_of
from aiforensics.lab.judge.quick import open_detector
from aiforensics_models.bundle import Bundle

Pixels = NDArray[np.uint8]

AS_FOUND_SIDE = 512
"""Pixels of a picture as found that a peer sees, along each side, at most."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


class Judge(Protocol):
    """Anything that is compared; known by the sum of its weights."""

    sha256: str

    def judge(self, delivered: Sequence[Picture], found: Picture) -> list[float]:
        """Scores that rise with `ai`: of delivered pictures, and of one as it was found."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How a peer is built from its checkout and what it is shown.

    Attributes
    ----------
    repository
        Where it was published.
    weights
        Path in the checkout.
    build
        Folder of the checkout → the untrained network; it gives logits of `ai`, one or a map of them.
    normalisation
        Mean and standard deviation of each channel, of values in [0, 1].
    even
        Whether an odd last row or column is cut off, for a network that halves and doubles its input.
    """

    repository: str
    weights: str
    build: Callable[[Path], nn.Module]
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]
    even: bool = False


class Peer:
    """A published detector with its weights."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe = recipe
        weights = folder / recipe.weights
        self.sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        self.network = recipe.build(folder)
        state = torch.load(weights, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state.get("model", state), strict=True)
        self.network.eval()
        self.mean, self.deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in recipe.normalisation)
        self.parameters = sum(p.numel() for p in self.network.parameters())

    def judge(self, delivered: Sequence[Picture], found: Picture) -> list[float]:
        """Logits of `ai`: of delivered pictures, and of one as it was found, the centre of which it sees."""
        pixels = [np.asarray(each.image, np.uint8) for each in (*delivered, found)]
        return [self.score(each) for each in (*pixels[:-1], _centre(pixels[-1]))]

    @torch.inference_mode()
    def score(self, pixels: Pixels) -> float:
        """Judge (h, w, 3) uint8, RGB: the logit of `ai`."""
        if self.recipe.even:
            pixels = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float() / 255
        return float(self.network((batch - self.mean) / self.deviation).double().mean())

    def pictures_per_second(self, side: int = 248, number: int = 20) -> float:
        """Measure the speed on square windows, in pictures per second of processor time."""
        pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        self.score(pixels)
        begin = time.process_time()
        for _ in range(number):
            self.score(pixels)
        return number / (time.process_time() - begin)


class Ours:
    """A bundle of this project, through the pipeline that users have."""

    def __init__(self, name: str) -> None:
        self.bundle = Bundle.load(name)
        self.sha256 = self.bundle.sha256
        self._detector = open_detector(name)

    def judge(self, delivered: Sequence[Picture], found: Picture) -> list[float]:
        """Log-odds of the calibrated probability of `ai`: of delivered pictures, and of one as it was found."""
        p = np.clip([self._detector.score(each).p_ai for each in (*delivered, found)], 1e-9, 1 - 1e-9)
        log_odds: list[float] = np.log(p / (1 - p)).tolist()
        return log_odds

    def check_strange(self, chosen: Sequence[Sample]) -> None:
        """End the run if the bundle learned from one of these pictures, or does not say."""
        known = overlap.seen(self.bundle)
        if known is None:
            sys.exit(f"{self.bundle.name} does not state what it learned from")
        seen = [one.key for one in chosen if sum_of(one.path)[: overlap.DIGITS] in known]
        if seen:
            sys.exit(f"{self.bundle.name} learned from {len(seen)} of these pictures: {', '.join(seen[:5])}")


def _module(path: Path) -> ModuleType:
    """Import one file of a checkout without putting the checkout on the module path."""
    spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        sys.exit(f"{path}: not found; the folder of --peer must be a checkout of the peer's repository")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ferretnet_s(folder: Path) -> nn.Module:
    """Build it as configs/cfgs/FerretNet-S-Median-3.yaml of its repository says."""
    lpd = _module(folder / "src/model/lpd.py").get_lpd_dict()
    network: nn.Module = _module(folder / "src/model/ferretnet.py").Ferret(
        in_channels=3, num_classes=1, dim=32, depths=[2, 2], lpd_func="median", window_size=3, lpd_dict=lpd
    )
    return network


def _tiny_ladeda(folder: Path, preprocess: Literal["NPR", "right_diag"] = "NPR") -> nn.Module:
    """Build it as test.py of its repository does, without its pooling, which takes square pictures only.

    The mean of the map of logits is the logit of the mean that it pools: what follows the pooling is linear.
    """
    network: nn.Module = _module(folder / "networks/Tiny_LaDeDa.py").tiny_ladeda(preprocess, pool=False)
    network.fc = nn.Linear(8, 1)
    return network


_LADEDA = "barcavia/RealTime-DeepfakeDetection-in-the-RealWorld"
RECIPES: dict[str, Recipe] = {
    "ferretnet-s": Recipe("xigua7105/FerretNet", "checkpoints/4cls_ckpt/ferretnet-s-median-3.pth", _ferretnet_s, _CLIP),
    "tiny-ladeda-forensynth": Recipe(
        _LADEDA, "weights/Tiny_LaDeDa/ForenSynth_Tiny_LaDeDa.pth", _tiny_ladeda, _IMAGENET, even=True
    ),
    "tiny-ladeda-wildrf": Recipe(
        _LADEDA, "weights/Tiny_LaDeDa/WildRF_Tiny_LaDeDa.pth", _tiny_ladeda, _IMAGENET, even=True
    ),
}


def _centre(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    y, x = max(0, height - AS_FOUND_SIDE) // 2, max(0, width - AS_FOUND_SIDE) // 2
    return pixels[y : y + AS_FOUND_SIDE, x : x + AS_FOUND_SIDE]
