"""Knobs of the forensic training, and the cycles of the learning rate that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """Knobs of `finetune`; the defaults made the network that the shipped one goes on from.

    Attributes
    ----------
    architecture
        Name of the embedding network.
    steps, batch, side
        Optimiser steps of the first cycle at most, crops per step, side of a crop in pixels.
    body_rate, head_rate
        Peak learning rates of AdamW in the first cycle, a one-cycle cosine.
    held_steps, held_blocks, held_rate
        Steps of a second cycle, whose stem and first blocks are held fixed, how many blocks, and its peak learning
        rate; no such cycle at 0 steps.
    free_steps, free_rate
        Steps of a last cycle that holds nothing, and its peak learning rate for the body; no such cycle at 0 steps.
    weight_decay, dropout, smoothing
        Of the weights, of the standardised embedding, and of the labels.
    average
        Decay of the moving average of the weights that is kept.
    check_every, patience
        Steps between two looks at `val`, and looks without a better AUC before the first cycle stops.
    check_pictures
        Pictures of `val` at most that a look uses.
    emphasis
        How many times the crops of a source count, by `label/source`; once where it is not named.
    seed
        Of everything random.
    """

    architecture: str = "tracenet"
    steps: int = 1600
    batch: int = 32
    side: int = 144
    body_rate: float = 6e-4
    head_rate: float = 1e-3
    held_steps: int = 2000
    held_blocks: int = 3
    held_rate: float = 5e-4
    free_steps: int = 0
    free_rate: float = 4e-4
    weight_decay: float = 0.02
    dropout: float = 0.2
    smoothing: float = 0.05
    average: float = 0.997
    check_every: int = 400
    patience: int = 4
    check_pictures: int = 300
    emphasis: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Cycle:
    """One run of the learning rate up and down."""

    title: str
    steps: int
    body_rate: float
    head_rate: float
    held_blocks: int
    keep: Literal["best", "last"]
    seed: int


def cycles_of(config: FinetuneConfig) -> tuple[Cycle, ...]:
    """The cycles of a configuration, in order."""
    first = Cycle("first", config.steps, config.body_rate, config.head_rate, 0, "best", config.seed)
    rate, free = config.held_rate, config.free_rate
    later = (
        Cycle("held", config.held_steps, rate, rate, config.held_blocks, "last", config.seed + 7),
        Cycle("free", config.free_steps, free, rate, 0, "last", config.seed + 14),
    )
    return first, *(cycle for cycle in later if cycle.steps)


def further_cycle(config: FinetuneConfig) -> Cycle:
    """The one cycle of a network that goes on from a trained one: `free_steps` that hold nothing."""
    return Cycle("further", config.free_steps, config.free_rate, config.held_rate, 0, "last", config.seed + 21)
