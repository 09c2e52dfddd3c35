"""Pictures judged under several views each, side by side where there are processors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from aiforensics.batch.crew import usable_processors
from aiforensics.evidence import InputError
from aiforensics.image import Picture, read
from aiforensics.lab.data.dataset import Sample
from aiforensics.lab.data.views import View
from aiforensics.lab.data.workers import side_by_side
from aiforensics.lab.judge.detector import Detector, Prediction, redeliver

MANY = 32
"""Pictures from which on several processes judge: fewer are done before the others have started."""


@dataclass(frozen=True, slots=True)
class Case:
    """A picture, and the views that it is judged under; None is the file as found."""

    sample: Sample
    views: tuple[View | None, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a detector says of a case.

    Attributes
    ----------
    predictions
        One under each view, in their order; empty where the picture is refused.
    refusal
        Why it cannot be judged; empty where it was.
    sha256
        Of the file, in hexadecimal.
    jpeg
        Whether the file is a JPEG.
    """

    predictions: tuple[Prediction, ...] = ()
    refusal: str = ""
    sha256: str = ""
    jpeg: bool = False


def processes_for(pictures: int) -> int:
    """One process per processor, and one alone for few pictures."""
    return 1 if pictures < MANY else usable_processors()


def answers(cases: Sequence[Case], detector: Detector, *, seed: int = 0, workers: int = 1) -> Iterator[Answer]:
    """Judge cases, in their order.

    Parameters
    ----------
    cases
        Pictures and their views.
    detector
        What judges them; with more than one worker each has its own copy, so it can be pickled.
    seed
        Of the windows.
    workers
        Processes; what is said does not depend on them.

    Raises
    ------
    aiforensics.lab.data.workers.WorkerError
        If a worker is killed.
    """
    return side_by_side(partial(_answer, detector=detector, seed=seed), cases, workers)


def _answer(case: Case, *, detector: Detector, seed: int) -> Answer:
    try:
        picture = read(case.sample.path)
        said = tuple(detector.score(_seen(picture, case.sample, view, seed)) for view in case.views)
    except InputError as error:
        return Answer(refusal=error.message)
    return Answer(said, sha256=picture.sha256, jpeg=picture.jpeg is not None)


def _seen(picture: Picture, sample: Sample, view: View | None, seed: int) -> Picture:
    return picture if view is None else redeliver(picture, sample, view, seed=seed)
