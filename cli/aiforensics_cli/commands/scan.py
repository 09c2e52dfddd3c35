"""`aiforensics scan`: pictures in, verdicts out."""

from __future__ import annotations

from typing import Annotated

import typer

from aiforensics_cli import options
from aiforensics_cli.examine import Policy, Tally, drawn, examine_all, mapped, printed
from aiforensics_cli.places import check_places, consulted, spare

app = typer.Typer()


@app.command()
def scan(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Pictures; - is standard input.")],
    *,
    as_json: options.JsonOption = False,
    report: options.PageOption = None,
    maps: options.MapsOption = None,
    model: options.ModelOption = "default",
    device: options.ScanDeviceOption = "auto",
    gradcam: options.GradCamOption = False,
    fail_on: Annotated[
        list[Policy] | None,
        typer.Option(metavar="ai|inconclusive|provenance", help="Status 1 if a picture is this; may be repeated."),
    ] = None,
    redact: options.RedactOption = False,
    online: options.OnlineOption = False,
    trust: options.TrustOption = None,
) -> None:
    """Say of each picture whether an AI model or a camera made it, how sure that is, why, and when it cannot be told.

    --fail-on provenance matches a file that says that AI made it, and one
    whose signature is broken. A match (status 1) goes before a refused
    input (status 2).

    --report and --maps are finished even when the reader of standard output
    goes away (`| head`); the status is then 141, or 1 after a match.
    """
    from aiforensics.pipeline import Scanner  # noqa: PLC0415 - the scan's libraries are not for --help

    options.check_gradcam(gradcam, report, maps)
    spare([report], [*paths, *consulted(model, trust)])
    check_places([report], [maps])
    tally = Tally(fail_on or ())
    scanner = Scanner(model, device=device, redact=redact, online=online, trust=trust)
    # A report or maps are written to their end, whatever becomes of the reader of standard output.
    reader_left = tally.reader_left if report or maps else None
    items = examine_all(scanner, paths)
    if gradcam:
        from aiforensics_cli.attention import with_gradcam  # noqa: PLC0415 - as above

        items = with_gradcam(items, scanner.bundle)
    if maps or report:
        items = drawn(items)
    items = printed(tally.watch(items), as_json=as_json, reader_left=reader_left)
    if maps:
        items = mapped(items, maps)
    if report:
        from aiforensics.report import write_report  # noqa: PLC0415 - as above

        write_report(items, report, redact=redact)
    for _ in items:
        pass
    raise typer.Exit(tally.status)
