"""A classifier: a body of convolutions under a dense head, in the form that every bundle carries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """Body and head.

    Parameters
    ----------
    body
        (n, 3, h, w) in [0, 255] → maps (n, c, h', w').
    head
        Reads the maps' means over space, or where `flatten` is true the maps as they are.
    flatten
        Whether the head sees every place of the maps on its own.
    frozen
        Submodules that are never trained and keep their batch statistics, by name (`body.stem`).
    """

    def __init__(self, body: nn.Module, head: DenseHead, *, flatten: bool = False, frozen: Sequence[str] = ()) -> None:
        super().__init__()
        self.body, self.head = body, head
        self.flatten, self.frozen = flatten, tuple(frozen)
        for name in self.frozen:
            self.get_submodule(name).requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set the mode; what is frozen stays in evaluation."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def logit(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 255] → (n,) log-odds of `ai`; what training needs."""
        log_odds: Tensor = self.head(self._read(self.body(pixels)))[0][:, 0]
        return log_odds

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, 3, h, w) in [0, 255] → logits (n, 1), embedding (n, d), activation (n, h', w').

        The activation is the share that each place of the maps has in the logit, gradient times value; the head is
        linear in pieces, so the shares and a constant add up to the logit exactly. Under a head of one layer it is the
        class activation mapping of Zhou et al., arXiv 1512.04150.
        """
        maps = self.body(pixels)
        logits, embedding, slope = self.head(self._read(maps))
        if self.flatten:
            shares = slope.view_as(maps) * maps
        else:
            shares = slope[:, :, None, None] * maps / (maps.shape[2] * maps.shape[3])
        return logits, embedding, shares.sum(dim=1)

    def _read(self, maps: Tensor) -> Tensor:
        return maps.flatten(1) if self.flatten else maps.flatten(2).mean(dim=2)


class DenseHead(nn.Module):
    """Dense layers with ReLU between them, and one log-odds at the end.

    Parameters
    ----------
    inputs
        Numbers that it reads.
    hidden
        Widths of the hidden layers.
    norm
        Whether batch norm follows the first hidden layer.
    dropout
        After the first hidden layer, or before the only one.
    """

    def __init__(self, inputs: int, hidden: Sequence[int] = (), *, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [inputs, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.norm = nn.BatchNorm1d(widths[1]) if norm else None
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, inputs) → logit (n, 1), the last layer's input (n, d), and the logit's slope by each input."""
        factors: list[tuple[Tensor, Tensor]] = []
        if not self.hidden:
            x = self.dropout(x)
        for index, layer in enumerate(self.hidden):
            weight: Tensor = layer.weight  # type: ignore[assignment]  # a list of modules forgets their class
            before = layer(x)
            factor = (before > 0).to(before.dtype)
            x = before * factor
            if index == 0:
                if self.norm is not None and self.norm.running_var is not None:
                    x = self.norm(x)
                    factor = factor * self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
                x = self.dropout(x)
            factors.append((weight, factor))
        slope = self.last.weight.expand(x.shape[0], -1)
        for weight, factor in reversed(factors):
            slope = (slope * factor) @ weight
        return self.last(x), x, slope


class Scale(nn.Module):
    """Brings pixels in [0, 255] to the range that a body was trained on: (pixels / 255 - mean) / deviation."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1) * 255.0)
        self.register_buffer("factor", 1.0 / (255.0 * torch.tensor(deviation).view(1, -1, 1, 1)))
        self.mean: Tensor
        self.factor: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 255] → the same, scaled."""
        return (pixels - self.mean) * self.factor


def centred() -> Scale:
    """Make the scale of networks that start at random: [-1, 1]."""
    return Scale((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def imagenet() -> Scale:
    """Make the scale of torchvision's ImageNet weights."""
    return Scale((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
