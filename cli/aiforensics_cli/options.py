"""The options that several commands share, each worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Device = Literal["auto", "cpu", "cuda"]

ModelOption = Annotated[str, typer.Option("--model", metavar="NAME|DIR", help="A shipped bundle or a bundle's folder.")]
DeviceOption = Annotated[
    Device, typer.Option("--device", help="Where the network runs; findings are reproducible bit for bit on the CPU.")
]
SplitOption = Annotated[
    str,
    typer.Option("--split", metavar="80/20|70/15/15", help="Shares of train, val and test, where none are given."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
MapsOption = Annotated[
    Path | None,
    typer.Option("--maps", metavar="DIR", file_okay=False, help="Write the cues' maps as PNG files into a folder."),
]
RedactOption = Annotated[bool, typer.Option("--redact", help="Leave out names, places and prompts of the metadata.")]
GradCamOption = Annotated[
    bool,
    typer.Option("--gradcam", help="Draw the network's map by Grad-CAM instead of class activation (extra: train)."),
]
OnlineOption = Annotated[
    bool, typer.Option("--online", help="Allow the network: remote manifests and revocation of signatures.")
]
TrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust", metavar="FILE", exists=True, dir_okay=False, help="Certificates (PEM) of signers that you trust."
    ),
]


def check_gradcam(wanted: bool, *outputs: object) -> None:
    """Refuse `--gradcam` where nothing would show what it takes seconds to make."""
    if wanted and not any(outputs):
        raise typer.BadParameter("nothing here would show it: give --maps (scan: or --report)", param_hint="--gradcam")
