"""Where the results of a batch go: CSV or JSON Lines, one line per picture, so that a torn end costs one line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import reduce
from hashlib import blake2b
from operator import and_
from pathlib import Path
from typing import IO, Any, Literal
from weakref import finalize

from aiforensics.batch.answer import AnswerError, to_result
from aiforensics.batch.crew import BatchError
from aiforensics.batch.listing import Item
from aiforensics.batch.lock import taken
from aiforensics.batch.worker import Result
from aiforensics.evidence import SCHEMA, Claim, ModelRef, Provenance, Refusal
from aiforensics.explain import top_reason
from aiforensics.provenance import REMOVED, is_private, redact

COLUMNS = (
    *("path", "sha256", "format", "width", "height", "verdict", "p_ai", "low", "high", "quality", "provenance"),
    *("top_reason", "error", "origin", "model"),
)
"""Columns of the CSV: the contract's, then what the file says of its origin, and the model."""

Kind = Literal["csv", "jsonl"]
_SIGNS = "=+-@'＝＋－＠"
_FORMULA = tuple(_SIGNS)
_HIDDEN = (
    "\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef"
)
"""Signs that turn the direction of a text around, break its line, or are not seen: `gpj.exe` may pass for `exe.jpg`."""
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_UNSAFE = re.compile(
    rf'[\x00-\x1f\x7f-\x9f\udc80-\udcff{_HIDDEN}]|\\(?={_ESCAPE.pattern[2:]})|;(?=[{re.escape(_SIGNS)}"])'
)


def to_row(result: Mapping[str, Any]) -> dict[str, str]:
    """Lay a result out as the cells of `COLUMNS`; a cell without a value is empty.

    Cells that a spreadsheet would run as a formula get an apostrophe in front; control signs, signs that hide or turn
    the direction of a text around, and bytes of names that are no UTF-8, become escapes. So do a `;` before what may be
    a formula, because some spreadsheets split lines there, quotes or not, and a backslash that would read as an escape
    itself.
    """
    cells = dict.fromkeys(COLUMNS, "")
    cells["path"] = to_cell(result["path"])
    if "error" in result:
        cells["error"] = to_cell(f"{result['error']['kind']}: {result['error']['message']}")
        return cells
    low, high = result["interval"]
    given = {
        **{key: result[key] for key in ("sha256", "format", "width", "height", "verdict", "p_ai")},
        "low": low,
        "high": high,
        "quality": result["quality"]["level"],
        "provenance": result["provenance"]["level"],
        "top_reason": top_reason(result),
        "origin": result["provenance"]["origin"],
        "model": _model(result),
    }
    return cells | {key: to_cell(str(value)) for key, value in given.items()}


