"""A detector: an embedding network under an ensemble of linear heads, in the form that every bundle carries."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

MEMBERS = 5
"""Linear heads of the ensemble; each is trained with its own random weighting of the sources."""


class Detector(nn.Module):
    """Embedding network and ensemble of linear heads on its standardised embedding.

    Parameters
    ----------
    backbone
        The embedding network. The last `2 · tap_channels[-1]` numbers of its embedding are the mean and the standard
        deviation over space of the map that it returns.
    members
        Heads of the ensemble.
    """

    def __init__(self, backbone: nn.Module, members: int = MEMBERS) -> None:
        super().__init__()
        self.backbone = backbone
        dimension = int(backbone.dimension)  # type: ignore[arg-type]
        self._channels = int(backbone.tap_channels[-1])  # type: ignore[index]
        self.heads = nn.Linear(dimension, members)
        self.register_buffer("centre", torch.zeros(dimension))
        self.register_buffer("scale", torch.ones(dimension))
        self.centre: Tensor
        self.scale: Tensor
        self._held: tuple[nn.Module, ...] = ()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, 3, h, w) in [0, 255] → logits (n, members), embedding (n, dimension), activation (n, h', w').

        The activation is the share that each place of the last map has in the mean logit through the map's mean (class
        activation mapping, Zhou et al., arXiv 1512.04150, equation 2).
        """
        embedding, maps = self.backbone(pixels)
        standard = self.standardise(embedding)
        start = embedding.shape[1] - 2 * self._channels
        last = slice(start, start + self._channels)
        weight = self.heads.weight.mean(dim=0)[last] / self.scale[last]
        activation = torch.einsum("nchw,c->nhw", maps - self.centre[last].view(1, -1, 1, 1), weight)
        return self.heads(standard), embedding, activation

    def hold(self, blocks: int) -> None:
        """Fix the first `blocks` blocks of the backbone: neither weights nor batch statistics change any more."""
        if not blocks:
            return
        self._held = tuple(self.backbone.first(blocks))  # type: ignore[operator]
        for part in self._held:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Detector:
        """Set the mode; what is held stays in evaluation mode."""
        super().train(mode)
        for part in self._held:
            part.eval()
        return self

    def standardise(self, embedding: Tensor) -> Tensor:
        """Embedding in units of the training pictures' spread, cut at ±6 so that no channel can shout."""
        return ((embedding - self.centre) / self.scale).clamp(-6, 6)

    @torch.no_grad()
    def set_reference(self, embeddings: Tensor, first: int | None = None) -> None:
        """Take centre and scale from (n, dimension) embeddings of training pictures, or of `first` numbers alone."""
        self.centre[:first] = embeddings.mean(dim=0)[:first]
        self.scale[:first] = embeddings.std(dim=0).clamp_min(1e-3)[:first]

    def load_grown(self, state: Mapping[str, Tensor]) -> int:
        """Load a detector whose embedding may lack numbers in front of this one's: how many.

        The heads give them no weight yet, and their centre and scale are 0 and 1. What else does not fit is refused as
        `load_state_dict` does.
        """
        new = max(0, self.heads.in_features - state["heads.weight"].shape[1])
        room = {"heads.weight": 0.0, "centre": 0.0, "scale": 1.0}
        grown = {name: functional.pad(state[name], (new, 0), value=value) for name, value in room.items()}
        self.load_state_dict({**state, **grown})
        return new
