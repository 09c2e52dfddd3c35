"""The batch on the command line: where results go, the progress bar, the summary."""

from __future__ import annotations

import os
import sys
import time
import traceback
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from aiforensics.batch import BatchError, Item, Ledger, Listing, Result, Scans, scan_items
from aiforensics.batch.ledger import missing, read_back, take_done
from aiforensics.evidence import Finding, InputError, ModelRef, Refusal
from aiforensics.explain import percent
from aiforensics.image.sniff import known_as
from aiforensics_cli.app import DONE, PIPE_CLOSED, REFUSED, debugging
from aiforensics_cli.console import carried, clean, hush, messages, named
from aiforensics_cli.places import refuse
from aiforensics_models.bundle import Bundle

if TYPE_CHECKING:
    from aiforensics.report import BatchTable


class Outputs:
    """Where results go: CSV, JSON Lines, an HTML page, or one line each on standard output.

    Parameters
    ----------
    csv, jsonl
        A file name, `-` for standard output, or None.
    html, title
        The page to write when the batch ends, and its heading.
    resume
        Continue the files.
    """

    def __init__(
        self, csv: str | None, jsonl: str | None, html: Path | None, *, title: str = "Batch", resume: bool = False
    ) -> None:
        if csv == "-" and jsonl == "-":
            raise typer.BadParameter("only one of --csv and --jsonl can go to standard output: give the other a file")
        if resume and (csv in (None, "-")) and (jsonl in (None, "-")):
            raise typer.BadParameter("--resume needs a --csv FILE or --jsonl FILE to go on with")
        self.html = html
        self.title = title
        self.unread = False
        self.table = _table() if html else None
        self.plain = csv is None and jsonl is None and html is None
        self.ledgers: list[Ledger] = []
        if csv is not None:
            self.ledgers.append(Ledger(_standard_output() if csv == "-" else Path(csv), "csv", resume=resume))
        if jsonl is not None:
            self.ledgers.append(Ledger(_standard_output() if jsonl == "-" else Path(jsonl), "jsonl", resume=resume))
        self.done = take_done(self.ledgers)
        self.fullest = _fullest(self.ledgers) if html and resume else None
        if self.table and self.fullest and self.fullest.path and self.fullest.path.exists():
            for result in read_back(self.fullest.path, self.fullest.kind):
                self.table.add(result)
        self.on_terminal = (self.plain or "-" in (csv, jsonl)) and sys.stdout.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for ledger in self.ledgers:
            ledger.close()

    @property
    def refused_before(self) -> int:
        """Refusals that the files which are continued hold already."""
        return max((ledger.refused for ledger in self.ledgers), default=0)

    def missing(self, items: Iterable[Item | Refusal]) -> Iterator[Item | Refusal]:
        """Give the items that one of the files still lacks."""
        return missing(items, self.done)

    def check_model(self, name: str) -> None:
        """Refuse to continue files with another model than theirs, before anything is scanned."""
        if any(ledger.model for ledger in self.ledgers):
            bundle = Bundle.load(name)
            for ledger in self.ledgers:
                ledger.check_model(ModelRef(bundle.name, bundle.version, bundle.sha256))

    def check_redaction(self, redact: bool) -> None:
        """Refuse to continue files otherwise than they were begun: with `--redact`, or without it."""
        for ledger in self.ledgers:
            (ledger.check_redacted if redact else ledger.check_unredacted)()

    def write(self, result: Result) -> None:
        """Put a result everywhere that it belongs.

        Raises
        ------
        BrokenPipeError
            If the reader of standard output went away, as `head` does, and nothing is written elsewhere.
        """
        # What the page has from the run before may be scanned anew, for another file that lacks it.
        known = self.fullest is not None and self.fullest.holds(result["path"])
        for ledger in self.ledgers:
            try:
                ledger.write(result)
            except BrokenPipeError:
                if len(self.ledgers) == 1 and self.html is None:
                    raise
                hush()
                self.unread = True
        if self.table and not known:
            self.table.add(result)
        if self.plain:
            sys.stdout.write(_plain(result, sys.stdout.encoding) + "\n")
            sys.stdout.flush()

    def finish(self) -> None:
        """Write the page; a file that nothing was written to becomes an empty table."""
        for ledger in self.ledgers:
            ledger.begin()
        if self.table and self.html:
            self.table.write(self.html, title=self.title)


class Telling:
    """A worker's scanner that prints the traceback of what nobody expected, for `--debug`."""

    def __init__(self, factory: Callable[[], Scans]) -> None:
        self.scanner = factory()

    def scan(self, source: str) -> Finding:
        """Examine a file."""
        with _tracebacks():
            return self.scanner.scan(source)

    def scan_bytes(self, data: bytes, path: str) -> Finding:
        """Examine bytes that came from `path`."""
        with _tracebacks():
            return self.scanner.scan_bytes(data, path)


@contextmanager
def _tracebacks() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not isinstance(error, InputError):
            traceback.print_exc()
        raise


