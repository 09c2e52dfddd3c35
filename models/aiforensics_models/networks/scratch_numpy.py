"""A convolutional network written out in NumPy: one convolution, ReLU, max pool, a dense layer, a sigmoid.

It is here to be read. Forward and backward pass are the chain rule by hand (Goodfellow, Bengio and Courville, "Deep
Learning", 2016, chapters 6 and 9), and a twin in PyTorch carries the same weights into a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIDE = 32
"""Side of the grey picture."""
KERNEL = 3
_CONVOLVED = SIDE - KERNEL + 1
_POOLED = _CONVOLVED // 2
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


class ScratchCnn:
    """The network and its gradients.

    Parameters
    ----------
    filters
        Kernels of the convolution; 8 or 16.
    seed
        Of the weights.

    Examples
    --------
    >>> network = ScratchCnn(8, seed=0)
    >>> network.forward(np.zeros((2, 32, 32))).shape
    (2,)
    """

    def __init__(self, filters: int = 8, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        size = filters * _POOLED**2
        self.kernels: Floats = rng.normal(0, np.sqrt(2 / KERNEL**2), (filters, KERNEL, KERNEL))
        self.kernel_bias: Floats = np.zeros(filters)
        self.dense: Floats = rng.normal(0, np.sqrt(1 / size), size)
        self.dense_bias: Floats = np.zeros(1)

    @property
    def parameters(self) -> dict[str, Floats]:
        """The weights by name, as they are trained (not copies)."""
        return {
            "kernels": self.kernels,
            "kernel_bias": self.kernel_bias,
            "dense": self.dense,
            "dense_bias": self.dense_bias,
        }

    def forward(self, grey: Floats) -> Floats:
        """(n, 32, 32) in [0, 1] → (n,) log-odds of `ai`; what backward needs is kept."""
        # (n, 30, 30, 3, 3): the patch under the kernel at every place
        self._patches = sliding_window_view(grey, (KERNEL, KERNEL), axis=(1, 2))
        convolved = np.einsum("nyxij,fij->nfyx", self._patches, self.kernels) + self.kernel_bias[:, None, None]
        active = np.maximum(convolved, 0.0)
        # (n, f, 15, 15, 4): the four values of each 2×2 square
        n, filters = active.shape[:2]
        squares = active.reshape(n, filters, _POOLED, 2, _POOLED, 2).transpose(0, 1, 2, 4, 3, 5)
        squares = squares.reshape(n, filters, _POOLED, _POOLED, 4)
        self._winner = squares.argmax(axis=-1)
        pooled = np.take_along_axis(squares, self._winner[..., None], axis=-1)[..., 0]
        self._positive = convolved > 0
        self._flat = pooled.reshape(n, -1)
        return np.asarray(self._flat @ self.dense + self.dense_bias[0])

    def backward(self, slope: Floats) -> dict[str, Floats]:
        """(n,) slope of the loss by each log-odds of the last `forward` → its slope by every weight."""
        n, filters = self._winner.shape[:2]
        dense = slope @ self._flat
        pooled = (slope[:, None] * self.dense).reshape(n, filters, _POOLED, _POOLED)
        squares = np.zeros((*pooled.shape, 4))
        np.put_along_axis(squares, self._winner[..., None], pooled[..., None], axis=-1)
        active = squares.reshape(n, filters, _POOLED, _POOLED, 2, 2).transpose(0, 1, 2, 4, 3, 5)
        convolved = active.reshape(n, filters, _CONVOLVED, _CONVOLVED) * self._positive
        return {
            "kernels": np.einsum("nfyx,nyxij->fij", convolved, self._patches),
            "kernel_bias": convolved.sum(axis=(0, 2, 3)),
            "dense": dense,
            "dense_bias": np.array([slope.sum()]),
        }

    def step(self, grey: Floats, labels: Floats, rate: float, weights: Floats | None = None) -> tuple[float, float]:
        """One step of gradient descent on binary cross-entropy.

        Parameters
        ----------
        grey
            (n, 32, 32) in [0, 1].
        labels
            (n,) 1 for `ai`, 0 for `real`.
        rate
            Learning rate.
        weights
            (n,) weight of each picture in the loss; 1 where it is None.

        Returns
        -------
        Mean loss and accuracy before the step.
        """
        log_odds = self.forward(grey)
        share = np.ones(len(labels)) if weights is None else weights
        # d loss / d log-odds of sigmoid and cross-entropy together is p - y
        gradients = self.backward(share * (sigmoid(log_odds) - labels) / len(labels))
        for name, weight in self.parameters.items():
            np.subtract(weight, rate * gradients[name], out=weight)
        return cross_entropy(log_odds, labels, share), float(np.mean((log_odds > 0) == (labels > 0.5)))

    def save(self, path: Path) -> None:
        """Write safetensors under the names that the twin in PyTorch gives its weights."""
        from safetensors.numpy import save_file  # noqa: PLC0415 - the network itself needs NumPy alone

        save_file(self.tensors(), path)

    def restore(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        """Take the weights from what `tensors` gave."""
        self.kernels[:] = tensors["body.convolution.weight"][:, 0]
        self.kernel_bias[:] = tensors["body.convolution.bias"]
        self.dense[:] = tensors["head.last.weight"][0]
        self.dense_bias[:] = tensors["head.last.bias"]

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Give the weights under the names, shapes and type of the twin in PyTorch."""
        return {
            "body.convolution.weight": self.kernels[:, None].astype(np.float32),
            "body.convolution.bias": self.kernel_bias.astype(np.float32),
            "head.last.weight": self.dense[None].astype(np.float32),
            "head.last.bias": self.dense_bias.astype(np.float32),
        }


def grey(pixels: NDArray[np.float32]) -> Floats:
    """(n, 3, 32, 32) in [0, 255] → (n, 32, 32) in [0, 1]."""
    return np.asarray(np.einsum("nchw,c->nhw", pixels.astype(np.float64), np.array(LUMA)) / 255.0)


def sigmoid(log_odds: Floats) -> Floats:
    """Log-odds → probability."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


def cross_entropy(log_odds: Floats, labels: Floats, weights: Floats) -> float:
    """Mean weighted binary cross-entropy of log-odds."""
    return float(np.mean(weights * np.logaddexp(0.0, np.where(labels > 0.5, -log_odds, log_odds))))