class Ledger:
    """A growing CSV or JSON Lines file (or stream).

    The file is made, and what it held before goes, with the first result: a batch that cannot start costs nothing and
    leaves nothing.

    Parameters
    ----------
    target
        The file, or an open text stream such as standard output.
    kind
        `csv` or `jsonl`.
    resume
        Continue the file: a last line without its end is cut off, and what it holds is not written again. Each line
        stands for one result of its path, since two members of an archive may share a name.

    Attributes
    ----------
    refused
        How many refusals the file that is continued holds; 0 for a new one.
    held
        How many lines of the file that is continued still stand for a result to come, by the mark of their path.

    Raises
    ------
    BatchError
        When the file to continue was not written by this command, or another batch is writing the file.
    """

    def __init__(self, target: Path | IO[str], kind: Kind, *, resume: bool = False) -> None:
        self.kind: Kind = kind
        self.path = target if isinstance(target, Path) else None
        self.model = ""
        self.refused = 0
        self.held: Counter[bytes] = Counter()
        self._free: Callable[[], object] | None = None  # what gives the file up that was there
        if self.path and self.path.is_file():
            descriptor = os.open(self.path, os.O_WRONLY)
            self._free = finalize(self, os.close, descriptor)
            self._hold(descriptor)
        self._begun = resume and isinstance(target, Path) and self._load(target)
        self._target = target  # a path until it is opened

    def begin(self) -> None:
        """Start the file anew, unless it is continued or has begun; the first result does it too."""
        if self._begun:
            return
        with self._named():
            stream = self._stream()
            self._begun = True
            if self.path and self.path.is_file():  # a device or a pipe cannot be cut
                stream.truncate(0)
            if self.kind == "csv":
                csv.DictWriter(stream, COLUMNS, lineterminator="\n").writeheader()
                stream.flush()

    def holds(self, path: str) -> bool:
        """Whether the file that is continued has a line that stands for the next result of this path."""
        return bool(self.held) and self.held[_mark(path)] > 0

    def check_model(self, model: ModelRef) -> None:
        """Refuse to continue a file with another model than it was written with.

        Raises
        ------
        BatchError
            If it was written with another one.
        """
        self._check(_model({"model": asdict(model)}))

    def _check(self, model: str) -> None:
        if self.model not in ("", model):
            raise BatchError(f"{self.path} was written with the model {self.model}, this is {model}: use another file")

    def check_redacted(self) -> None:
        """Refuse to continue a file with what `--redact` leaves out; a CSV never holds any of it.

        Raises
        ------
        BatchError
            If a line of the file was written without it.
        """
        for number, redacted, _ in self._redactions():
            if not redacted:
                raise BatchError(f"{self.path}: line {number} was written without --redact: use another file")

    def check_unredacted(self) -> None:
        """Refuse to continue a file that holds nothing of what `--redact` leaves out with what would hold it.

        A file that holds some of it already is continued, whatever a stranger's metadata say in a redaction's words.

        Raises
        ------
        BatchError
            If a line of the file was written with it, and none without.
        """
        first = 0
        for number, redacted, removed in self._redactions():
            if not redacted:
                return
            first = first or number * removed
        if first:
            raise BatchError(f"{self.path}: line {first} was written with --redact: give it again, or use another file")

    def write(self, result: Result) -> None:
        """Append one result; one that the continued file holds is left out."""
        if self.holds(result["path"]):
            self.held[_mark(result["path"])] -= 1
            return
        if model := _model(result):
            self._check(model)
            self.model = model
        self.begin()
        with self._named():
            stream = self._stream()
            if self.kind == "csv":
                csv.DictWriter(stream, COLUMNS, lineterminator="\n").writerow(to_row(result))
            else:
                stream.write(json.dumps(result, ensure_ascii=True, allow_nan=False) + "\n")
            stream.flush()
        if self.path and _is_gone(self.path, stream.fileno()):
            raise BatchError(f"{self.path} was deleted or replaced while it was written: what it held is lost")

    def close(self) -> None:
        """Close the file; a stream stays open for its owner."""
        try:
            if self.path and not isinstance(self._target, Path):
                with self._named():  # it tries once more to write what a full disk did not take
                    self._target.close()
        finally:
            if self._free:
                self._free()

    def _redactions(self) -> Iterator[tuple[int, bool, bool]]:
        """Tell of each line of a JSON Lines file that is continued whether it is redacted, and whether that shows."""
        if self.kind == "csv" or not self.path or not self._begun:
            return
        for number, result in enumerate(read_back(self.path, "jsonl"), 1):
            try:
                told = _provenance(result)
            except (KeyError, TypeError, AttributeError):
                raise BatchError(f"{self.path} cannot be continued: line {number} is not a result") from None
            yield number, redact(told) == told, any(c.private and c.value == REMOVED for c in told.claims)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the file in an error of the system."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path or "standard output")) from error

    def _stream(self) -> IO[str]:
        if isinstance(self._target, Path):
            # Names that are not UTF-8 keep their bytes.
            stream = self._target.open("a", encoding="utf-8", errors="surrogateescape", newline="")
            if self._free is None and self._target.is_file():  # it was not there before
                self._free = finalize(self, stream.close)
                self._hold(stream.fileno())
                if os.fstat(stream.fileno()).st_size:
                    raise BatchError(f"{self.path} was written by another batch meanwhile: use another file")
            self._target = stream
        return self._target

    def _hold(self, descriptor: int) -> None:
        if taken(descriptor):
            raise BatchError(f"{self.path} is being written by another batch: use another file, or wait until it ends")

    def _load(self, path: Path) -> bool:
        """Learn what the file holds and cut a torn last line off; False when there is nothing to continue."""
        if not path.exists():
            return False
        if not path.is_file():  # a pipe would wait for its other end
            raise BatchError(f"{path} cannot be continued: it is a device or a pipe, and keeps nothing: name a file")
        whole = 0
        start = ",".join(COLUMNS) if self.kind == "csv" else json.dumps({"schema": SCHEMA})[:-1]
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.endswith(b"\n"):
                    if number == 1 and not (start.encode().startswith(line) or line.startswith(start.encode())):
                        raise BatchError(f"{path} cannot be continued: it was not written by this command")
                    break
                whole += len(line)
                self._learn(line.decode("utf-8", "surrogateescape"), number)
        with path.open("r+b") as stream:
            stream.truncate(whole)
        return whole > 0

    def _learn(self, line: str, number: int) -> None:
        if self.kind == "csv" and number == 1:
            if line.rstrip("\n") != ",".join(COLUMNS):
                raise BatchError(f"{self.path} cannot be continued: its first line is not this version's header")
            return
        try:
            held = _from_csv(line) if self.kind == "csv" else json.loads(line)
            result = to_result(held, held["path"])
            self.held[_mark(result["path"])] += 1
            self.model = _model(result) or self.model
            self.refused += "error" in result
        except (AnswerError, csv.Error, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            raise BatchError(f"{self.path} cannot be continued: line {number} is not a result") from None


def _is_gone(path: Path, descriptor: int) -> bool:
    """Whether an open file has no name any more, so that what is written there is lost; a moved one has."""
    state = os.fstat(descriptor)
    try:
        return state.st_nlink == 0 and not os.path.samestat(path.stat(), state)
    except FileNotFoundError:
        return True


def take_done(ledgers: Sequence[Ledger]) -> Counter[bytes]:
    """Take the lines that all files hold out of `held`, and give them for `missing`."""
    done = reduce(and_, (ledger.held for ledger in ledgers)) if ledgers else Counter()
    for ledger in ledgers:
        ledger.held = ledger.held - done  # a new one, because `done` may be that of a single ledger
    return done


def missing(items: Iterable[Item | Refusal], done: Counter[bytes]) -> Iterator[Item | Refusal]:
    """Give the items that have still to be scanned: a line that is done stands for one item of its path."""
    left = done.copy()
    for item in items:
        mark = _mark(item.path) if left else b""
        if left[mark] > 0:
            left[mark] -= 1
        else:
            yield item


def read_back(path: Path, kind: Kind) -> Iterator[Result]:
    """Results of a finished file, for a page about all of them; from a CSV, with the keys that its columns hold."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        for number, line in enumerate(stream):
            if kind == "jsonl":
                yield json.loads(line)
            elif number:
                yield _from_csv(line)


def _provenance(result: Result) -> Provenance:
    """The claims of a line, as far as redaction looks at them."""
    claims = result.get("provenance", {}).get("claims", [])
    return Provenance(
        claims=tuple(
            Claim(c["kind"], c["value"], c["source"], private=is_private(c["kind"], c["value"])) for c in claims
        )
    )


def _from_csv(line: str) -> Result:
    row = dict(zip(COLUMNS, next(csv.reader(io.StringIO(line))), strict=True))
    path = from_cell(row["path"])
    if row["error"]:
        kind, _, message = from_cell(row["error"]).partition(": ")
        return {"schema": SCHEMA, "path": path, "error": {"kind": kind, "message": message}}
    name, version, sha256 = from_cell(row["model"]).rsplit(" ", 2)
    return {
        **{key: row[key] for key in ("sha256", "format", "verdict")},
        **{key: int(row[key]) for key in ("width", "height")},
        "schema": SCHEMA,
        "path": path,
        "p_ai": float(row["p_ai"]),
        "interval": [float(row["low"]), float(row["high"])],
        "quality": {"level": row["quality"], "reasons": []},
        "provenance": {"level": row["provenance"], "origin": row["origin"], "claims": []},
        "reasons": [{"text": from_cell(row["top_reason"])}] if row["top_reason"] else [],
        "model": {"name": name, "version": version, "sha256": sha256},
    }


def _model(result: Mapping[str, Any]) -> str:
    """Name the bundle in one cell: name, version and the beginning of its sha256."""
    model = result.get("model")
    return f"{model['name']} {model['version']} {model['sha256'][:12]}" if model else ""


def to_cell(text: str) -> str:
    """One line that no spreadsheet runs as a formula; `from_cell` takes it back."""
    plain = _UNSAFE.sub(_escaped, text)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def from_cell(cell: str) -> str:
    """The text that `to_cell` made a cell of."""
    return _ESCAPE.sub(_unescaped, cell.removeprefix("'"))


def _escaped(found: re.Match[str]) -> str:
    """A sign as an escape; a byte of a name that is no UTF-8 as Python writes it, so that the file stays UTF-8."""
    sign = ord(found[0])
    return f"\\U{sign:08x}" if sign > 0xFFFF else f"\\u{sign:04x}" if sign > 0xFF else f"\\x{sign:02x}"


def _unescaped(found: re.Match[str]) -> str:
    """The sign of an escape; what names none, such as a large number after `U`, stays as it is."""
    sign = int(found[1] or found[2] or found[3], 16)
    return chr(sign) if sign <= sys.maxunicode else found[0]


def _mark(path: str) -> bytes:
    """Eight bytes per path: a million of them fit into memory."""
    return blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest()
