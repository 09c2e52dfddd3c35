"""The PyTorch twin of the NumPy network: it carries the same weights into a bundle."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aiforensics_models.networks.classifier import Classifier, DenseHead
from aiforensics_models.networks.scratch_numpy import LUMA


def build_scratch_twin(_side: int, filters: int = 8) -> Classifier:
    """Build it for grey pictures of 32 px."""
    return Classifier(GreyConvolution(filters), DenseHead(filters * 15 * 15), flatten=True)


class GreyConvolution(nn.Module):
    """Grey, one 3×3 convolution without padding, ReLU, 2×2 max pool."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, filters, 3)
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1) / 255.0, persistent=False)
        self.luma: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, 32, 32) in [0, 255] → (n, filters, 15, 15)."""
        return F.max_pool2d(F.relu(self.convolution((pixels * self.luma).sum(dim=1, keepdim=True))), 2)
