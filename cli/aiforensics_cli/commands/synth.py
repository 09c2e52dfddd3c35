"""`aiforensics synth`: small generators of pictures, to test detectors on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aiforensics_cli import options
from aiforensics_cli.console import results

if TYPE_CHECKING:
    from aiforensics.lab.data.views import Pixels
    from aiforensics.lab.judge.distance import Distance

app = typer.Typer(no_args_is_help=True, help="Train small generators of pictures, and make pictures with them.")


@app.command()
def train(
    pictures: Annotated[
        Path, typer.Argument(metavar="DIR", parser=options.folder_place, help="A folder of real pictures.")
    ],
    *,
    kind: Annotated[Literal["gan", "vae", "diffusion"], typer.Option(help="DCGAN, convolutional VAE, or DDPM.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The generator's folder; a stopped run goes on there.")],
    side: Annotated[int, typer.Option(metavar="32|64", help="Side of a picture in pixels.")] = 32,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps at most.")] = 5000,
    batch: Annotated[int, typer.Option(min=2, help="Pictures per step.")] = 64,
    minutes: Annotated[
        float, typer.Option(callback=options.finite, min=0.0, help="Minutes at most; 0 for no limit.")
    ] = 0.0,
    look_every: Annotated[int, typer.Option(min=1, help="Steps between sample grids and checkpoints.")] = 500,
    precision: Annotated[Literal["float32", "bfloat16"], typer.Option(help="Numbers of a step.")] = "float32",
    limit: Annotated[int | None, typer.Option(min=16, help="Use at most so many pictures.")] = None,
    seed: Annotated[int, options.seed_option("Of everything random.")] = 0,
) -> None:
    """Train a generator on real pictures; sample grids show how it comes along."""
    from aiforensics.lab.data.alone import alone  # noqa: PLC0415 - the scan's libraries
    from aiforensics.lab.train.synthesis import SynthConfig, draw, find_pictures, train_generator  # noqa: PLC0415 - PyTorch

    config = SynthConfig(kind, side, steps, batch, minutes, look_every, precision, seed)
    chosen = draw(find_pictures(pictures), limit, seed)
    with alone(out):
        history = train_generator(chosen, out, config, options.reporter())
    results().print(f"{out}: {kind}, {history[-1]['step']:.0f} steps", soft_wrap=True)


@app.command()
def sample(
    generator: Annotated[
        Path, typer.Argument(metavar="DIR", parser=options.folder_place, help="A folder that synth train wrote.")
    ],
    *,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A new folder, or one of earlier samples, which are replaced.")
    ],
    count: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 100,
    seed: Annotated[int, options.seed_option("Of the noise; picture i depends on seed and i alone.")] = 0,
    jpeg: Annotated[
        int | None, typer.Option(min=1, max=100, metavar="QUALITY", help="Save as JPEG instead of PNG.")
    ] = None,
    compare_with: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Real pictures to measure the distance from: --count 16 at least; half of each set is compared.",
        ),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME|DIR", help="Bundle whose network measures it.")] = "default",
    kind: Annotated[
        Literal["gan", "vae", "diffusion"] | None, typer.Option(help="Refuse a generator of another kind.")
    ] = None,
) -> None:
    """Make pictures with a trained generator, labelled as a data set."""
    if compare_with is not None:
        _check_count(count)

    from aiforensics.lab.data.views import Codec  # noqa: PLC0415
    from aiforensics.lab.train.synthesis import check_kind, load_squares, sample_to  # noqa: PLC0415 - PyTorch

    check_kind(generator, kind)

    codec = Codec("PNG") if jpeg is None else Codec("JPEG", jpeg)
    real = None if compare_with is None else _real(compare_with, generator, count, seed)
    written = sample_to(generator, out, count, seed=seed, codec=codec, report=options.reporter())
    results().print(f"{out}: {len(written)} pictures and manifest.csv", soft_wrap=True)
    if real is not None:
        from aiforensics.lab.judge.distance import picture_distance  # noqa: PLC0415

        found = picture_distance(load_squares(written, real.shape[1]), real, model)
        results().print(
            f"distance {found.value:.2f} of {found.half} made pictures from {found.half} real ones by the network of "
            f"{found.model} (as many real ones from these: {found.floor:.2f}){_noise(found)}",
            soft_wrap=True,
        )


def _check_count(count: int) -> None:
    """Refuse a count that no distance can be measured with, before anything is loaded."""
    from aiforensics.lab.judge.distance import LEAST  # noqa: PLC0415 - not for --help

    if count < LEAST:
        raise typer.BadParameter(f"--compare-with takes a --count of at least {LEAST}", param_hint="--count")


def _noise(found: Distance) -> str:
    """What follows where a distance rests on too few pictures."""
    if not found.noisy:
        return ""
    takes = f"the covariance of {found.dimension} numbers, which takes --count {2 * found.dimension + 2}"
    return f"; noise unless it is far above that in brackets: too few pictures for {takes} and as many real ones"


def _real(folder: Path, generator: Path, count: int, seed: int) -> Pixels:
    """Read the real pictures of a distance, before any picture is made."""
    from aiforensics.lab.train import synthesis  # noqa: PLC0415

    _, manifest = synthesis.load_generator(generator)
    pictures = synthesis.draw(synthesis.find_pictures(folder), count, seed)
    return synthesis.load_squares(pictures, manifest["settings"]["side"])