def read_names(file: str) -> list[str]:
    """Read names from a file, or from standard input for `-`.

    Returns
    -------
    list of str
        One per line; where a NUL stands among them, one per NUL, because such names may hold line feeds.

    Raises
    ------
    OSError
        If the file cannot be read.
    typer.Exit
        After one line that says what it holds instead of names.
    """
    if file != "-" and Path(file).is_file() and (known := known_as(file)):  # whose bytes may spell any folder
        refuse(f"{file} is {known}: --files-from reads names, one per line")
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    called = "standard input" if file == "-" else file
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):  # as PowerShell writes what > sends to a file
        try:
            data = data.decode("utf-16").encode()
        except UnicodeDecodeError:
            refuse(f"{called} begins as UTF-16 and does not go on so: save the names as UTF-8")
    data = data.removeprefix(BOM_UTF8)
    parts = data.split(b"\0") if b"\0" in data else data.splitlines()
    if b"\n" in parts:  # whose names would be single signs, "/" among them
        refuse(f"{called} looks like UTF-16 without its mark: save the names as UTF-8")
    return [os.fsdecode(part) for part in parts if part]


def run(
    paths: Sequence[str | Path],
    factory: Callable[[], Scans],
    outputs: Outputs,
    *,
    workers: int | None,
    timeout: float,
    ray: str | None,
) -> int:
    """Scan everything and give the exit status; what is done is kept when it is interrupted.

    Parameters
    ----------
    paths
        Folders, pictures and archives.
    factory
        Makes each worker's scanner.
    outputs
        Where results go.
    workers, timeout
        Processes, and seconds for a picture.
    ray
        Address of a Ray cluster; None for processes of this machine.
    """
    if debugging():
        factory = partial(Telling, factory)
    listing = Listing(paths)
    items = outputs.missing(listing)
    if ray is None:
        found = scan_items(items, factory, workers=workers, timeout=timeout)
    else:
        from aiforensics import cluster  # noqa: PLC0415 - only with --ray

        found = cluster.scan_items(items, factory, address=ray, workers=workers, timeout=timeout)
    counts: Counter[str] = Counter()
    before = outputs.refused_before
    start = time.monotonic()
    ended = False
    try:
        with _progress(listing, outputs, counts) as advance:
            for result in found:
                outputs.write(result)
                counts["refused" if "error" in result else result["verdict"]] += 1
                advance()
        ended = True
    except (KeyboardInterrupt, BatchError, OSError):
        if counts:
            with suppress(OSError):  # what ended the batch is told, and the page may lie on the same full disk
                outputs.finish()
        raise
    finally:
        found.close()
        if ended or counts:  # a batch that did not get anywhere has no summary
            seconds = time.monotonic() - start
            console = messages()
            summary = _summary(counts, seconds, before, listing.left_out, console.encoding)
            console.print(summary, soft_wrap=True)
    outputs.finish()
    return PIPE_CLOSED if outputs.unread else REFUSED if counts["refused"] or before else DONE


@contextmanager
def _progress(listing: Listing, outputs: Outputs, counts: Counter[str]) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error where that is a terminal of its own, and give what moves it on."""
    console = messages()
    if not console.is_terminal or outputs.on_terminal:
        yield lambda: None
        return
    columns = (
        *(SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
        *(TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[counts]}")),
    )
    # Rich would take the results that go to a pipe or a file for words above the bar.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=None, rate="", counts="listing")
        progress.update(task, total=sum(1 for _ in outputs.missing(listing)), counts="starting")
        start = time.monotonic()

        def advance() -> None:
            rate = f"{counts.total() / (time.monotonic() - start):.1f}/s"
            progress.update(task, advance=1, rate=rate, counts=_counts(counts, console.encoding))

        yield advance


def _counts(counts: Counter[str], encoding: str) -> str:
    words = " · ".join(f"{counts[name]:,} {name}" for name in ("ai", "real", "inconclusive", "refused") if counts[name])
    return carried(words, encoding)


def _summary(counts: Counter[str], seconds: float, before: int, left_out: Counter[str], encoding: str) -> str:
    total = counts.total()
    rate = f" ({total / seconds:.1f}/s)" if total and seconds > 0 else ""
    earlier = f"; {before:,} refused in the run before" if before else ""
    files = left_out.total()
    kinds = ", ".join(f"{count:,} {kind or 'of no or another kind'}" for kind, count in left_out.most_common(5))
    left = f"; {files:,} other file{'s' * (files > 1)} left out ({clean(kinds)})" if files else ""
    told = _counts(counts, encoding) or "nothing to do"
    done = f"{total:,} picture{'s' * (total != 1)} in {seconds:.1f} s{rate}: {told}"
    return f"{done}{earlier}{left}"


def _plain(result: Result, encoding: str) -> str:
    if "error" in result:
        return clean(f"{'refused':<13} {'':>4}  {'':<8} {named(result['path'])}: {result['error']['message']}")
    quality = result["quality"]["level"]
    # A score of too poor evidence is not to be used.
    score = carried("–", encoding) if quality == "poor" else percent(result["p_ai"])
    return clean(f"{result['verdict']:<13} {score:>4}  {quality:<8} {result['path']}")


def _table() -> BatchTable:
    from aiforensics.report import BatchTable  # noqa: PLC0415 - only with --html

    return BatchTable()


def _fullest(ledgers: list[Ledger]) -> Ledger:
    """The file that tells most of the run that is resumed."""
    files = {ledger.kind: ledger for ledger in ledgers if ledger.path}
    return files.get("jsonl") or files["csv"]


def _standard_output() -> Any:  # noqa: ANN401 - reconfigure is not part of TextIO
    """Give standard output as UTF-8 whatever the locale, with names that are not UTF-8 kept."""
    stream: Any = sys.stdout
    stream.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    return stream
