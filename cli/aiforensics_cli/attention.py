"""`--gradcam`: the network's map of a finding by Grad-CAM instead of class activation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from aiforensics_cli.examine import taken_through

if TYPE_CHECKING:
    from aiforensics.evidence import Refusal
    from aiforensics.pipeline import Examination
    from aiforensics_models.bundle import Bundle


def with_gradcam(items: Iterable[Examination | Refusal], bundle: Bundle) -> Iterator[Examination | Refusal]:
    """Pass examinations on with Grad-CAM maps in the place of the class activation; findings stay as they are.

    A picture that it fails on is that input's refusal, and costs no other.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch or `grad-cam` is missing (extra `train`).
    """
    from aiforensics.explain import GRADCAM  # noqa: PLC0415 - as below
    from aiforensics_models.gradcam import GradCam  # noqa: PLC0415 - PyTorch, only where it is asked for

    look = GradCam(bundle)

    def look_again(examination: Examination) -> Examination:
        pairs = zip(examination.outputs, examination.picture.windows, strict=True)
        outputs = tuple(replace(out, activation=look(window.pixels)) for out, window in pairs)
        return replace(examination, outputs=outputs, looked=GRADCAM)

    return taken_through(look_again, items, "Grad-CAM cannot look at it")
