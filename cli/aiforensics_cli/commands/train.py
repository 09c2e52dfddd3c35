"""`aiforensics train`: labelled pictures in, a model bundle out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from aiforensics_cli.console import clean, messages, results

app = typer.Typer()


def _command() -> str:
    """The command line for the card; absolute paths by their last part, which is all that another machine needs."""
    words = (Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])
    return shlex.join(["aiforensics", *words])


def _list_recipes(wanted: bool) -> None:
    if not wanted:
        return
    from rich.table import Table  # noqa: PLC0415 - only here

    from aiforensics.lab.recipes import RECIPES  # noqa: PLC0415

    table = Table("recipe", "what it is", "reported", box=None, pad_edge=False)
    for one in RECIPES:
        table.add_row(one.name, one.what, one.reported)
    results().print(table)
    raise typer.Exit


@app.command()
def train(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Folders real/ + ai/, or manifest CSVs; joined into one set."),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="BUNDLE", help="The bundle's folder.")],
    recipe: Annotated[str | None, typer.Option(metavar="NAME", help="Recipe; --recipes lists them.")] = None,
    head: Annotated[
        Literal["xgboost", "deep"] | None, typer.Option(help="Head of the fusion; short for --recipe fusion-HEAD.")
    ] = None,
    backbone: Annotated[
        Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Fusion: pretrained safetensors.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Checkpoints, plots, audit; default BUNDLE.work. Resumed from.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="The bundle's name; default the folder's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Train although the audit refuses the data.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Fusion: optimiser steps of each network.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Fusion: processes that measure.")] = None,
    test_pictures: Annotated[int | None, typer.Option(min=20, help="Judge at most so many test pictures.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    recipes: Annotated[
        bool, typer.Option("--recipes", callback=_list_recipes, is_eager=True, help="List the recipes and exit.")
    ] = False,
) -> None:
    """Audit labelled pictures, train a recipe on them, evaluate it on the split `test` and write a bundle.

    A set whose classes can be told apart without looking at the pictures is refused: such a figure would be worthless.
    """
    from dataclasses import replace  # noqa: PLC0415 - training libraries are not for --help

    from aiforensics.lab.dataset import load_dataset  # noqa: PLC0415
    from aiforensics.lab.fusion import FusionConfig, train_fusion  # noqa: PLC0415
    from aiforensics.lab.recipes import RecipeError  # noqa: PLC0415
    from aiforensics.lab.recipes import recipe as find  # noqa: PLC0415
    from aiforensics.lab.training import Job, make_bundle  # noqa: PLC0415
    from aiforensics.lab.views import random_view  # noqa: PLC0415

    chosen = find(recipe or f"fusion-{head or 'xgboost'}")
    if chosen.head is None:
        raise RecipeError(f"{chosen.name} cannot be trained yet")
    if head is not None and chosen.head != head:
        raise RecipeError(f"--head {head} does not go with --recipe {chosen.name}: leave one out")
    console = messages()

    def report(line: str) -> None:
        console.print(clean(line), soft_wrap=True)

    config = FusionConfig(head=chosen.head, seed=seed)
    config = replace(config, network=replace(config.network, seed=seed, steps=steps or config.network.steps))
    config = replace(config, workers=workers or config.workers)
    job = Job(
        out=out,
        work=work or out.with_name(f"{out.name}.work"),
        data=[path.name for path in data],
        command=_command(),
        force=force,
        test_pictures=test_pictures,
        seed=seed,
    )
    samples = load_dataset(data, seed=seed)
    metrics = make_bundle(
        samples,
        job,
        lambda folder, workshop: train_fusion(
            samples, folder, workshop, config, backbone=backbone, name=name or out.name, report=report
        ),
        random_view,
        report,
    )
    low, high = metrics["intervals"]["roc_auc"]
    results().print(f"{out}: ROC AUC {metrics['roc_auc']:.3f} ({low:.3f} to {high:.3f}) on matched test pictures")
