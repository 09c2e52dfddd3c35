"""Knobs of the fusion recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from aiforensics.lab.fit.heads import HeadKind
from aiforensics.lab.train.cycles import FinetuneConfig


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """Knobs of the fusion recipes; the defaults made the shipped bundle.

    Attributes
    ----------
    head
        `xgboost` or `deep`.
    folds
        Networks that each leave a part of the sources out; fewer where a class has fewer sources.
    per_source
        Pictures of each source at most that the stack is fitted on.
    network
        Knobs of the fold networks; its `emphasis` holds for the handcrafted head and the mix, too.
    final_steps, final_held_steps, final_free_steps
        Steps of the three cycles of the final network, which nobody waits for four times.
    workers
        Processes that measure.
    seed
        Of folds, head and calibration.
    """

    head: HeadKind = "xgboost"
    folds: int = 4
    per_source: int = 400
    network: FinetuneConfig = field(default_factory=FinetuneConfig)
    final_steps: int = 2400
    final_held_steps: int = 4000
    final_free_steps: int = 5000
    workers: int = 2
    seed: int = 0

    @classmethod
    def stated(cls, config: Mapping[str, Any]) -> FusionConfig:
        """The knobs that a bundle's manifest states under `training.config`; unknown ones are left out."""
        own, network = (
            {name: value for name, value in stated.items() if name in {one.name for one in fields(kind)}}
            for kind, stated in ((cls, config), (FinetuneConfig, config["network"]))
        )
        return cls(**{**own, "network": FinetuneConfig(**network)})

    def shortened(self, steps: int) -> FusionConfig:
        """The same with so many steps in every cycle of every network, and no more in one that has none."""
        network = replace(self.network, steps=steps, held_steps=steps, free_steps=min(steps, self.network.free_steps))
        return replace(self, network=network, final_steps=steps, final_held_steps=steps, final_free_steps=steps)
