"""ResNet-20 whose blocks end in a convolutional block attention module (Woo et al., ECCV 2018, arXiv 1807.06521)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aiforensics_models.networks.classifier import Classifier, DenseHead
from aiforensics_models.networks.resnet import residual_body

REDUCTION = 8
"""The paper's 16 would leave one hidden unit of the 16 channels here."""


def build_cbam_resnet(_side: int) -> Classifier:
    """Build it for pictures of any side."""
    return Classifier(residual_body((16, 32, 64), 3, Cbam), DenseHead(64))


class Cbam(nn.Module):
    """Channel attention, then spatial attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // REDUCTION, 2)
        self.shared = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
        )
        self.place = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) → the same shape, weighted by channel and by place."""
        mean, top = x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
        x = x * torch.sigmoid(self.shared(mean) + self.shared(top))
        seen = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.place(seen))
