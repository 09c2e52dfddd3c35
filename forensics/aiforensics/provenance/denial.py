"""Words that deny a deed: a line "not made with AI" claims no AI."""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"[,.;:!?()\[\]|\n–—]|\s-\s|\b(?:but|sondern|sino)\b", re.IGNORECASE)
_DENIAL = re.compile(
    r"(?<![\w-])(?:not|never|no(?!\s*\d)|none|nothing|neither|nor|cannot|without|zero|non"
    r"|kein\w{0,2}|nicht|nie|niemals|ohne|sans|pas|jamais|sin|nunca|senza|não|sem|geen|niet|zonder)(?!\w|-\w)"
    r"|n['’]t\b|(?<![\w-])un-$|\b(?:caption|keyword|description|tag|translation)s?\b",
    re.IGNORECASE,
)
"""Negations; and what is written about a picture, because a model that wrote it did not make the picture."""
_REACH = 60
_WORDS = 3


def denied(text: str, deed: int, name: int) -> bool:
    """Whether a negation stands within three words before a deed in its clause, or between the deed and a name.

    >>> denied("Real photo, not made with AI", 16, 26), denied("Not a photo, made with AI", 13, 23)
    (True, False)
    """
    clause = _CLAUSE.split(text[max(0, deed - _REACH) : deed])[-1]
    near = " ".join(clause.split()[-_WORDS:])
    return _DENIAL.search(near) is not None or _DENIAL.search(text[deed:name]) is not None
