"""Running a bundle's network in PyTorch on a GPU, from its safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.runtime import NetworkOutput

if TYPE_CHECKING:
    from aiforensics_models.preparation import Preparation


class TorchNetwork:
    """The network on a CUDA device.

    Parameters
    ----------
    folder, manifest
        The bundle and its `network` entry.
    prepare
        What a window becomes before it enters the network.

    Raises
    ------
    RuntimeError
        If PyTorch is missing or sees no GPU.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any], prepare: Preparation) -> None:
        try:
            import torch  # noqa: PLC0415 - only where a GPU is asked for
        except ImportError as error:
            raise RuntimeError("--device cuda needs PyTorch: pip install '.[train]' in the checkout") from error
        if not torch.cuda.is_available():
            raise RuntimeError("--device cuda was asked for, but PyTorch sees no CUDA GPU here: use --device cpu")
        from aiforensics_models.networks import load_detector  # noqa: PLC0415

        self._torch = torch
        self._device = torch.device("cuda")
        self._network = load_detector(folder / manifest["weights"], manifest).eval().to(self._device)
        self._prepare = prepare

    def __call__(self, pixels: NDArray[np.uint8]) -> NetworkOutput:
        """(h, w, 3) uint8, RGB → what the network says of it."""
        with self._torch.inference_mode():
            batch = self._torch.from_numpy(self._prepare(pixels)).to(self._device)
            logits, embedding, activation = (part[0].float().cpu().numpy() for part in self._network(batch))
        return NetworkOutput(logits.astype(np.float64), embedding, self._prepare.over_window(pixels, activation))
