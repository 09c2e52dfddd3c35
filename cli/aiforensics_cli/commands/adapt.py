"""`aiforensics adapt`: a bundle learns a new domain, and what it forgets is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from aiforensics_cli import options
from aiforensics_cli.commands.train import command_line
from aiforensics_cli.console import results
from aiforensics_cli.places import named, of_bundle

app = typer.Typer()


@app.command()
def adapt(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A shipped bundle or a bundle's folder.")],
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA", parser=options.data_place, help="The new domain: real/ + ai/, or manifests."),
    ],
    *,
    strategy: Annotated[
        Literal["head", "full"], typer.Option(help="head: on new data alone; full: everything, on old and new data.")
    ],
    out: Annotated[Path, typer.Option(metavar="BUNDLE", help="The new bundle's folder.")],
    old: Annotated[
        list[Path] | None,
        typer.Option(metavar="DATA", parser=options.data_place, help="What it was trained on; may be repeated."),
    ] = None,
    work: Annotated[Path | None, typer.Option(metavar="DIR", help="Checkpoints; default BUNDLE.work.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Adapt although the audit refuses the data.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Classifier: passes at most.")] = None,
    rate: Annotated[float | None, typer.Option(callback=options.finite, help="Classifier: learning rate.")] = None,
    minutes: Annotated[
        float | None, typer.Option(callback=options.finite, min=0.01, help="Classifier: minutes at most.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Fusion, full: steps of each network.")] = None,
    device: options.DeviceOption = "auto",
    seed: Annotated[int, options.seed_option("Of everything random.")] = 0,
) -> None:
    """Adapt a bundle to new pictures, and measure both domains before and after, files as found.

    What it learns from is audited first, as `train` does. Test pictures that
    the bundle had learned from, or learns from now, judge nothing.
    The changes have the interval of a paired bootstrap: both times the same
    pictures are judged. Without --old the fall on the old domain (forgetting)
    cannot be measured.
    After `full`, the thresholds of a fusion rest on sources that its first
    weights had seen; the bundle says so.
    A test picture that cannot be judged is told and left out; the status is
    then 2, and the bundle is written.
    """
    from aiforensics.lab.adapting import FIGURES, Adaptation, check_knobs  # noqa: PLC0415 - PyTorch
    from aiforensics.lab.adapting import adapt as run  # noqa: PLC0415
    from aiforensics.lab.data.dataset import load_dataset  # noqa: PLC0415
    from aiforensics.lab.data.overlap import drawn  # noqa: PLC0415
    from aiforensics.lab.making import Job  # noqa: PLC0415
    from aiforensics_cli.measuring import tell_refused  # noqa: PLC0415
    from aiforensics_models.bundle import Bundle  # noqa: PLC0415

    how = Adaptation(strategy, epochs, rate, minutes, steps, device)
    first = Bundle.load(bundle)
    check_knobs(first, how, out, old=bool(old))
    learned = named((*((old or ()) if strategy == "full" else ()), *data))
    folder, place = of_bundle(out, work)
    job = Job(folder, place, learned, command_line(), force, seed=seed, split="70/15/15")
    cut, shares = drawn(first.manifest, seed)  # as its training cut them, or its own pictures would be tested on
    report = options.reporter()
    new = load_dataset(data, seed=cut, shares=shares, report=report)
    before = load_dataset(old, seed=cut, shares=shares, report=report) if old else None
    content = run(bundle, new, before, how, job, report)

    from rich.table import Table  # noqa: PLC0415 - only here

    from aiforensics.lab.pages.words import SHOWN, gap  # noqa: PLC0415

    headings = [f"{domain}\n{what}" for domain in content["domains"] for what in ("before", "after", "change, 95 %")]
    table = Table("figure", *headings, box=None, pad_edge=False, padding=(0, 1, 0, 0))  # two domains fit 80 columns
    for name in FIGURES:
        cells = [name]
        for domain, both in content["domains"].items():
            change = content["changes"][domain][name]
            cells += ["–" if both[when][name] is None else f"{both[when][name]:.3f}" for when in ("before", "after")]
            cells.append("\n".join(gap(change["value"], change["interval"])))
        table.add_row(*cells)
    results().print(table)
    results().print(f"{SHOWN}.", soft_wrap=True)
    told = (panel["refused"] for both in content["domains"].values() for panel in both.values())
    raise typer.Exit(tell_refused(list(dict.fromkeys(tuple(pair) for refused in told for pair in refused))))
