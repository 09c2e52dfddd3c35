"""`aiforensics models`: the bundles, what is in them, and whether they are intact."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from aiforensics_cli import options
from aiforensics_cli.app import DONE, REFUSED
from aiforensics_cli.console import carried, clean, complain, emit, results, without_nan
from aiforensics_cli.lines import show_manifest

app = typer.Typer(no_args_is_help=True, help="List, show and check the model bundles.")
_name = typer.Argument(metavar="NAME|DIR", help="A shipped bundle or a bundle's folder.")


@app.command("list")
def list_models(*, as_json: options.JsonOption = False) -> None:
    """List the shipped bundles."""
    from aiforensics_models.bundle import Bundle, available  # noqa: PLC0415 - not for --help

    for name in available():
        bundle = Bundle.load(name)
        if as_json:
            emit({"name": name, "version": bundle.version, "sha256": bundle.sha256, "bytes": bundle.size})
        else:
            console = results()
            facts = f"  {bundle.version} · {bundle.size / 1e6:.1f} MB · sha256 {bundle.sha256[:12]}"
            facts = carried(facts, console.encoding)
            console.print(Text.assemble((name, "bold"), (facts, "dim")), soft_wrap=True)


@app.command()
def show(name: Annotated[str, _name] = "default", *, as_json: options.JsonOption = False) -> None:
    """Show what is in a bundle: version, features, training data, metrics, files."""
    from aiforensics_models.bundle import Bundle  # noqa: PLC0415 - not for --help

    manifest = Bundle.load(name).manifest
    if as_json:
        emit(without_nan(manifest))
    else:
        show_manifest(results(), manifest)


@app.command()
def verify(names: Annotated[list[str] | None, _name] = None) -> None:
    """Check that the bundles' files have their sha256 and can be used; without a name, all shipped ones."""
    from aiforensics.decision import SPECS  # noqa: PLC0415 - as above
    from aiforensics.features import FeatureError, check_edition, row  # noqa: PLC0415 - not for --help
    from aiforensics_models.bundle import Bundle, BundleError, available  # noqa: PLC0415 - as above

    status = DONE
    for name in names or available():
        try:
            bundle = Bundle.load(name)  # checks every file
            bundle.try_out()
            row(bundle.features, dict.fromkeys(SPECS, 0.0))
            check_edition(bundle.features, bundle.manifest.get("edition"))
        except (BundleError, FeatureError) as error:
            complain(f"{name}: {error}")
            status = REFUSED
        else:
            typer.echo(clean(f"intact  {name}"))
    raise typer.Exit(status)
