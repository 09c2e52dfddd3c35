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
    paths: Annotated[list[str], typer.Argument(metavar="DIR|FILE|ZIP", help="Folders, pictures, ZIP archives.")],
    *,
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
        float, typer.Option(callback=options.at_most_a_day, help="Seconds that one picture may take; a day at most.")
    ] = 60.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the --csv or --jsonl file.")] = False,
    ray: Annotated[str | None, typer.Option(metavar="[ADDRESS]", help="Use a Ray cluster (extra: ray).")] = None,
    model: options.ModelOption = "default",
    device: options.DeviceOption = "auto",
    redact: options.RedactOption = False,
    trust: options.TrustOption = None,
) -> None:
    """Scan folders, many files and ZIP archives; results come in the order of the input.

    A file that crashes or stalls costs itself, never the batch. Folders
    give their pictures by name; hidden files, other files (archives too:
    name them) and links to folders are left out and counted. Without
    --csv, --jsonl or --html, prints a line each.

    The status is 2 if any input was refused, in the run that is resumed
    too, and 141 if the reader of standard output went away (`| head`).
    """
    from aiforensics.pipeline import Scanner  # noqa: PLC0415 - the scan's libraries are not for --help
    from aiforensics_cli.many import Outputs, run  # noqa: PLC0415
    from aiforensics_cli.places import check_places, spare  # noqa: PLC0415

    sources = [Path(path) if path else "" for path in paths]  # an empty name is refused, not the current folder
    spare([csv, jsonl, html], sources)
    check_places([csv, jsonl, html])
    title = f"Batch: {', '.join(paths)}"
    with Outputs(csv, jsonl, html, title=title, resume=resume) as outputs:
        if redact:
            outputs.check_redacted()
        factory = partial(Scanner, model, device=device, redact=redact, trust=trust)
        raise typer.Exit(run(sources, factory, outputs, workers=workers, timeout=timeout, ray=ray))
