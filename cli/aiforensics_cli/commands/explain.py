"""`aiforensics explain`: one picture's verdict in words, cue by cue."""

from __future__ import annotations

from typing import Annotated

import typer

from aiforensics_cli import options
from aiforensics_cli.console import results
from aiforensics_cli.examine import Tally, drawn, examine_all, write_maps
from aiforensics_cli.places import check_places

app = typer.Typer()


@app.command()
def explain(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A picture; - is standard input.")],
    *,
    maps: options.MapsOption = None,
    model: options.ModelOption = "default",
    device: options.ScanDeviceOption = "auto",
    gradcam: options.GradCamOption = False,
    redact: options.RedactOption = False,
    online: options.OnlineOption = False,
    trust: options.TrustOption = None,
) -> None:
    """Explain one picture's verdict: every cue, what it looks for, what it measured, what fools it."""
    from aiforensics.evidence import Refusal  # noqa: PLC0415 - the scan's libraries are not for --help
    from aiforensics.pipeline import Scanner  # noqa: PLC0415
    from aiforensics_cli.show import show_caution, show_cues, show_finding, show_limits  # noqa: PLC0415

    options.check_gradcam(gradcam, maps)
    check_places([], [maps])
    tally = Tally()
    console = results()
    scanner = Scanner(model, device=device, redact=redact, online=online, trust=trust)
    items = examine_all(scanner, [path])
    if gradcam:
        from aiforensics_cli.attention import with_gradcam  # noqa: PLC0415

        items = with_gradcam(items, scanner.bundle)
    for item in tally.watch(drawn(items) if maps else items):
        if isinstance(item, Refusal):
            continue
        show_finding(console, item.finding, reasons=None)
        show_cues(console, item.finding, gradcam=gradcam)
        for written in write_maps(item, 1, maps) if maps else ():
            console.print(f"map: {written}", soft_wrap=True)
        show_limits(console)
        show_caution(console)
    raise typer.Exit(tally.status)
