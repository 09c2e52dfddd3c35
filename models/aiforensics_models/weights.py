"""Pretrained weights: torchvision's official ones, or a file; never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from aiforensics_models.networks import Classifier, TorchvisionBackbone
from aiforensics_models.networks.torchvision_backbone import TOPS

OFFICIAL = {
    "resnet50-transfer": "resnet50",
    "ela-resnet50": "resnet50",
    "resnet18-frozen": "resnet18",
    "resnet18-finetuned": "resnet18",
}
"""Architectures whose body torchvision has weights for, and under which name."""


class WeightsError(Exception):
    """Weights that cannot be used, with the one line that tells what to do."""


def start_from(network: Classifier, architecture: str, weights: str) -> None:
    """Give a classifier its first weights.

    Parameters
    ----------
    network
        The classifier; changed.
    architecture
        Its name.
    weights
        `none`, `imagenet`, or a file: safetensors, or a PyTorch state dict. A file may hold a whole classifier of the
        same architecture or the body alone, under this project's or torchvision's names.

    Raises
    ------
    WeightsError
        There are no such weights, they cannot be downloaded, or they do not fit.
    """
    if weights == "none":
        return
    state, what = _first_weights(OFFICIAL.get(architecture), architecture, weights)
    _fill(network if any(name.startswith("body.") for name in state) else network.body, state, what)


def start_backbone(backbone: nn.Module, architecture: str, weights: str) -> None:
    """Give an embedding network its first weights.

    Parameters
    ----------
    backbone
        The network of a detector; changed.
    architecture
        Its name.
    weights
        `none`; `imagenet`, for torchvision's networks; or a file of its weights, under its own names or torchvision's.

    Raises
    ------
    WeightsError
        There are no such weights, they cannot be downloaded, or they do not fit.
    """
    if weights == "none":
        return
    trunk = backbone.model if isinstance(backbone, TorchvisionBackbone) else backbone
    state, what = _first_weights(None if trunk is backbone else architecture, architecture, weights)
    _fill(backbone if any(name.startswith("model.") for name in state) else trunk, state, what)


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from safetensors or from a PyTorch file, whose pickle is read with `weights_only`.

    Raises
    ------
    WeightsError
        If it is neither, or holds anything but tensors by name.
    """
    import pickle  # noqa: PLC0415 - for its exception alone; nothing is unpickled with it

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError, EOFError) as error:
        raise WeightsError(f"{path} holds no weights that can be read safely ({type(error).__name__})") from error
    except Exception as error:  # safetensors raises a class of its own that is not a ValueError
        raise WeightsError(f"{path} holds no weights that can be read safely: {error}") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} holds no state dict: tensors by name are needed")
    return dict(state)


def _first_weights(official: str | None, architecture: str, weights: str) -> tuple[Mapping[str, Tensor], str]:
    """Tensors by name, and what they are in words; `official` is torchvision's name of the network, if it has one."""
    if weights == "imagenet":
        if official is None:
            raise WeightsError(
                f"there are no ImageNet weights for {architecture}: give --weights FILE or --weights none"
            )
        return _download(official), f"ImageNet weights of {official}"
    path = Path(weights)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file of weights (or say imagenet or none)")
    return read_state(path), str(path)


def _download(name: str) -> Mapping[str, Tensor]:
    from urllib.error import URLError  # noqa: PLC0415 - only where something is downloaded

    from torchvision import models  # noqa: PLC0415 - three seconds

    known: Any = models.get_model_weights(name)
    official = known.DEFAULT
    try:
        state: Mapping[str, Tensor] = official.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError) as error:
        raise WeightsError(
            f"the ImageNet weights of {name} could not be downloaded from {official.url} ({error}): "
            "download them elsewhere and give --weights FILE, or --weights none"
        ) from error
    except RuntimeError as error:  # a download whose hash is wrong
        raise WeightsError(f"the ImageNet weights of {name} are not what torchvision states: {error}") from error
    return state


def _fill(target: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load what `target` has; the layers above torchvision's trunk are left out."""
    own = target.state_dict()
    wanted = {name: tensor for name, tensor in state.items() if name in own or name.split(".")[0] not in TOPS}
    missing = [n for n in own if n not in wanted and not n.startswith("scale.") and "num_batches_tracked" not in n]
    foreign = [name for name in wanted if name not in own]
    shapes = [name for name in own if name in wanted and own[name].shape != wanted[name].shape]
    for problem, names in (("lacks", missing), ("has the unknown", foreign), ("has another shape of", shapes)):
        if names:
            raise WeightsError(f"{what} does not fit this network: it {problem} {names[0]} ({len(names)} in all)")
    target.load_state_dict(dict(wanted), strict=False)
