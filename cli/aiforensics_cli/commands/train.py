"""`aiforensics train`: labelled pictures in, a model bundle out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aiforensics_cli import options
from aiforensics_cli.console import messages, results
from aiforensics_cli.places import check_name, named, of_bundle

app = typer.Typer()
_data, _training, _fusion, _output = (
    partial(typer.Option, rich_help_panel=panel) for panel in ("Data", "Training", "Fusion", "Output")
)


class Augmentation(StrEnum):
    """What `--augment` can do."""

    FLIP = "flip"
    FLIPS = "flips"
    SHIFT = "shift"
    DELIVERY = "delivery"


AUGMENTATIONS = "|".join(Augmentation)


def command_line() -> str:
    """The command line for the card; absolute paths by their last part, which is all that another machine needs."""
    words = (Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])
    return shlex.join(["aiforensics", *words])


def _list_recipes(wanted: bool) -> None:
    if not wanted:
        return
    from rich.table import Table  # noqa: PLC0415 - only here

    from aiforensics.lab.train.recipes import RECIPES  # noqa: PLC0415

    table = Table("recipe", "what it is", "reported", box=None, pad_edge=False)
    for one in RECIPES:
        table.add_row(one.name, one.what, one.reported)
    results().print(table)
    raise typer.Exit


@app.command()
def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            parser=options.data_place,
            help="Folders real/ + ai/, or manifest CSVs; joined into one set.",
        ),
    ],
    *,
    augment: Annotated[
        list[Augmentation] | None,
        _data(metavar=AUGMENTATIONS, help="Instead of the recipe's; may be repeated. delivery: re-compress."),
    ] = None,
    split: Annotated[str, options.split_option("Data")] = "70/15/15",
    test_pictures: Annotated[int | None, _data(min=20, help="Judge at most so many test pictures.")] = None,
    force: Annotated[bool, _data("--force", help="Train although the audit refuses the data.")] = False,
    recipe: Annotated[str | None, _training(metavar="NAME", help="Recipe; --recipes lists them.")] = None,
    rate: Annotated[float | None, _training(callback=options.finite, help="Learning rate.")] = None,
    batch: Annotated[int | None, _training(min=2, help="Pictures per step.")] = None,
    epochs: Annotated[int | None, _training(min=1, help="Passes over the training pictures at most.")] = None,
    patience: Annotated[int | None, _training(min=1, help="Passes without a lower loss on val.")] = None,
    minutes: Annotated[
        float | None, _training(callback=options.finite, min=0.01, help="Minutes of training at most.")
    ] = None,
    side: Annotated[int | None, _training(min=16, help="Side in pixels that the network sees.")] = None,
    weight_decay: Annotated[
        float | None, _training(callback=options.finite, min=0.0, help="Weight decay of Adam.")
    ] = None,
    schedule: Annotated[
        Literal["constant", "one-cycle"] | None, _training(help="How the learning rate runs over --epochs.")
    ] = None,
    precision: Annotated[
        Literal["float32", "bfloat16"] | None, _training(help="Numbers of a training step; judging is float32.")
    ] = None,
    filters: Annotated[int | None, _training(min=1, max=64, help="scratch-cnn-numpy: filters.")] = None,
    weights: Annotated[
        str | None, _training(metavar="imagenet|none|FILE", help="First weights; imagenet is downloaded.")
    ] = None,
    search: Annotated[
        int, _training(min=0, metavar="TRIALS", help="Search learning rate and batch size first, by Optuna.")
    ] = 0,
    device: Annotated[options.Device, options.device_option("Training")] = "auto",
    seed: Annotated[int, options.seed_option("Of everything random.", "Training")] = 0,
    head: Annotated[Literal["xgboost", "deep"] | None, _fusion(help="Head; short for --recipe fusion-HEAD.")] = None,
    extend: Annotated[
        str | None,
        _fusion(metavar="BUNDLE", help="Go on from this fusion; DATA is what it was trained on and new sources."),
    ] = None,
    refit: Annotated[
        bool,
        _fusion("--refit", help="With --extend: fit heads and thresholds anew, from several hundred new sources on."),
    ] = False,
    network: Annotated[
        str | None, _fusion(metavar="NAME", help="tracenet, tracenet-gram, or one of torchvision's (resnet18).")
    ] = None,
    steps: Annotated[int | None, _fusion(min=1, help="Optimiser steps of each network.")] = None,
    workers: Annotated[int | None, _fusion(min=1, help="Processes that train the networks, and that measure.")] = None,
    emphasis: Annotated[
        float | None,
        _fusion(
            callback=options.finite,
            min=1,
            metavar="N",
            help="Fit as if the sources of the first DATA stood there N times.",
        ),
    ] = None,
    compiled: Annotated[
        bool, _fusion("--compile", help="Compile the networks, for faster steps; needs a C++ compiler.")
    ] = False,
    out: Annotated[Path, _output(metavar="BUNDLE", help="The bundle's folder.")],
    name: Annotated[str | None, _output(metavar="TEXT", help="The bundle's name; default the folder's.")] = None,
    work: Annotated[
        Path | None, _output(metavar="DIR", help="Checkpoints, plots, audit; default BUNDLE.work. Resumed from.")
    ] = None,
    recipes: Annotated[
        bool, typer.Option("--recipes", callback=_list_recipes, is_eager=True, help="List the recipes and exit.")
    ] = False,
) -> None:
    """Audit labelled pictures, train a recipe on them, evaluate it on the split `test` and write a bundle.

    Without options a recipe trains with the hyper-parameters that its
    authors reported.

    What tells the classes apart in the files as they are (size, format,
    quality, metadata, names) is told. A leak into what the network will
    see, or duplicates across the splits, ends it unless --force is given:
    such a figure would be worthless.
    """
    from aiforensics.lab.train.recipes import check_knobs, choose, settings  # noqa: PLC0415 - the lab is not for --help

    check_name(name)
    chosen = choose(recipe, head)
    knobs = {
        "rate": rate,
        "batch": batch,
        "epochs": epochs,
        "patience": patience,
        "minutes": minutes,
        "side": side,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "precision": precision,
        "filters": filters,
        "augment": tuple(one.value for one in augment) if augment else None,
    }
    fusion = {
        "network": network,
        "extend": extend,
        "refit": refit,
        "steps": steps,
        "workers": workers,
        "emphasis": emphasis,
        "compile": compiled,
    }
    check_knobs(chosen, {**knobs, "search": search}, fusion, weights)
    classifier = settings(chosen, **knobs, weights=weights, seed=seed) if chosen.head is None else None

    from aiforensics.lab.data.dataset import load_dataset, sources_of  # noqa: PLC0415
    from aiforensics.lab.data.splits import parse_shares  # noqa: PLC0415
    from aiforensics.lab.growing import load_grown  # noqa: PLC0415
    from aiforensics.lab.making import Job, make_bundle  # noqa: PLC0415
    from aiforensics.lab.systems import System, fusion_config  # noqa: PLC0415 - PyTorch
    from aiforensics_models.bundle import Bundle  # noqa: PLC0415

    report = options.reporter()
    weighed = dict.fromkeys(sources_of(data[0]), emphasis) if emphasis else {}
    config = classifier or fusion_config(
        chosen, network=network, extends=extend, steps=steps, workers=workers, emphasis=weighed, seed=seed
    )
    system = System(chosen, config, weights or "none", extend, refit, search, device, compiled)
    system.check()
    bundle, folder = of_bundle(out, work)
    if extend is None:
        cut, samples = seed, load_dataset(data, seed=seed, shares=parse_shares(split), report=report)
    else:
        samples, cut, split = load_grown(data, Bundle.load(extend), seed=seed, split=split, report=report)
    job = Job(bundle, folder, named(data), command_line(), force, test_pictures, seed, split, cut)
    metrics = make_bundle(samples, job, system.trainer(samples, name or bundle.name, report), system.view, report)
    _show(out, metrics)


def _show(out: Path, metrics: Mapping[str, Any]) -> None:
    low, high = metrics["intervals"]["roc_auc"]
    reach = "no interval: too few pictures, or one score for all" if low is None else f"{low:.3f} to {high:.3f}"
    found = metrics["as_found"]
    results().print(
        f"{out}: matched ROC AUC {metrics['roc_auc']:.3f} ({reach}), "
        f"accuracy {metrics['accuracy']:.3f}; as found {found['roc_auc']:.3f}, {found['accuracy']:.3f}",
        soft_wrap=True,
    )
    if (metrics["roc_auc"] if low is None else low) <= 0.5:
        line = "the matched ROC AUC is not shown to be better than chance (0.5): do not rely on this bundle"
        messages().print(f"warning: {line}", soft_wrap=True)
