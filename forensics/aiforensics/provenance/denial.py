"""Words that deny a deed: a line "not made with AI" claims no AI. The one list of them."""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"[,.;:!?()\[\]|\n–—]|\s-\s|\b(?:but|sondern|sino)\b", re.IGNORECASE)
_NEGATION = (
    r"not|never|no(?!\.?\s*\d)|none|nothing|neither|nor|cannot|without|zero|non"
    r"|kein\w{0,2}|nicht|nichts|nie|niemals|ohne|sans|pas|jamais|rien|aucun\w?|sin|nunca|ning[uú]n\w?|senza|nessun\w?"
    r"|não|sem|nenhum\w?|geen|niet|zonder"
)
_OTHER = r"(?:caption|keyword|description|tag|translation)s?\b"
"""What is written about a picture: a model that wrote it did not make the picture."""
_DENIAL = re.compile(
    rf"(?<![\w-])(?:{_NEGATION})(?!\w|-\w)|(?<![\w.,])0\s?%|n['’]t\b|(?<![\w-])un-$|\b{_OTHER}", re.IGNORECASE
)
_NONE_OF = re.compile(
    r"\s*(?:none|nothing|neither|nichts|nada|niente|rien|(?:no|not (?:a|any|one)|kein\w{0,2}|aucun\w?|ning[uú]n\w?)\s"
    r"(?:single\s)?(?:part|piece|pixel|element|detail|area|bit|teil|partie|parte)\w{0,2})\b",
    re.IGNORECASE,
)
"""Begins a clause that denies its deed however many words stand between."""
_ANSWER = re.compile(
    r"(?:\s\w{1,20}){0,2}\s{0,3}[:=?,(\[–—-]{1,2}\s{0,3}"
    rf"(?:{_NEGATION}|nein|nil|false|off|n/?a|0(?:\s?%)?)(?:\s(?:at all|used|ai|ki|ia))?"
    r"\s{0,3}(?=$|[,.;:!?()\[\]|\n])",
    re.IGNORECASE,
)
"""What follows a deed that it takes back: "made with AI: no"."""
_QUESTION = re.compile(r"\s{0,3}\?(?!\s{0,3}(?:yes|ja|oui|s[ií]|true|1)\b)", re.IGNORECASE)
"""Who asks claims nothing."""
_OF_ANOTHER = re.compile(rf"\s{_OTHER}", re.IGNORECASE)
_NOTHING = re.compile(
    rf"\W*+(?:(?:{_NEGATION}|nil|nada|nein|n\W{{0,2}}a)(?!\w|-\w)|(?:no|non|zero)-?(?:AI|KI|IA)\b|0\s?%"
    r"|(?:(?:0|false|off|unknown|human(?:[- ]made)?)\W*+)?$)",
    re.IGNORECASE,
)
_REACH = 120
_WORDS = 3


def denied(text: str, deed: int, name: int, end: int) -> bool:
    """Whether a text denies a deed.

    A negation stands within three words before the deed in its clause, or between the deed and a name; the clause
    begins with "none of" or the like; or a negation answers what ends at `end`, or a sign makes a question of it.

    >>> denied("Real photo, not made with AI", 16, 26, 28), denied("Not a photo, made with AI", 13, 23, 25)
    (True, False)
    >>> denied("Made with AI: no", 0, 10, 12), denied("Made with AI: no camera", 0, 10, 12)
    (True, False)
    """
    clause = _CLAUSE.split(text[max(0, deed - _REACH) : deed])[-1]
    near = " ".join(clause.split()[-_WORDS:])
    if _DENIAL.search(near) is not None or _NONE_OF.match(clause) is not None:
        return True
    after = text[end : end + _REACH]
    return any(
        (_DENIAL.search(text[deed:name]), _ANSWER.match(after), _QUESTION.match(after), _OF_ANOTHER.match(after))
    )


def names_nothing(value: str) -> bool:
    """Whether the value of a field that asks for a name says that there is none.

    >>> names_nothing("None used"), names_nothing("n/a"), names_nothing("Nano Banana"), names_nothing("Zero-1-to-3")
    (True, True, False, False)
    """
    return _NOTHING.match(value) is not None or _ANSWER.search(value[-_REACH:]) is not None
