"""Small generators of pictures, one file each: what detectors are tested on. Needs the `train` extra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from aiforensics_models.generators.diffusion import Diffusion, DiffusionConfig
from aiforensics_models.generators.gan import Gan, GanConfig
from aiforensics_models.generators.vae import Vae, VaeConfig

__all__ = ["KINDS", "SIDES", "PictureModel", "build_generator", "check_weights", "settings_of"]

SIDES = (32, 64)
KINDS = ("gan", "vae", "diffusion")


class PictureModel(Protocol):
    """Anything that learns to make pictures out of noise."""

    kind: str

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise that one picture is made of."""
        ...

    @property
    def sampler(self) -> nn.Module:
        """The network that sampling needs."""
        ...

    def step(self, pictures: Tensor) -> dict[str, float]:
        """One training step on (n, 3, side, side) pictures in [-1, 1]: its figures."""
        ...

    def sample(self, noise: Tensor) -> Tensor:
        """(n, *noise_shape) standard normal → (n, 3, side, side) in [-1, 1]."""
        ...

    def state(self) -> dict[str, Any]:
        """Give everything that going on later needs."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        ...


def build_generator(kind: str, settings: Mapping[str, Any], device: str = "cpu") -> PictureModel:
    """Build a generator with random weights.

    Parameters
    ----------
    kind
        Out of `KINDS`.
    settings
        Knobs of its kind by name; what is missing keeps its default.
    device
        Where PyTorch runs.

    Raises
    ------
    ValueError
        If the kind, a setting or the side is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no generator {kind!r}: choose from {', '.join(KINDS)}")
    if settings.get("side", 32) not in SIDES:
        raise ValueError(f"generators make pictures of {' or '.join(map(str, SIDES))} px")
    try:
        if kind == "gan":
            return Gan(GanConfig(**settings), device)
        if kind == "vae":
            return Vae(VaeConfig(**settings), device)
        return Diffusion(DiffusionConfig(**settings), device)
    except TypeError as error:
        raise ValueError(f"unknown setting for {kind}: {error}") from error


def settings_of(model: PictureModel) -> dict[str, Any]:
    """Every knob of a generator by name."""
    return asdict(model.config)  # type: ignore[attr-defined]  # each kind has its own frozen dataclass


def check_weights(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse weights from a file that are not those of a network.

    Parameters
    ----------
    state
        The weights by name.
    wanted
        The network's own, of which the shapes alone count.

    Raises
    ------
    ValueError
        If names or shapes differ, or a weight is no number.
    """
    if {name: one.shape for name, one in state.items()} != {name: one.shape for name, one in wanted.items()}:
        raise ValueError("its weights are not those of its settings")
    if not all(bool(torch.isfinite(one).all()) for one in state.values()):
        raise ValueError("its weights are no numbers")
