"""What learns, by its parts: networks, optimisers and schedules, saved and restored together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Parts:
    """The base of what learns.

    Attributes
    ----------
    parts
        Everything that learns or remembers, by the name that a checkpoint gives it: PyTorch's own classes, which all
        have a state and share no base.
    """

    parts: Mapping[str, Any]

    def state(self) -> dict[str, Any]:
        """Give everything that going on later needs."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, which may hold more."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
