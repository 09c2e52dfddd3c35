"""Where results go: places that are refused before the work whose results would be lost there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import typer

from aiforensics_cli.app import REFUSED
from aiforensics_cli.console import complain
from aiforensics_cli.optional_values import holds_results

MANIFEST = "bundle.json"
"""The file by which a folder is a model bundle; the cellar, which has the name too, brings NumPy along."""


def spare(outputs: Iterable[str | Path | None], inputs: Iterable[str | Path]) -> None:
    """Refuse to write over an input, over a picture or document of whatever name, or twice to the same file.

    Parameters
    ----------
    outputs
        Files that will be written; None and `-` are none.
    inputs
        What is read.

    Raises
    ------
    typer.Exit
        After one line that names the file.
    """
    read = [source for source in inputs if source not in ("", "-")]  # may be a million
    taken: list[Path] = []
    for output in (Path(name) for name in outputs if name is not None and name != "-"):
        place = Path(os.path.realpath(output))  # of a file that is still to be made, however it is written
        if any(_same(place, other) for other in taken):
            refuse(f"two results cannot go to one file: {output}")
        if any(_same(output, source) for source in read) or _is_listed(output, read):
            refuse(f"the results would overwrite an input: {output}")
        if output.is_file():
            from aiforensics.image.sniff import known_as  # noqa: PLC0415 - rarely needed

            if known := known_as(output):
                refuse(f"the results would overwrite {known}: {output}")
        taken.append(place)


def consulted(*names: str | Path | None) -> list[Path]:
    """Give what a command reads beside its pictures, for `spare`: files, and all files of a bundle's folder.

    Parameters
    ----------
    names
        Of files and bundles, as they were given; None is none, and a shipped bundle has no place of its own.
    """
    given = [Path(name) for name in names if name]
    return [*given, *(file for place in given if (place / MANIFEST).is_file() for file in place.iterdir())]


def keep_results(tables: Iterable[str | None], page: Path | None) -> None:
    """Refuse to begin tables anew that an earlier batch has written, and to replace what aiforensics never wrote.

    Parameters
    ----------
    tables
        Files that will be begun anew; None and `-` are none.
    page
        A page that will be replaced, as an earlier one may be; or None.

    Raises
    ------
    typer.Exit
        After one line that names the file and says how to go on.
    """
    for table in (Path(name) for name in tables if name is not None and name != "-"):
        if table.is_file() and holds_results(table):
            refuse(f"{table} was written by an earlier batch: go on with --resume, or replace it with --overwrite")
        if table.is_file() and table.stat().st_size:
            refuse(f"{table} holds no results of a batch: name another file, or replace it with --overwrite")
    if page and page.is_file() and page.stat().st_size and not _is_page(page):
        refuse(f"{page} is no page of aiforensics: name another file, or replace it with --overwrite")


def of_bundle(out: Path, work: Path | None) -> tuple[Path, Path]:
    """Folder of a bundle under a name (`.` and `..` have none), and that of its work: beside it where none is given.

    Parameters
    ----------
    out, work
        As they were given.

    Raises
    ------
    typer.Exit
        After one line, where no bundle may have that name.
    """
    named = out.resolve() if out.name in ("", "..") else out
    check_name(named.name)
    return named, work or named.parent / f"{named.name}.work"


def check_name(name: str | None) -> None:
    """Refuse a name with control signs, which no bundle may have: before its training, not after it."""
    if name is not None and not name.isprintable():
        refuse(f"the bundle's name {name!r} holds control signs: give another")


def named(paths: Iterable[Path]) -> list[str]:
    """Names of files and folders, for a manifest (`.` and `..` have none).

    Parameters
    ----------
    paths
        As they were given.
    """
    return [path.name if path.name not in ("", "..") else path.resolve().name for path in paths]


def check_places(files: Iterable[str | Path | None], folders: Iterable[Path | None] = ()) -> None:
    """Refuse places where nothing can be written, before the work whose results would be lost there.

    Parameters
    ----------
    files
        Files that will be written into folders that exist; None and `-` are none.
    folders
        Folders that will be made where they are missing; None is none.

    Raises
    ------
    typer.Exit
        After one line that names the place and says what is wrong with it.
    """
    for file in (Path(name) for name in files if name is not None and name != "-"):
        if file.is_dir():
            refuse(f"{file}: this is a folder, and the results need a file: name one in it")
        if file.exists():
            if not os.access(file, os.W_OK):
                refuse(f"{file}: this file may not be written: check its permissions")
            continue
        place = Path(os.path.realpath(file))
        if place.is_symlink():
            refuse(f"{file}: this link leads to itself: name another file")
        _check_folder(file, place.parent)
    for folder in filter(None, folders):
        place = Path(os.path.realpath(folder))
        _check_folder(folder, next(one for one in (place, *place.parents) if one.exists()))


def refuse(line: str) -> NoReturn:
    """End the command with one line and the status of a usage error."""
    complain(line)
    raise typer.Exit(REFUSED)


def _check_folder(output: Path, folder: Path) -> None:
    if not folder.exists():
        refuse(f"{output}: there is no folder {folder}: make it first")
    if not folder.is_dir():
        refuse(f"{output}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        refuse(f"{output}: nothing may be written into the folder {folder}: check its permissions")


def _is_listed(output: Path, sources: Iterable[str | Path]) -> bool:
    """Whether a file is named like a picture, whatever its bytes are, and lies in a folder that is read."""
    if not output.is_file():
        return False
    from aiforensics.image import SUFFIXES  # noqa: PLC0415 - rarely needed

    above = {os.path.realpath(parent) for parent in Path(os.path.realpath(output)).parents}
    return output.suffix.lower() in SUFFIXES and any(os.path.realpath(source) in above for source in sources)


def _is_page(file: Path) -> bool:
    """Whether a file is a page of ours by its first bytes."""
    with file.open("rb") as stream:
        return b'<meta name="generator" content="aiforensics ' in stream.read(2048)


def _same(one: Path, other: str | Path) -> bool:
    try:
        return os.path.samestat(one.stat(), os.stat(other))  # noqa: PTH116 - a Path for each of a million takes seconds
    except (OSError, ValueError):
        return one == Path(other)
