"""The options that several commands share, each worded once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.models import OptionInfo

LARGEST_SEED = 2**31 - 1
"""Libraries take seeds of 32 bits, and seeds beside this one are counted up from it."""
DAY = 86_400.0
"""Seconds of a day."""

Device = Literal["auto", "cpu", "cuda"]


def device_option(panel: str | None = None) -> OptionInfo:
    """Make the option `--device` of a command that trains; in a panel of its help, if one is named."""
    words = "Where training runs; auto: on a GPU where PyTorch sees one, else on the CPU."
    option: OptionInfo = typer.Option("--device", help=words, rich_help_panel=panel)
    return option


def split_option(panel: str | None = None) -> OptionInfo:
    """Make the option `--split` of a command; in a panel of its help, if one is named."""
    words = "Shares of train, val and test, where none are given."
    option: OptionInfo = typer.Option("--split", metavar="80/20|70/15/15", help=words, rich_help_panel=panel)
    return option


def seed_option(words: str, panel: str | None = None) -> OptionInfo:
    """Make the option `--seed` of a command; the words say of what, the panel where in its help."""
    option: OptionInfo = typer.Option("--seed", min=0, max=LARGEST_SEED, help=words, rich_help_panel=panel)
    return option


DeviceOption = Annotated[Device, device_option()]
ScanDeviceOption = Annotated[
    Device,
    typer.Option("--device", help="auto and cpu: the CPU, reproducible; cuda: PyTorch on a GPU (extra: train)."),
]
SplitOption = Annotated[str, split_option()]
ModelOption = Annotated[str, typer.Option("--model", metavar="NAME|DIR", help="A shipped bundle or a bundle's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
MapsOption = Annotated[
    Path | None,
    typer.Option("--maps", metavar="DIR", file_okay=False, help="Write the cues' maps as PNG files into a folder."),
]
RedactOption = Annotated[
    bool,
    typer.Option(
        "--redact", help="Leave out names, places and prompts of the metadata; paths stay as they were given."
    ),
]
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


def data_place(name: str) -> Path:
    """Read the name of a data set; pathlib would take an empty one for the current folder."""
    if not name:
        from aiforensics.lab.data.dataset import DatasetError  # noqa: PLC0415 - not for a scan

        raise DatasetError("'': not a folder or a manifest CSV")
    return Path(name)


def folder_place(name: str) -> Path:
    """Read the name of a folder; pathlib would take an empty one for the current folder."""
    if not name:
        raise typer.BadParameter("this name is empty: name a folder")
    return Path(name)


def no_stream(value: Path | None) -> Path | None:
    """Refuse `-` for a page, which standard output would mix with results."""
    if value == Path("-"):
        raise typer.BadParameter("a page goes to a file: name one")
    return value


PageOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        dir_okay=False,
        callback=no_stream,
        help="Write a self-contained HTML page.",
    ),
]


def reporter() -> Callable[[str], None]:
    """Make what prints a line of progress on standard error."""
    from aiforensics_cli.console import clean, messages  # noqa: PLC0415 - Rich is not for --help

    console = messages()
    return lambda line: console.print(clean(line), soft_wrap=True)


def check_gradcam(wanted: bool, *outputs: object) -> None:
    """Refuse `--gradcam` where nothing would show what it takes seconds to make."""
    if wanted and not any(outputs):
        raise typer.BadParameter("nothing here would show it: give --maps (scan: or --report)", param_hint="--gradcam")


def finite(value: float | None) -> float | None:
    """Refuse the number of an option that is infinite or none at all."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


def at_most_a_day(seconds: float) -> float:
    """Refuse a time that is no number, or longer than a day: nothing waits that long."""
    if not 0.1 <= seconds <= DAY:
        raise typer.BadParameter(f"{seconds:g} is not from 0.1 to {DAY:.0f} seconds: at most one day")
    return seconds
