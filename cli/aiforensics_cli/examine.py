"""What `scan` and `explain` share: one input after the other, refusals as lines, maps as files."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from aiforensics.evidence import Finding, InputError, Refusal
from aiforensics_cli.app import DONE, MATCHED, PIPE_CLOSED, REFUSED, debugging
from aiforensics_cli.console import clean, complain, emit, hush, messages, named, results

if TYPE_CHECKING:
    from aiforensics.pipeline import Examination, Scanner


class Policy(StrEnum):
    """What `--fail-on` can look for: two verdicts, and what the file says of itself."""

    AI = "ai"
    INCONCLUSIVE = "inconclusive"
    PROVENANCE = "provenance"


def examine_all(scanner: Scanner, paths: Iterable[str]) -> Iterator[Examination | Refusal]:
    """Examine paths (`-` is standard input); a refused one is a line on standard error, and a `Refusal` here."""
    for path in paths:
        with _status(f"examining {clean(path)}"):
            item = _examine(scanner, path)
        if isinstance(item, Refusal):
            complain(f"{'standard input' if path == '-' else named(path)}: {item.message}")
        yield item


def drawn(items: Iterable[Examination | Refusal]) -> Iterator[Examination | Refusal]:
    """Draw each item's maps as it passes: what fails there is that input's refusal, and costs no other."""

    def draw(examination: Examination) -> Examination:
        _ = examination.maps, examination.activation
        return examination

    return taken_through(draw, items, "its maps cannot be drawn")


def taken_through(
    step: Callable[[Examination], Examination], items: Iterable[Examination | Refusal], failure: str
) -> Iterator[Examination | Refusal]:
    """Take each examination through a step as it passes; a refusal passes as it is.

    Parameters
    ----------
    step
        What is done to each.
    items
        What passes.
    failure
        How the line begins that says of an input that the step failed on it.
    """
    for item in items:
        if isinstance(item, Refusal):
            yield item
            continue
        try:
            passed = step(item)
        except Exception as error:  # a defect that one file lays bare must not cost the others
            if debugging():
                raise
            line = f"{failure}: {type(error).__name__}: {error}"
            complain(f"{item.finding.path}: {line}")
            yield Refusal(item.finding.path, "unreadable", line)
        else:
            yield passed


class Tally:
    """Watches findings pass by and knows the exit status at the end.

    Parameters
    ----------
    policies
        The `--fail-on` policies. `ai` and `inconclusive` are verdicts; `provenance` matches where the file says that AI
        made it, at whatever level, and where its signature is broken.
    """

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self.policies = tuple(policies)
        self.matched = False
        self.refused = False
        self.unread = False

    def watch(self, items: Iterable[Examination | Refusal]) -> Iterator[Examination | Refusal]:
        """Pass the items on."""
        for item in items:
            if isinstance(item, Refusal):
                self.refused = True
            else:
                self.matched = self.matched or any(map(partial(matches, item.finding), self.policies))
            yield item

    def reader_left(self) -> None:
        """Take note that nobody reads the results to their end."""
        self.unread = True

    @property
    def status(self) -> int:
        """The exit status; a match goes first, because it is what the caller asked for."""
        if self.matched:
            return MATCHED
        return PIPE_CLOSED if self.unread else REFUSED if self.refused else DONE


def matches(finding: Finding, policy: Policy) -> bool:
    """Whether a finding matches a `--fail-on` policy."""
    if policy is Policy.PROVENANCE:
        return finding.provenance.origin == "ai" or finding.provenance.level == "invalid"
    return finding.verdict == policy.value


def printed(
    items: Iterable[Examination | Refusal], *, as_json: bool, reader_left: Callable[[], None] | None = None
) -> Iterator[Examination | Refusal]:
    """Print each item on standard output as it passes; for people, the caution once at the end.

    Parameters
    ----------
    items
        What passes.
    as_json
        One JSON object per line, instead of words for people.
    reader_left
        Called when the reader of standard output goes away, as `head` does; the items go on passing, unprinted, for
        what is written elsewhere. Without it that ends everything.

    Raises
    ------
    BrokenPipeError
        If the reader goes away and there is no `reader_left`.
    """
    if as_json:
        for item in items:
            with _readers(reader_left):
                emit((item if isinstance(item, Refusal) else item.finding).to_dict())
            yield item
        return
    from aiforensics_cli.show import show_caution, show_finding  # noqa: PLC0415 - Rich is not for --json

    console = results()
    any_shown = False
    for item in items:
        if not isinstance(item, Refusal):
            with _readers(reader_left):
                show_finding(console, item.finding)
                console.print()
            any_shown = True
        yield item
    if any_shown:
        with _readers(reader_left):
            show_caution(console)


@contextmanager
def _readers(reader_left: Callable[[], None] | None) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        if reader_left is None:
            raise
        hush()
        reader_left()


def mapped(items: Iterable[Examination | Refusal], folder: Path) -> Iterator[Examination | Refusal]:
    """Write each item's maps into a folder as it passes."""
    for number, item in enumerate(items, 1):
        if not isinstance(item, Refusal):
            write_maps(item, number, folder)
        yield item


def write_maps(examination: Examination, number: int, folder: Path) -> list[Path]:
    """Write the maps of a picture as PNG files and give their paths.

    A name is the number of the input, the first 8 digits of its sha256, what letters and digits its name has, the
    cue, and the place of the window in pixels.
    """
    from PIL import Image  # noqa: PLC0415 - only with --maps

    folder.mkdir(parents=True, exist_ok=True)
    finding = examination.finding
    stem = re.sub(r"[^A-Za-z0-9]+", "-", PurePath(finding.path).stem).strip("-")[:40] or "picture"
    written = []
    for shown in (*examination.maps, *examination.activation):
        cue = re.sub(r"[^a-z0-9_]+", "-", shown.analyzer.lower())
        path = folder / f"{number:03d}-{finding.sha256[:8]}-{stem}-{cue}-{shown.x}-{shown.y}.png"
        Image.fromarray(shown.pixels).save(path)
        written.append(path)
    return written


def _status(line: str) -> AbstractContextManager[object]:
    """Say on standard error what goes on, where that is a terminal."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.text import Text  # noqa: PLC0415 - only for a terminal

    return messages().status(Text(line))


def _examine(scanner: Scanner, path: str) -> Examination | Refusal:
    try:
        return scanner.examine(_standard_input() if path == "-" else path)
    except Exception as error:  # a defect that one file lays bare must not cost the others
        if debugging() and not isinstance(error, InputError):
            raise
        return Refusal.of(path, error)


def _standard_input() -> bytes:
    from aiforensics.image import Limits  # noqa: PLC0415 - only where it is used

    return sys.stdin.buffer.read(Limits().max_bytes + 1)  # the gate refuses what is longer
