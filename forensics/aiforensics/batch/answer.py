"""What a worker says, read without trust: it decodes the bytes of strangers, and one of them may speak for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, get_args

from aiforensics.batch.worker import Result
from aiforensics.evidence import SCHEMA, ErrorKind, Verdict

MAX_ANSWER_BYTES = 8_000_000
"""Length of an answer at most; what it repeats of metadata is cut to a small part of this."""


class AnswerError(Exception):
    """What a worker said is no result."""


def read_message(data: bytes) -> dict[str, Any]:
    """Read a message of a worker.

    Raises
    ------
    AnswerError
        If it is not a JSON object, or one that JSON Lines and CSV cannot repeat: no finite numbers, broken Unicode.
    """
    try:
        message = json.loads(data, parse_constant=_refuse)
        json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogateescape")
    except (ValueError, RecursionError) as error:
        raise AnswerError(str(error)) from None
    if not isinstance(message, dict):
        raise AnswerError("it is not an object")
    return message


def to_result(message: Mapping[str, Any], path: str) -> Result:
    """Take a message for the result of `path`, whatever path it names itself.

    Raises
    ------
    AnswerError
        If what the tables and pages need of a result is missing or of another type.
    """
    try:
        sound = _is_refusal(message["error"]) if "error" in message else _is_finding(message)
    except (KeyError, TypeError, ValueError) as error:
        raise AnswerError(str(error)) from None
    if not sound or message.get("schema") != SCHEMA:
        raise AnswerError("it is not a result")
    return {**message, "path": path}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _is_refusal(error: Mapping[str, Any]) -> bool:
    return error["kind"] in get_args(ErrorKind) and isinstance(error["message"], str)


def _is_finding(message: Mapping[str, Any]) -> bool:
    low, high = message["interval"]
    quality, provenance, model = (message[key] for key in ("quality", "provenance", "model"))
    words = (
        *(message[key] for key in ("sha256", "format")),
        *(quality["level"], provenance["level"], provenance["origin"]),
        *(model[key] for key in ("name", "version", "sha256")),
        *(reason["text"] for reason in message["reasons"]),
    )
    return (
        message["verdict"] in get_args(Verdict)
        and all(isinstance(word, str) for word in words)
        and all(isinstance(message[key], int) for key in ("width", "height"))
        and all(isinstance(share, int | float) and 0 <= share <= 1 for share in (low, high, message["p_ai"]))
        and isinstance(message["reasons"], list)
    )
