"""Where words go: results to standard output, messages and progress to standard error."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO
from unicodedata import category

import typer

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN = {
    **{"━": "=", "●": "o", "·": "-", "→": "->", "×": "x", "–": "-", "“": '"', "”": '"', "²": "^2", "α": "alpha"},
    "±": "+/-",
}
"""What stands for a sign where the stream's encoding, such as a narrow code page, cannot carry it."""


def results() -> Console:
    """Make the console of standard output; a reader that goes away is a `BrokenPipeError`, as with `emit`."""
    from rich.console import Console  # noqa: PLC0415 - not needed for --json

    class Results(Console):
        """Rich would leave with status 1, which here says that a policy matched."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Results(highlight=False, markup=False, emoji=False)


def messages() -> Console:
    """Make the console of standard error; what cannot be written there is lost, and nothing else."""
    from rich.console import Console  # noqa: PLC0415 - as above

    class Messages(Console):
        """Rich would leave with status 1, as above, where the reader of messages goes away."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

        def print(self, *objects: Any, **settings: Any) -> None:  # noqa: ANN401 - what Rich takes
            with unheard():
                super().print(*objects, **settings)

    return Messages(stderr=True, highlight=False, markup=False, emoji=False)


def emit(result: Mapping[str, Any]) -> None:
    """Print one JSON object as one line of standard output.

    ASCII only, so that no control or direction sign of a stranger's metadata reaches a terminal; each line is flushed,
    so that a reader gets it when it is there.
    """
    sys.stdout.write(json.dumps(result, ensure_ascii=True, allow_nan=False) + "\n")
    sys.stdout.flush()


def without_nan(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Give what was read as JSON with null for what is no finite number, which no JSON may hold.

    Examples
    --------
    >>> without_nan({"auc": float("nan"), "range": [0.5, float("inf")]})
    {'auc': None, 'range': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: without_nan(held) for key, held in value.items()}
    if isinstance(value, list):
        return [without_nan(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def hush(stream: TextIO | None = None) -> None:
    """Let a stream, standard output for None, lead nowhere from here on, because its reader went away.

    What is still buffered goes there too: Python flushes it at exit and would complain.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, (stream or sys.stdout).fileno())
    os.close(nowhere)


def complain(line: str) -> None:
    """Print one error line on standard error."""
    with unheard():
        typer.echo(f"aiforensics: {clean(line)}", err=True)


@contextmanager
def unheard() -> Iterator[None]:
    """Go on where standard error takes no message: a log on a full disk costs no result, and no exit status."""
    try:
        yield
    except OSError:
        hush(sys.stderr)


def clean(text: str) -> str:
    r"""Make a stranger's text safe for a terminal: control and direction signs and lone surrogates become escapes.

    Examples
    --------
    >>> clean("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    return "".join(c if c.isprintable() or category(c) == "Zs" else c.encode("unicode_escape").decode() for c in text)


def carried(text: str, encoding: str) -> str:
    """Give the house's own words in signs that an encoding can carry; names and claims stay as they are.

    Examples
    --------
    >>> carried("3 ai · 2 real", "ascii"), carried("3 ai · 2 real", "utf-8")
    ('3 ai - 2 real', '3 ai · 2 real')
    """
    return text.translate(_lacking(encoding))


@cache
def _lacking(encoding: str) -> dict[int, str]:
    """Signs that an encoding cannot carry, against what stands for them."""
    kept = "".join(_PLAIN).encode(encoding, "ignore").decode(encoding)
    return {ord(sign): plain for sign, plain in _PLAIN.items() if sign not in kept}


def named(path: str) -> str:
    """Give a path as a line names it: an empty one as two quotes."""
    return path or "''"
