"""What a generator is made of, by name: networks and optimisers, saved and restored together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class Parts:
    """The base of every generator.

    Attributes
    ----------
    parts
        Everything that learns or remembers, by the name that a checkpoint gives it.
    """

    parts: Mapping[str, nn.Module | torch.optim.Optimizer]

    def state(self) -> dict[str, Any]:
        """Give everything that going on later needs."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
