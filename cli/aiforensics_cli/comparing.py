"""Two findings of one picture side by side, for `verify`."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

KEYS = (
    *("sha256", "bytes", "format", "width", "height", "model", "verdict", "p_ai", "interval", "quality", "condition"),
    *("decision", "provenance.level", "provenance.origin", "provenance.claims"),
    *("analyzers", "contributions", "start", "reasons", "notes", "tool"),
)
"""What has to agree, in the order in which it is told; then whatever else one of the two says."""
_MEASURED = ("analyzers.", "contributions.", "reasons[")
_FREE = ("path", "seconds")
"""What may differ."""
_NAMED = re.compile(r"the name says \w+, the bytes are \w+")
"""The note that a file's name brings: as with the path, the picture is the same under another one."""
_LONGEST = 256_000_000
"""Characters at most of a value, or of all that are not on a line each."""


def find_findings(report: Path, image: Path, torn: Callable[[str], None] = lambda _line: None) -> list[dict[str, Any]]:
    """Find the findings about a picture in a JSON or JSON Lines file: all with its sha256, or the only one.

    Memory does not grow with the lines of the file.

    Parameters
    ----------
    report, image
        The file of findings, and the picture.
    torn
        Takes a line about the last line of the file, where that was cut off, as of a batch that was killed.

    Raises
    ------
    typer.BadParameter
        When there is none.
    UnicodeDecodeError, RecursionError
        When the file is no text, or nested too deeply.
    """
    with image.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    first: list[dict[str, Any]] = []
    same: list[dict[str, Any]] = []
    count = 0
    for entry in _objects(report, torn):
        if isinstance(entry, dict) and entry.keys() >= {"sha256", "model"}:
            first = first or [entry]
            same += [entry] * (entry["sha256"] == sha256)
            count += 1
    if same or count == 1:
        return same or first
    raise typer.BadParameter(
        f"none of its {count} findings is about this picture (sha256 {sha256[:12]})"
        if count
        else "this holds no finding: give what `aiforensics scan --json` printed"
    )


def is_redacted(told: Mapping[str, Any]) -> bool:
    """Whether a finding was written with `--redact`: the value of one of its claims was removed."""
    from aiforensics.provenance import REMOVED  # noqa: PLC0415 - the scan's libraries are not for --help

    claims = _at(told, "provenance.claims")
    return isinstance(claims, list) and any(isinstance(c, Mapping) and c.get("value") == REMOVED for c in claims)


def differences(told: Mapping[str, Any], seen: Mapping[str, Any], tolerance: float) -> list[tuple[str, str, str]]:
    """List what differs, as (key, told, seen), first that of `KEYS` in their order; of another picture, the sha256.

    Parameters
    ----------
    told, seen
        Findings in the form of the command line contract.
    tolerance
        How far two numbers may differ, as a share of the larger; whole numbers and words must be equal.
    """
    if told.get("sha256") != seen.get("sha256"):  # nothing of one picture's finding has to hold for another picture
        return [("sha256", _words(told.get("sha256")), f"{_words(seen.get('sha256'))}: another picture")]
    told, seen = _nameless(told), _nameless(seen)
    found = []
    named = {key.partition(".")[0] for key in KEYS}
    others = [key for key in dict.fromkeys((*told, *seen)) if key not in named and key not in _FREE]
    for key in (*KEYS, *others):
        pair = [dict(_leaves(_at(finding, key), key)) for finding in (told, seen)]
        for leaf in dict.fromkeys((*pair[0], *pair[1])):
            was, now = (leaves.get(leaf) for leaves in pair)
            if not _agree(was, now, tolerance):
                found.append((leaf, _words(was), _words(now)))
    return found


def of_measurements(key: str) -> bool:
    """Whether a key of `differences` is a measurement or its share, and so no part of the answer."""
    return key.startswith(_MEASURED)


def _objects(file: Path, torn: Callable[[str], None]) -> Iterator[Any]:
    """All JSON values of a file, one after the other; those of a list count one by one."""
    number = 0
    with file.open("rb") as stream:
        wide = stream.peek(2).startswith((BOM_UTF16_LE, BOM_UTF16_BE))  # as PowerShell writes what > sends to a file
        with io.TextIOWrapper(stream, "utf-16" if wide else "utf-8-sig") as text:
            while line := text.readline(_LONGEST):
                number += 1
                try:
                    values = _values(line)
                except typer.BadParameter:  # a value may be on several lines
                    if number > 1 and line.startswith("{") and not line.endswith("\n"):
                        torn(f"line {number}, the last, is cut off, as of a batch that was killed: it is not checked")
                        return
                    values = _values(line + text.read(_LONGEST - len(line)))
                yield from values


def _values(text: str) -> list[Any]:
    decoder = json.JSONDecoder()
    values: list[Any] = []
    at = len(text) - len(text.lstrip())
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            values += value if isinstance(value, list) else [value]
            while at < len(text) and text[at].isspace():
                at += 1
    except ValueError as error:
        if text.lstrip()[:9].lower().startswith(("<!doctype", "<html")):
            raise typer.BadParameter("this is a page: give what `aiforensics scan --json` printed") from None
        if text.startswith("path,sha256,"):
            line = "this is a CSV, which lacks the measurements: give what `batch --jsonl` or `scan --json` wrote"
            raise typer.BadParameter(line) from None
        raise typer.BadParameter(f"this is not JSON: {error}") from None
    return values


def _nameless(finding: Mapping[str, Any]) -> Mapping[str, Any]:
    notes = finding.get("notes")
    if not isinstance(notes, list):
        return finding
    return {**finding, "notes": [note for note in notes if not (isinstance(note, str) and _NAMED.fullmatch(note))]}


def _at(finding: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - any JSON value
    value: Any = finding
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - as above
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves(inner, f"{name}[{i}]")
    else:
        yield name, value


def _agree(was: object, now: object, tolerance: float) -> bool:
    if isinstance(was, bool) or isinstance(now, bool):
        return was is now
    if isinstance(now, float) and isinstance(was, int | float):  # what is measured has a fraction; the rest is exact
        try:
            return math.isclose(was, now, rel_tol=tolerance, abs_tol=tolerance * 1e-3)
        except OverflowError:  # a whole number that no float holds
            return False
    return was == now


def _words(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
