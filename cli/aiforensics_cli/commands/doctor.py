"""`aiforensics doctor`: what is installed, what works, what to mend."""

from __future__ import annotations

import typer

from aiforensics_cli import options
from aiforensics_cli.app import DONE, REFUSED
from aiforensics_cli.console import emit, messages, results

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
        from aiforensics_cli.show import show_checkup  # noqa: PLC0415 - needs Rich's tables

        show_checkup(results(), facts, advice(facts))
    raise typer.Exit(DONE if facts["works"] else REFUSED)
