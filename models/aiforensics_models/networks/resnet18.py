"""ResNet-18 from scratch (He et al., arXiv 1512.03385) with a 3×3 stem and no pooling, for pictures of 32 px."""

from __future__ import annotations

from aiforensics_models.networks.classifier import Classifier, DenseHead
from aiforensics_models.networks.resnet import residual_body


def build_resnet18(_side: int) -> Classifier:
    """Build it for pictures of any side."""
    return Classifier(residual_body((64, 128, 256, 512), 2), DenseHead(512))
