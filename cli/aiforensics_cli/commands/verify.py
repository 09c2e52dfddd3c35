"""`aiforensics verify`: whether a JSON finding still holds for its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiforensics_cli.app import DONE, MATCHED
from aiforensics_cli.console import clean, results

app = typer.Typer()


@app.command()
def verify(
    report: Annotated[
        Path, typer.Argument(metavar="REPORT.json", exists=True, dir_okay=False, help="What scan --json printed.")
    ],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", exists=True, dir_okay=False, help="The picture.")],
    *,
    model: Annotated[
        str | None, typer.Option(metavar="NAME|DIR", help="The bundle; default: the one that the finding names.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="How far numbers may differ, as a share of their size (other processors).")
    ] = 1e-3,
) -> None:
    """Scan IMAGE again and say whether its sha256, the model and all numbers agree with a JSON finding.

    Exit status 0 if all agree, 1 if something differs, 2 if it cannot be
    checked. A file with several findings is searched for this picture's.
    """
    from aiforensics.pipeline import Scanner  # noqa: PLC0415 - the scan's libraries are not for --help
    from aiforensics_cli.comparing import differences, find_finding  # noqa: PLC0415 - as above

    told = find_finding(report.read_text("utf-8"), image)
    seen = Scanner(model or told["model"]["name"], device="cpu").scan(image).to_dict()
    found = differences(told, seen, tolerance)
    for key, was, now in found:
        typer.echo(clean(f"differs  {key}: the finding says {was}, this scan says {now}"))
    if found:
        raise typer.Exit(MATCHED)
    results().print(
        f"agrees   sha256 {seen['sha256'][:12]}, model {seen['model']['name']}, every number", soft_wrap=True
    )
    raise typer.Exit(DONE)
