"""`aiforensics compare`: recipes side by side on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aiforensics_cli import options
from aiforensics_cli.app import REFUSED
from aiforensics_cli.commands.train import AUGMENTATIONS, Augmentation, command_line
from aiforensics_cli.console import clean, complain, results
from aiforensics_cli.places import named

if TYPE_CHECKING:
    from aiforensics.lab.train.recipes import Recipe

app = typer.Typer()
_OF_FIXED_SIDE = "scratch-cnn-numpy"
"""The classifier whose pictures have the same side always, whatever the others' have."""


@app.command()
def compare(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            parser=options.data_place,
            help="Folders real/ + ai/, or manifest CSVs; joined into one set.",
        ),
    ],
    *,
    recipes: Annotated[
        str, typer.Option(metavar="A,B,C", help="Names; aiforensics train --recipes lists them. None: bundles alone.")
    ] = "",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the page, metrics.json and the bundles.")] = Path(
        "comparison"
    ),
    bundle: Annotated[
        list[str] | None, typer.Option(metavar="NAME|DIR", help="Judge a finished bundle too; may be repeated.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes of every classifier at most.")] = None,
    minutes: Annotated[
        float | None, typer.Option(callback=options.finite, min=0.01, help="Minutes of every classifier at most.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of every network of a fusion.")] = None,
    side: Annotated[int | None, typer.Option(min=16, help="Side in pixels for every classifier.")] = None,
    augment: Annotated[
        list[Augmentation] | None,
        typer.Option(metavar=AUGMENTATIONS, help="For every classifier; may be repeated. delivery: re-compress."),
    ] = None,
    weights: Annotated[
        Literal["imagenet", "none"] | None, typer.Option(help="First weights of the transfer recipes.")
    ] = None,
    fusion_weights: Annotated[
        str, typer.Option(metavar="FILE|none", help="First weights of a fusion's embedding network.")
    ] = "none",
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Train classifiers at several learning rates, too.")
    ] = False,
    test_pictures: Annotated[int | None, typer.Option(min=20, help="Judge at most so many test pictures.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Compare although the audit refuses the data.")] = False,
    split: options.SplitOption = "70/15/15",
    device: options.DeviceOption = "auto",
    seed: Annotated[int, options.seed_option("Of everything random.")] = 0,
) -> None:
    """Train recipes on the same splits within the same budget, judge them on the same test pictures, write one page.

    Bundles named with --bundle were trained elsewhere: their figures
    compare only where no test picture was among their training pictures.
    Each system is held against the first by a paired bootstrap: whether they
    differ, the overlap of their own intervals does not say.
    A test picture that cannot be judged is told and left out, and so is a
    recipe whose training fails; the status is then 2, and the results are
    written.
    """
    from aiforensics.lab.train.recipes import recipe, settings  # noqa: PLC0415 - the lab is not for --help

    chosen = [recipe(name.strip()) for name in recipes.split(",") if name.strip()]
    knobs = {
        "epochs": epochs,
        "minutes": minutes,
        "side": side,
        "augment": tuple(one.value for one in augment) if augment else None,
    }
    fusion = {"steps": steps, "fusion weights": fusion_weights if fusion_weights != "none" else None}
    _check_knobs(chosen, knobs | {"sensitivity": sensitivity}, fusion, weights)
    configs = {
        one.name: settings(
            one,
            **knobs | ({"side": None} if one.name == _OF_FIXED_SIDE else {}),
            weights=weights if one.defaults.weights != "none" else None,
            seed=seed,
        )
        for one in chosen
        if one.defaults is not None
    }

    from aiforensics.lab.compare import Contest, write_comparison  # noqa: PLC0415 - PyTorch
    from aiforensics.lab.compare import compare as run  # noqa: PLC0415
    from aiforensics.lab.data.dataset import load_dataset  # noqa: PLC0415
    from aiforensics.lab.data.splits import parse_shares  # noqa: PLC0415
    from aiforensics.lab.making import Job  # noqa: PLC0415
    from aiforensics.lab.systems import System, fusion_config  # noqa: PLC0415
    from aiforensics_cli.measuring import tell_refused  # noqa: PLC0415

    systems = [
        System(one, configs.get(one.name) or fusion_config(one, steps=steps, seed=seed), fusion_weights, device=device)
        for one in chosen
    ]
    contest = Contest(systems, bundle or (), sensitivity)
    for system in systems:
        system.check()
    job = Job(out, out, named(data), command_line(), force, test_pictures, seed, split)
    report = options.reporter()
    samples = load_dataset(data, seed=seed, shares=parse_shares(split), report=report)
    out.mkdir(parents=True, exist_ok=True)
    content = run(samples, contest, job, report)
    write_comparison(content, out)
    _show(content["entries"], content["failed"])
    results().print(f"{out / 'comparison.html'}", soft_wrap=True)
    refused = dict.fromkeys(tuple(pair) for entry in content["entries"].values() for pair in entry["refused"])
    status = tell_refused(list(refused))
    if failed := content["failed"]:
        complain(f"{len(failed)} of {len(failed) + len(content['entries'])} systems failed: {', '.join(failed)}")
    raise typer.Exit(REFUSED if failed else status)


