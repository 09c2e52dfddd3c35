"""The one Jinja2 environment of the house, and how text of strangers is shown.

Every page is one file. Its Content-Security-Policy allows pictures from `data:` URIs and the one stylesheet whose hash
it names: no script, no other style, no request, even if something hostile got past the escaping.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import aiforensics
from aiforensics import explain
from aiforensics.image.sniff import is_picture

_HERE: Final = Path(__file__).parent
TEMPLATES: Final = _HERE / "templates"
"""The report's own templates; pages of other parts of the house extend their base."""

_NOT_BESIDE: Final = (errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS)
"""Why a page that may be written cannot be replaced: it is a mount of its own, or its folder is closed."""
LONG: Final = 240
"""Characters of a value that are shown at once."""
LONGEST: Final = 4000
"""Characters of a value that are shown at all."""


class PageError(Exception):
    """A page that cannot be written, with the one line that tells its owner what to do."""


def write_page(
    template: str,
    path: str | Path,
    context: Mapping[str, object],
    generated: datetime | None = None,
    *,
    folder: Path = TEMPLATES,
) -> None:
    """Fill a template of the house and write the page.

    Parameters
    ----------
    template
        Name of a template, such as `scan.html.j2`. Pages extend `base.html.j2` and fill its blocks `title`, `kind`,
        `main` and `footer`.
    path
        The HTML file to write; an existing one is replaced when the new one is whole.
    context
        The template's variables; a missing one is an error. Strings are HTML-escaped, and their control characters are
        made visible.
    generated
        The time that the page states, with a time zone; by default now.
    folder
        Where the template lies, if not among the report's own.

    Raises
    ------
    OSError
        If the file cannot be written.
    PageError
        If the file is a picture: a page is never worth one.
    """
    path = Path(path)
    if path.is_file() and is_picture(path):
        raise PageError(f"the page would overwrite a picture: {path}")
    page = _environment(folder).get_template(template).render(context, generated=generated or datetime.now(UTC))
    place = path.resolve()
    if path.exists() and not path.is_file():  # a pipe or a device takes it as it comes
        path.write_text(page, encoding="utf-8", newline="\n")
        return
    draft = place.with_name(f".{place.name[:200]}.draft")
    try:
        draft.write_text(page, encoding="utf-8", newline="\n")
        draft.replace(place)
    except OSError as error:  # a full disk must not cost the page that was there
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        if error.errno in _NOT_BESIDE and place.is_file() and os.access(place, os.W_OK):
            path.write_text(page, encoding="utf-8", newline="\n")
            return
        raise OSError(error.errno, error.strerror, str(path)) from error


def visible(text: str) -> str:
    """Make characters visible that hide or reorder text: controls, bidirectional marks, zero-width and private ones.

    Line feeds and tabs stay. Lone surrogates (undecodable bytes of a file name) become visible too, so that the result
    can always be encoded.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        The text with each such character written as `[U+202E]`, in corner brackets.

    Examples
    --------
    >>> visible("cat\u202egpj.exe")
    'cat⟦U+202E⟧gpj.exe'
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_visible_character, text))


def cut(text: str, limit: int = LONG) -> tuple[str, str, int]:
    """Cut a long value into what is shown at once, what is shown on demand, and how much is left out.

    Parameters
    ----------
    text
        Any text.
    limit
        Characters shown at once.

    Returns
    -------
    tuple of (str, str, int)
        The first `limit` characters; the following ones up to `LONGEST`; the number of characters left out.
    """
    return text[:limit], text[limit:LONGEST], max(0, len(text) - LONGEST)


def number(value: float) -> str:
    """Write a measured value with four significant digits and a true minus sign."""
    return f"{value:.4g}".replace("-", "−")


def signed(value: float) -> str:
    """Write a contribution with its sign and two decimals.

    Examples
    --------
    >>> signed(0.416), signed(-1.2)
    ('+0.42', '−1.20')
    """
    return f"{value:+.2f}".replace("-", "−")


@cache
def _environment(folder: Path) -> Environment:
    css = (_HERE / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, folder]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cut": cut,
        "number": number,
        "signed": signed,
        "size": explain.size_words,
        "visible": visible,
    }
    environment.filters |= {"percent": explain.percent}
    environment.globals |= {
        "css": Markup(css),  # noqa: S704 - our own file, and its hash is all that the policy lets in
        "policy": "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{digest}'",
        "explain": explain,
        "version": aiforensics.__version__,
    }
    return environment


def _finalize(value: object) -> object:
    """Pass every printed string through `visible`; markup was made by us or is escaped already."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _visible_character(character: str) -> str:
    if character in "\n\t":
        return character
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    selector = 0xE0100 <= ord(character) <= 0xE01EF  # variation selectors can smuggle bytes behind one letter
    return f"⟦U+{ord(character):04X}⟧" if hidden or selector else character
