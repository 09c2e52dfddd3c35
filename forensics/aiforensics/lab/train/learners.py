"""What learns: a classifier in PyTorch, and the one that is written out in NumPy, behind one Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - as everybody writes it

from aiforensics.lab.train.checkpoints import generators, restore_generators
from aiforensics.lab.train.descent import save_weights
from aiforensics.lab.train.devices import training_device
from aiforensics.lab.train.recipes import ClassifierConfig, RecipeError
from aiforensics_models.bundle import Device
from aiforensics_models.networks import Classifier, build_classifier
from aiforensics_models.networks.scratch_numpy import ScratchCnn, grey
from aiforensics_models.weights import WeightsError, read_state, start_from

Floats32 = NDArray[np.float32]


class Learner(Protocol):
    """Anything that learns from batches."""

    def learn(self, pixels: Floats32, labels: Floats32, weights: Floats32) -> tuple[float, float]:
        """One step on (n, 3, h, w) pictures in [0, 255]: its mean loss and accuracy."""
        ...

    def pace(self, factor: float) -> None:
        """Go on at `factor` times the learning rate of the recipe."""
        ...

    def log_odds(self, pixels: Floats32) -> NDArray[np.float64]:
        """(n,) log-odds of `ai`."""
        ...

    def save(self, path: Path) -> None:
        """Write the weights as safetensors."""
        ...

    def state(self) -> dict[str, Any]:
        """Give everything that going on later needs."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        ...


def make_learner(config: ClassifierConfig, *, head_only: bool = False, device: Device = "auto") -> Learner:
    """Make the learner of a recipe.

    Parameters
    ----------
    config
        The recipe's knobs.
    head_only
        Train the head alone; the body keeps its weights and batch statistics.
    device
        Where PyTorch runs; `auto` takes a GPU where there is one.

    Raises
    ------
    RecipeError
        If the network cannot have such a side, or head and body cannot be told apart.
    WeightsError
        If the first weights cannot be had or do not fit.
    """
    if config.network == "scratch-cnn-numpy":
        return NumpyLearner(config)
    torch.manual_seed(config.seed)
    try:
        network = build_classifier(config.network, config.side)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    start_from(network, config.network, config.weights)
    return TorchLearner(network, config, head_only=head_only, device=device)


class TorchLearner:
    """A classifier under Adam and binary cross-entropy."""

    def __init__(self, network: Classifier, config: ClassifierConfig, *, head_only: bool, device: Device) -> None:
        self._device = training_device(device)
        if head_only:
            network.frozen = (*network.frozen, "body")
            network.body.requires_grad_(False)
        self.network = network.to(self._device)
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        self._rate = config.rate
        self._precision = config.precision
        self._optimiser = torch.optim.Adam(trained, lr=config.rate, weight_decay=config.weight_decay)

    def learn(self, pixels: Floats32, labels: Floats32, weights: Floats32) -> tuple[float, float]:
        """One step of Adam."""
        self.network.train()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            log_odds = self.network.logit(self._tensor(pixels))
        log_odds = log_odds.float()
        target = self._tensor(labels)
        loss = F.binary_cross_entropy_with_logits(log_odds, target, weight=self._tensor(weights))
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        return float(loss.detach()), float(((log_odds.detach() > 0) == (target > 0.5)).float().mean())

    def pace(self, factor: float) -> None:
        """Go on at `factor` times the learning rate."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * factor

    def log_odds(self, pixels: Floats32) -> NDArray[np.float64]:
        """(n,) log-odds of `ai`, in evaluation mode."""
        self.network.eval()
        with torch.inference_mode():
            return np.asarray(self.network.logit(self._tensor(pixels)).double().cpu().numpy())

    def save(self, path: Path) -> None:
        """Write the weights as safetensors."""
        save_weights(self.network, path)

    def state(self) -> dict[str, Any]:
        """Weights, optimiser and PyTorch's generators, which dropout draws from."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            **generators(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        restore_generators(state)

    def _tensor(self, array: Floats32) -> Tensor:
        return torch.from_numpy(array).to(self._device)


class NumpyLearner:
    """The network written out in NumPy under plain gradient descent."""

    def __init__(self, config: ClassifierConfig) -> None:
        if config.side != 32:
            raise RecipeError("scratch-cnn-numpy reads pictures of 32 px: leave --side out")
        self.network = ScratchCnn(config.filters, config.seed)
        self._rate = config.rate
        self._pace = 1.0
        if config.weights == "imagenet":
            raise WeightsError("there are no ImageNet weights for scratch-cnn-numpy: leave --weights out")
        if config.weights != "none":
            state, own = read_state(Path(config.weights)), self.network.tensors()
            if {name: tuple(one.shape) for name, one in state.items()} != {
                name: one.shape for name, one in own.items()
            }:
                raise WeightsError(
                    f"{config.weights} does not fit scratch-cnn-numpy of {config.filters} filters: name the weights of "
                    "such a network, or give other --filters"
                )
            self.network.restore({name: tensor.numpy() for name, tensor in state.items()})

    def learn(self, pixels: Floats32, labels: Floats32, weights: Floats32) -> tuple[float, float]:
        """One step of gradient descent."""
        rate = self._rate * self._pace
        return self.network.step(grey(pixels), labels.astype(np.float64), rate, weights.astype(np.float64))

    def pace(self, factor: float) -> None:
        """Go on at `factor` times the learning rate."""
        self._pace = factor

    def log_odds(self, pixels: Floats32) -> NDArray[np.float64]:
        """(n,) log-odds of `ai`."""
        return self.network.forward(grey(pixels))

    def save(self, path: Path) -> None:
        """Write the weights as safetensors, under the names of the twin in PyTorch."""
        self.network.save(path)

    def state(self) -> dict[str, Any]:
        """The weights as they are trained: rounded to those of the twin, a run would not go on as if not stopped."""
        return {"network": {name: torch.from_numpy(value) for name, value in self.network.parameters.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name, weight in self.network.parameters.items():
            weight[:] = state["network"][name].numpy()
