"""Where words go: results to standard output, messages and progress to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import typer


def emit(result: Mapping[str, Any]) -> None:
    """One JSON object as one line of standard output.

    ASCII only, so that no control or direction sign of a stranger's metadata reaches a terminal; each line is flushed,
    so that a reader gets it when it is there.
    """
    sys.stdout.write(json.dumps(result, ensure_ascii=True, allow_nan=False) + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """One error line on standard error."""
    typer.echo(f"aiforensics: {clean(line)}", err=True)


def clean(text: str) -> str:
    r"""Text of strangers, safe for a terminal: control and direction signs and lone surrogates become escapes.

    Examples
    --------
    >>> clean("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