def _check_knobs(
    chosen: Sequence[Recipe], classifier: Mapping[str, object], fusion: Mapping[str, object], weights: str | None
) -> None:
    """Refuse knobs that none of the recipes has: they would be ignored."""
    from aiforensics.lab.train.recipes import RecipeError  # noqa: PLC0415 - the lab is not for --help

    defaults = [one.defaults for one in chosen if one.defaults is not None]
    transfer = any(one.weights != "none" for one in defaults)
    sized = [one for one in defaults if one.network != _OF_FIXED_SIDE]
    for kind, there, knobs in (
        ("a classifier", bool(defaults), {name: value for name, value in classifier.items() if name != "side"}),
        (f"a classifier other than {_OF_FIXED_SIDE}", bool(sized), {"side": classifier["side"]}),
        ("a fusion", len(defaults) < len(chosen), fusion),
        ("a transfer recipe", transfer, {"weights": weights}),
    ):
        given = [f"--{name.replace(' ', '-')}" for name, value in knobs.items() if value]
        if given and not there:
            raise RecipeError(f"{given[0]} is for {kind}, and --recipes names none: leave it out")


def _show(entries: Mapping[str, Mapping[str, Any]], failed: Mapping[str, str]) -> None:
    from rich.table import Table  # noqa: PLC0415 - only here

    from aiforensics.lab.pages.standing import leader, ranked  # noqa: PLC0415
    from aiforensics.lab.pages.words import gap, reach  # noqa: PLC0415

    table = Table("system", "matched AUC", "95 %", "accuracy", "as found AUC", "accuracy", box=None, pad_edge=False)

    def text(value: object) -> str:
        return f"{value:.3f}" if isinstance(value, float) else "–"

    for name in ranked(entries):
        entry, found = entries[name], entries[name]["as_found"]
        interval = reach(entry["intervals"]["roc_auc"], between=" to ")
        cells = [text(entry["roc_auc"]), interval, text(entry["accuracy"])]
        table.add_row(clean(name), *cells, text(found["roc_auc"]), text(found["accuracy"]))
    for name in failed:
        table.add_row(clean(name), "failed")
    results().print(table)
    for name, why in failed.items():
        results().print(f"{clean(name)} failed: {clean(why)}", soft_wrap=True)
    held = [(name, entries[name]["difference"]) for name in ranked(entries) if "difference" in entries[name]]
    if held:
        wide = "95 % for all at once" if len(held) > 1 else "95 %"
        apart = Table(f"less {clean(leader(entries))}", "matched AUC", wide, "", box=None, pad_edge=False)
        for name, one in held:
            apart.add_row(clean(name), *gap(one["roc_auc"], one["interval"]), clean(one["says"]))
        results().print(apart)
