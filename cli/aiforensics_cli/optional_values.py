"""Options whose value may be left out: `--csv` alone, `--csv FILE` and `--csv=FILE`.

Typer has no such option, so the arguments are completed before it parses them: `--csv` becomes `--csv=-`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from typer.core import TyperCommand

_TABLES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json")
_ADDRESS = re.compile(r"auto|local|ray://.+|[\w.-]+:\d+")


def complete(args: list[str], options: Mapping[str, tuple[str, Callable[[str], bool]]]) -> list[str]:
    """Write every option of `options` in the form `--option=value`.

    Parameters
    ----------
    args
        The arguments of a command.
    options
        Per option the value that it has when none is given, and a test whether the word after it is its value.

    Examples
    --------
    >>> complete(["--csv", "out.csv", "photos"], {"--csv": ("-", is_table)})
    ['--csv=out.csv', 'photos']
    >>> complete(["photos", "--csv"], {"--csv": ("-", is_table)})
    ['photos', '--csv=-']
    """
    done: list[str] = []
    words = iter(range(len(args)))
    for i in words:
        if args[i] == "--":
            return done + args[i:]
        if args[i] not in options:
            done.append(args[i])
            continue
        missing, is_value = options[args[i]]
        taken = i + 1 < len(args) and is_value(args[i + 1])
        done.append(f"{args[i]}={args[next(words)] if taken else missing}")
    return done


def is_table(word: str) -> bool:
    """Whether a word after `--csv` or `--jsonl` is the file to write rather than an input to read.

    It is one if it ends like a table, if nothing of this name exists yet and it does not end like a picture, or if what
    exists is a device or a table of an earlier batch.
    """
    if word.startswith("-"):
        return word == "-"
    path = Path(word)
    if path.suffix.lower() in _TABLES:
        return True
    if not path.exists():
        from aiforensics.image import SUFFIXES  # noqa: PLC0415 - rarely needed

        return path.suffix.lower() not in (*SUFFIXES, ".zip")
    return not path.is_dir() and (not path.is_file() or holds_results(path))


def holds_results(path: Path) -> bool:
    """Whether a file begins as the tables of `batch` do."""
    try:
        with path.open("rb") as stream:
            start = stream.read(32)
    except OSError:
        return False
    return start.startswith((b"path,sha256,", b'{"schema": "aiforensics'))


def is_address(word: str) -> bool:
    """Whether a word after `--ray` is the address of a cluster.

    Examples
    --------
    >>> [is_address(word) for word in ("auto", "ray://head:10001", "10.0.0.1:6379", "photos")]
    [True, True, True, False]
    """
    return _ADDRESS.fullmatch(word) is not None


class BatchCommand(TyperCommand):
    """The command `batch`, whose options `--csv`, `--jsonl` and `--ray` may stand without a value."""

    def parse_args(self, ctx: object, args: list[str]) -> list[str]:
        """Complete the arguments, then parse them."""
        table = ("-", is_table)
        options = {"--csv": table, "--jsonl": table, "--ray": ("", is_address)}
        return super().parse_args(ctx, complete(args, options))  # type: ignore[arg-type]
