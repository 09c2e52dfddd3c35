"""`aiforensics verify`: whether a JSON finding still holds for its picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from aiforensics_cli import options
from aiforensics_cli.app import DONE, MATCHED, REFUSED
from aiforensics_cli.console import clean, complain, results
from aiforensics_cli.places import refuse

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
        float,
        typer.Option(
            callback=options.finite,
            min=0,
            help="How far numbers may differ, as a share of their size (other processors).",
        ),
    ] = 1e-3,
    online: options.OnlineOption = False,
    trust: options.TrustOption = None,
) -> None:
    """Scan IMAGE again and say whether its sha256, the model and all numbers agree with a JSON finding.

    Exit status 0 if all agree, 1 if something differs, 2 if it cannot be
    checked. Of a file with several findings all about this picture count;
    where its last line was cut off, as a batch that is killed leaves it,
    the others are checked, and the status is 2 if they agree.
    What was scanned with --online or --trust is checked with the same.
    Another kind of processor rounds otherwise, which some measurements
    magnify; where nothing but those differ, a line says so.
    """
    from aiforensics.pipeline import Scanner  # noqa: PLC0415 - the scan's libraries are not for --help
    from aiforensics_cli.comparing import differences, is_redacted, of_measurements  # noqa: PLC0415 - as above

    if not image.is_file():  # nobody could read it twice
        refuse(f"{image}: this is a device or a pipe: give a file")
    differ = False
    scans: dict[tuple[str, bool], dict[str, Any]] = {}  # a batch may have met the picture a thousand times
    torn: list[str] = []
    for told in _findings(report, image, torn):
        name, redact = way = model or _shipped(told), is_redacted(told)
        if way not in scans:
            scanner = Scanner(name, device="cpu", redact=redact, online=online, trust=trust)
            scans[way] = scanner.scan(image).to_dict()
        seen = scans[way]
        found = differences(told, seen, tolerance)
        for key, was, now in found:
            typer.echo(clean(f"differs  {key}: the finding says {was}, this scan says {now}"))
        if found and all(of_measurements(key) for key, *_ in found):
            complain("verdict, probability, interval and quality agree: measurements can differ by another processor")
        differ |= bool(found)
        agrees = f"agrees   sha256 {seen['sha256'][:12]}, model {seen['model']['name']}, every number"
        if not found:
            results().print(agrees, soft_wrap=True)
    raise typer.Exit(MATCHED if differ else REFUSED if torn else DONE)


def _findings(report: Path, image: Path, torn: list[str]) -> list[dict[str, Any]]:
    from aiforensics_cli.comparing import find_findings  # noqa: PLC0415 - not for --help

    def tell(line: str) -> None:
        complain(f"{report}: {line}")
        torn.append(line)

    try:
        return find_findings(report, image, tell)
    except UnicodeDecodeError:
        refuse(f"{report}: this is not text: give what `aiforensics scan --json` printed")
    except RecursionError:
        refuse(f"{report}: this is nested too deeply: give what `aiforensics scan --json` printed")


def _shipped(told: Mapping[str, Any]) -> str:
    """Name of the shipped bundle that a finding names; a stranger's finding never leads to another folder."""
    from aiforensics_models.bundle import available  # noqa: PLC0415 - not for --help

    named = told["model"]
    name = named.get("name") if isinstance(named, dict) else None
    if not isinstance(name, str):
        refuse("the finding names no model: name its bundle with --model")
    if name not in available():
        refuse(f"the finding names the model {name[:80]!r}, which is not shipped: use --model DIR")
    return name
