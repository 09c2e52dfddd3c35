"""Multilayer perceptrons read from safetensors and answered in NumPy, with exact Shapley values of groups of inputs."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CUT = 4.0
"""Standard scores beyond which an input counts as that: one odd measurement must not shout."""
MAX_PLAYERS = 16
"""Groups of inputs at most: every coalition of them is asked, 65,536 of so many."""


@dataclass(frozen=True)
class Perceptron:
    """Layers over standardised inputs, with rectifiers in between.

    Attributes
    ----------
    centre, scale
        (inputs,) mean and standard deviation of the training rows.
    layers
        Weight (out, in) and bias (out,) of each layer; the last has one output.
    owner
        (inputs,) index of the group that each input belongs to.
    """

    centre: Floats
    scale: Floats
    layers: tuple[tuple[Floats, Floats], ...]
    owner: NDArray[np.int64]

    @classmethod
    def load(cls, path: Path, groups: Sequence[str], rest: str | None = None) -> Perceptron:
        """Read what `aiforensics.lab.fit.perceptrons` wrote.

        Parameters
        ----------
        path
            The safetensors file.
        groups
            Name of the group of each input; inputs of one group have one Shapley value.
        rest
            Name of the group of all inputs that come after these; there are none without.

        Raises
        ------
        ValueError
            If there are more than `MAX_PLAYERS` groups, or other inputs than the file has; or if its layers do not fit
            on each other, or hold what is no number.
        """
        from safetensors.numpy import load_file  # noqa: PLC0415

        tensors = {name: tensor.astype(np.float64) for name, tensor in load_file(path).items()}
        inputs = len(tensors["centre"])
        groups = [*groups, *([] if rest is None else [rest] * (inputs - len(groups)))]
        names = list(dict.fromkeys(groups))
        if len(names) > MAX_PLAYERS:
            raise ValueError(f"its inputs are of {len(names)} groups, over {MAX_PLAYERS}")
        if len(groups) != inputs:
            raise ValueError(f"it has {inputs} inputs, and there are {len(groups)}")
        layers = tuple((tensors[f"layer{i}.weight"], tensors[f"layer{i}.bias"]) for i in range((len(tensors) - 2) // 2))
        if problem := _problem(tensors, layers):
            raise ValueError(problem)
        owner = np.array([names.index(group) for group in groups])
        return cls(tensors["centre"], tensors["scale"], layers, owner)

    @property
    def inputs(self) -> int:
        """How many it has."""
        return len(self.centre)

    def margin(self, rows: Floats) -> Floats:
        """(n, inputs) finite values → (n,) margins."""
        weight, bias = self.layers[0]
        return self._rest(np.clip((rows - self.centre) / self.scale, -CUT, CUT) @ weight.T + bias)

    def times(self, factor: float) -> Perceptron:
        """The same with its margin times `factor`."""
        *others, (weight, bias) = self.layers
        return replace(self, layers=(*others, (weight * factor, bias * factor)))

    def grown(self, place: int, rows: NDArray[np.floating]) -> Perceptron:
        """The same with new inputs before input `place`, which have no weight yet; standardised by (n, new) rows."""
        new = np.full(rows.shape[1], place)
        (weight, bias), *others = self.layers
        return Perceptron(
            np.insert(self.centre, new, rows.mean(axis=0)),
            np.insert(self.scale, new, rows.std(axis=0) + 1e-6),
            ((np.insert(weight, new, 0.0, axis=1), bias), *others),
            np.insert(self.owner, new, self.owner[-1]),
        )

    def contributions(self, row: Floats) -> tuple[Floats, float]:
        """Share of every input in the margin, and the margin of an average row.

        A group's share is its Shapley value (Shapley, 1953): every coalition of groups is asked, the others held at
        the training mean. It is divided among the group's inputs in proportion to what each of them alone moves.

        Parameters
        ----------
        row
            (inputs,) finite values.

        Returns
        -------
        shares, base
            (inputs,) shares in log-odds, and the base; together they are the margin.
        """
        x = np.clip((row - self.centre) / self.scale, -CUT, CUT)
        first, bias = self.layers[0]
        pushes = first.T * x[:, None]  # of each input on each unit of the first layer
        players = int(self.owner.max()) + 1
        together = np.stack([pushes[self.owner == player].sum(axis=0) for player in range(players)])
        coalitions, weight_of = _game(players)
        values = self._rest(coalitions @ together + bias)
        shares = np.zeros(len(x))
        for player, weights in enumerate(weight_of):
            mine = np.flatnonzero(self.owner == player)
            share = float(weights @ values)
            alone = np.abs(self._rest(pushes[mine] + bias) - values[0])
            total = float(alone.sum())
            shares[mine] = share * alone / total if total > 0 else share / len(mine)
        return shares, float(values[0])

    def _rest(self, sums: Floats) -> Floats:
        """What follows on the (n, units) sums of the first layer: (n,) margins."""
        for weight, bias in self.layers[1:]:
            sums = np.maximum(sums, 0.0) @ weight.T + bias
        margins: Floats = sums[:, 0]
        return margins


def _problem(tensors: Mapping[str, Floats], layers: Sequence[tuple[Floats, Floats]]) -> str | None:
    """What is wrong with a perceptron's numbers, in a few words; None for sound ones."""
    inputs: tuple[int, ...] = tensors["centre"].shape
    if tensors["scale"].shape != inputs:
        return f"its scale is of {tensors['scale'].shape}, and its centre of {inputs}"
    for weight, bias in layers:
        if bias.ndim != 1 or weight.shape != (*bias.shape, *inputs):
            return f"a layer of {weight.shape} and {bias.shape} follows on {inputs}"
        inputs = bias.shape
    if not layers or inputs != (1,):
        return "its last layer has not one output"
    sound = all(np.isfinite(tensor).all() for tensor in tensors.values()) and bool((tensors["scale"] > 0).all())
    return None if sound else "it holds what is no number, or a scale that is not above 0"


@functools.cache
def _game(players: int) -> tuple[NDArray[np.bool_], Floats]:
    """(2^players, players) coalitions; (players, 2^players) weight of their values in each player's Shapley value."""
    coalitions = np.array(list(itertools.product([False, True], repeat=players)))
    sizes = coalitions.sum(axis=1)
    weights = np.zeros((players, len(coalitions)))
    for player in range(players):
        inside = coalitions[:, player]
        for index, size in enumerate(sizes):
            others = int(size) - int(inside[index])
            weight = math.factorial(others) * math.factorial(players - others - 1) / math.factorial(players)
            weights[player, index] = weight if inside[index] else -weight
    return coalitions, weights
