"""Reading of many files, for something that is taken of each picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from aiforensics.evidence import InputError
from aiforensics.image import Picture, read
from aiforensics.lab.data.progress import Progress

Taken = TypeVar("Taken")


def read_each(
    paths: Sequence[Path], take: Callable[[int, Picture], Taken], progress: Progress | None
) -> tuple[list[Taken | None], list[tuple[Path, str]]]:
    """Read files on two threads.

    Parameters
    ----------
    paths
        The files.
    take
        Gets a file's place among them and its picture.
    progress
        Told how far the reading is.

    Returns
    -------
    What was taken of each file, None where it cannot be read; and (path, why) of each such file.
    """

    def one(place: int) -> Taken | InputError:
        try:
            picture = read(paths[place])
        except InputError as error:
            return error
        return take(place, picture)

    found: list[Taken | None] = []
    broken: list[tuple[Path, str]] = []
    with ThreadPoolExecutor(2) as pool:
        for path, result in zip(paths, pool.map(one, range(len(paths))), strict=True):
            if isinstance(result, InputError):
                broken.append((path, result.message))
            found.append(None if isinstance(result, InputError) else result)
            if progress is not None:
                progress(len(found), len(paths))
    return found, broken
