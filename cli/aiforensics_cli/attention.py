"""`--gradcam`: the network's map of a finding by Grad-CAM instead of class activation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from aiforensics.evidence import Refusal

if TYPE_CHECKING:
    from aiforensics.pipeline import Examination
    from aiforensics_models.bundle import Bundle


def with_gradcam(items: Iterable[Examination | Refusal], bundle: Bundle) -> Iterator[Examination | Refusal]:
    """Pass examinations on with Grad-CAM maps in the place of the class activation; findings stay as they are.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch or `grad-cam` is missing (extra `train`).
    """
    from aiforensics_models.gradcam import GradCam  # noqa: PLC0415 - PyTorch, only where it is asked for

    look = GradCam(bundle)
    for item in items:
        if isinstance(item, Refusal):
            yield item
            continue
        pairs = zip(item.outputs, item.picture.windows, strict=True)
        yield replace(item, outputs=tuple(replace(out, activation=look(window.pixels)) for out, window in pairs))
