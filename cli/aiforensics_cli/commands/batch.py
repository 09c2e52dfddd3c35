"""`aiforensics batch`: many pictures, one line each."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from aiforensics_cli import options
from aiforensics_cli.optional_values import BatchCommand

app = typer.Typer()


@app.command(cls=BatchCommand)
def batch(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="DIR|FILE|ZIP", help="Folders, pictures, ZIP archives.")
    ] = None,
    *,
    files_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Read more names from a file, or from stdin: one per line, or with a NUL after each (find -print0).",
        ),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(metavar="[FILE]", help="Write CSV; without a file, to stdout; DIR or a picture is an input."),
    ] = None,
    jsonl: Annotated[
        str | None, typer.Option(metavar="[FILE]", help="Write JSON Lines; without a file, to stdout.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, callback=options.no_stream, help="Write one HTML page."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per processor.")] = None,
    timeout: Annotated[
        float,
        typer.Option(
            callback=options.at_most_a_day,
            help="Seconds that one picture may take, a day at most; until then, those after it wait for their turn.",
        ),
    ] = 60.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the --csv or --jsonl file.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier batch, and other files.")
    ] = False,
    ray: Annotated[str | None, typer.Option(metavar="[ADDRESS]", help="Use a Ray cluster (extra: ray).")] = None,
    model: options.ModelOption = "default",
    device: options.ScanDeviceOption = "auto",
    redact: options.RedactOption = False,
    trust: options.TrustOption = None,
) -> None:
    r"""Scan folders, many files and ZIP archives; results come in the order of the input.

    A file that crashes or stalls costs itself, never the batch. Folders
    give their pictures by name; hidden files, other files (archives too:
    name them) and links to folders are left out and counted. Without
    --csv, --jsonl or --html, prints a line each. A CSV or JSONL file of
    an earlier batch is not replaced without --overwrite, nor is a file
    that aiforensics did not write.

    In a CSV, control signs and those that hide or turn a name around are
    escapes (\u202e), and an apostrophe stands before what a spreadsheet
    would run; JSON Lines hold every name exactly.

    The status is 2 if any input was refused, in the run that is resumed
    too, and 141 if the reader of standard output went away (`| head`).
    """
    from aiforensics.pipeline import Scanner  # noqa: PLC0415 - the scan's libraries are not for --help
    from aiforensics_cli.many import Outputs, read_names, run  # noqa: PLC0415
    from aiforensics_cli.places import check_places, consulted, keep_results, refuse, spare  # noqa: PLC0415

    if "-" in (paths or []):
        refuse("batch does not read standard input: use scan -, or --files-from - for names")
    if not paths and files_from is None:
        raise typer.BadParameter("name a folder, a picture or an archive, or a list of them with --files-from")
    if resume and overwrite:
        raise typer.BadParameter("--resume goes on with the file that --overwrite replaces: give one of them")
    paths = paths or []
    listed = [] if files_from is None else read_names(files_from)
    sources = [str(Path(path)) if path else "" for path in [*paths, *listed]]  # "" is not the current folder
    spare([csv, jsonl, html], [*sources, files_from or "", *consulted(model, trust)])
    check_places([csv, jsonl, html])
    if not overwrite:
        keep_results([] if resume else [csv, jsonl], html)
    title = f"Batch: {', '.join([*paths, *([f'names from {files_from}'] if files_from else [])])}"
    with Outputs(csv, jsonl, html, title=title, resume=resume) as outputs:
        outputs.check_redaction(redact)
        outputs.check_model(model)
        factory = partial(Scanner, model, device=device, redact=redact, trust=trust)
        raise typer.Exit(run(sources, factory, outputs, workers=workers, timeout=timeout, ray=ray))
