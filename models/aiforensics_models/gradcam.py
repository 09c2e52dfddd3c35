"""Grad-CAM for any bundle's network (Selvaraju et al., ICCV 2017, arXiv 1610.02391), by the library `grad-cam`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiforensics_models.preparation import Preparation

if TYPE_CHECKING:
    from aiforensics_models.bundle import Bundle


class GradCam:
    """Grad-CAM maps of a bundle's network, which is run in PyTorch from its safetensors.

    Parameters
    ----------
    bundle
        The bundle.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch or `grad-cam` is missing (extra `train`).
    """

    def __init__(self, bundle: Bundle) -> None:
        import torch  # noqa: PLC0415 - three seconds, only where it is asked for
        from pytorch_grad_cam import GradCAM  # noqa: PLC0415
        from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget  # noqa: PLC0415

        from aiforensics_models.networks import load_detector  # noqa: PLC0415

        manifest = bundle.manifest["network"]
        self._torch = torch
        self._prepare = Preparation(str(manifest.get("input", "window")), int(manifest.get("side", 0)))
        detector = load_detector(bundle.folder / manifest["weights"], manifest).eval()
        self._method: Any = GradCAM(model=_logit_of(detector), target_layers=[_last_layer(detector)])
        self._ai, self._real = BinaryClassifierOutputTarget(1), BinaryClassifierOutputTarget(0)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(h, w, 3) uint8, RGB → (h', w') in [-1, 1]: what speaks for `ai`, less what speaks for `real`.

        Each of the two maps is Grad-CAM's own: cut at zero and scaled to a largest value of 1.
        """
        batch = self._torch.from_numpy(self._prepare(pixels)).requires_grad_(True)
        ai, real = (self._method(input_tensor=batch, targets=[target])[0] for target in (self._ai, self._real))
        return self._prepare.over_window(pixels, np.asarray(ai - real, np.float32))


def _logit_of(detector: Any) -> Any:  # noqa: ANN401 - torch modules, imported lazily
    from torch import Tensor, nn  # noqa: PLC0415

    class MeanLogit(nn.Module):
        """The mean log-odds alone, (n,)."""

        def __init__(self) -> None:
            super().__init__()
            self.detector = detector

        def forward(self, pixels: Tensor) -> Tensor:
            logits: Tensor = self.detector(pixels)[0]
            return logits.mean(dim=1)

    return MeanLogit()


def _last_layer(detector: Any) -> Any:  # noqa: ANN401 - as above
    """The layer whose maps the head reads: a classifier's body, or the last step of an embedding network."""
    return detector.body if hasattr(detector, "body") else detector.backbone.last
