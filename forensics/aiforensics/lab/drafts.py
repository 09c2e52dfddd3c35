"""Where a bundle goes: built in a draft in the work folder, and published once it is whole."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from aiforensics_models.bundle import MANIFEST

DRAFT = "aiforensics-draft"
"""Folder in the work folder where a bundle is built."""


class TrainingError(Exception):
    """A training that does not start, with the one line that tells what to do."""


def check_output(out: Path) -> None:
    """Check that a folder is free for a bundle, or holds one that may be replaced, and that it can be written.

    Raises
    ------
    TrainingError
        It holds something else, or nothing can be written there.
    """
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out} is a file: name a folder for the bundle")
    if out.is_dir() and any(out.iterdir()) and not _is_ours(out):
        raise TrainingError(f"{out} is not empty and holds no bundle: name another folder")
    missing = [path for path in (out, *out.parents) if not path.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise TrainingError(f"{out} cannot be written ({error.strerror}): name another folder") from error
    finally:
        for path in missing:  # a training that is refused later leaves no empty folder
            with suppress(OSError):
                path.rmdir()


def new_draft(work: Path, *kept: Path) -> Path:
    """Make an empty folder in a work folder, where a bundle is built before it is published; never one of `kept`.

    Raises
    ------
    TrainingError
        Something else stands there.
    """
    taken = {path.resolve() for path in kept}
    names = (f"{DRAFT}{i or ''}" for i in range(len(taken) + 1))
    draft = next(path for name in names if (path := work / name).resolve() not in taken)
    check_output(draft)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    unfinished = json.dumps({"schema": "aiforensics.draft/1"})  # what a stopped training leaves is known by it
    (draft / MANIFEST).write_text(unfinished, encoding="utf-8")
    return draft


def publish(draft: Path, out: Path) -> None:
    """Replace the files of a bundle in a folder by those of a finished draft; whatever else lies there stays.

    Raises
    ------
    TrainingError
        The folder cannot be written; the line names the draft, which is a whole bundle.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in _files_of(out):
            (out / name).unlink(missing_ok=True)
        for path in sorted(draft.iterdir()):
            shutil.copyfile(path, out / path.name)
    except OSError as error:
        line = f"{out} cannot be written ({error.strerror}): the finished bundle is in {draft}, copy it from there"
        raise TrainingError(line) from error


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds a bundle of this tool, or what a stopped training left of one."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and str(manifest.get("schema", "")).startswith("aiforensics.")


def _files_of(folder: Path) -> list[str]:
    """Names of the files of the bundle in a folder, its manifest included; none where there is no bundle."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("files", ())
    except (OSError, ValueError):
        return []
    return [MANIFEST, *(name for name in files if Path(name).name == name)]
