"""`aiforensics doctor`: what is installed, what works, what to mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from aiforensics_cli import options
from aiforensics_cli.app import DONE, REFUSED
from aiforensics_cli.console import clean, emit, messages, results
from aiforensics_cli.lines import field, line

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer()


@app.command()
def doctor(*, as_json: options.JsonOption = False) -> None:
    """Show versions, extras, devices and bundles, and what to mend; status 2 if a scan cannot work."""
    from aiforensics_cli.checkup import advice, checkup  # noqa: PLC0415 - looks at every library

    with messages().status("looking at libraries, devices and bundles"):
        facts = checkup()
    if as_json:
        emit(facts)
    else:
        show_checkup(results(), facts, advice(facts))
    raise typer.Exit(DONE if facts["works"] else REFUSED)


def show_checkup(console: Console, facts: Mapping[str, Any], advice: Sequence[str]) -> None:
    """Print what `doctor` found, and its advice."""
    line(console, Text.assemble((f"aiforensics {facts['tool']}", "bold"), f"  Python {facts['python']}"))
    line(console, Text(facts["system"], "dim"))
    groups = {"base": facts["base"], **{f"extra {extra}": libraries for extra, libraries in facts["extras"].items()}}
    for group, libraries in groups.items():
        found = ", ".join(f"{name} {version}" for name, version in libraries.items() if version)
        lacking = ", ".join(name for name, version in libraries.items() if not version)
        field(
            console,
            group,
            Text.assemble(found, "; " if found and lacking else "", (f"no {lacking}" * bool(lacking), "yellow")),
        )
    for name, detail in facts["devices"].items():
        field(console, name, Text(clean(detail)))
    for name, bundle in facts["bundles"].items():
        state = Text("intact ", "green") if bundle["intact"] else Text("broken ", "red")
        field(console, "bundle", Text(f"{name} ") + state + Text(clean(bundle["detail"])))
    if facts["trial"]:
        field(console, "trial scan", Text(clean(facts["trial"]), "red"))
    for hint in advice:
        field(console, "advice", Text(clean(hint)))
    verdict = Text("A scan can work.", "green") if facts["works"] else Text("A scan cannot work.", "bold red")
    line(console, verdict)
