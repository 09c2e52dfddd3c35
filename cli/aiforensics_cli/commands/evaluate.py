"""`aiforensics evaluate`: a bundle on labelled pictures, matched conditions first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aiforensics_cli import options
from aiforensics_cli.console import messages
from aiforensics_cli.places import check_places, consulted, spare

app = typer.Typer()
_SEED = "Of windows, folds, intervals, and of the split, where neither DATA nor the bundle's training has drawn one."


@app.command()
def evaluate(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA", parser=options.data_place, help="A folder real/ + ai/, or a manifest CSV."),
    ],
    *,
    model: options.ModelOption = "default",
    device: options.ScanDeviceOption = "auto",
    split: Annotated[
        Literal["train", "val", "test", "all"] | None,
        typer.Option(help="Pictures to judge; default: test where DATA or the bundle's training has splits, else all."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="Judge at most N, evenly over sources.")] = None,
    side: Annotated[
        int | None, typer.Option(min=64, help="Cut pictures of both classes to so many pixels, at most; default 248.")
    ] = None,
    robustness: Annotated[bool, typer.Option("--robustness", help="Add the sweep over codecs, sizes, noise.")] = False,
    leave_one_source_out: Annotated[
        bool, typer.Option("--leave-one-source-out", help="Train the recipe again without whole sources (hours).")
    ] = False,
    folds: Annotated[int | None, typer.Option(min=2, help="Leave AI sources out in N parts; default: each.")] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="First weights for that training, where the bundle had a file.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Checkpoints of that training; default: the folder leave-one-source-out.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that judge; default: one per processor.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write metrics.json; - is standard output.")] = None,
    report: options.PageOption = None,
    seed: Annotated[int, options.seed_option(_SEED)] = 0,
) -> None:
    """Measure a model bundle on labelled pictures: every figure with its interval, per condition and per source.

    A picture that cannot be judged is told and left out; the status is then 2, and the results are written.
    """
    from aiforensics_cli.measuring import bar, show_evaluation, tell_refused, write_json  # noqa: PLC0415 - as for a scan

    for name, given in (("--folds", folds), ("--weights", weights), ("--work", work)):
        if given is not None and not leave_one_source_out:
            raise typer.BadParameter("only --leave-one-source-out trains again: give that as well", param_hint=name)
    spare([report, json], [*data, *(place / "manifest.csv" for place in data), *consulted(model, weights)])
    work = work or Path("leave-one-source-out")
    check_places([report, json], [work if leave_one_source_out else None])
    from aiforensics.lab.evaluating import Plan, run_evaluation  # noqa: PLC0415 - the scan's libraries take a second
    from aiforensics.lab.pages.words import known  # noqa: PLC0415 - not for --help

    plan = Plan(
        data=tuple(data),
        model=model,
        device=device,
        split=split,
        limit=limit,
        side=side,
        robustness=robustness,
        leave_one_source_out=leave_one_source_out,
        folds=folds,
        weights=weights,
        work=work,
        seed=seed,
        workers=workers,
    )
    told = options.reporter()

    def write(content: dict[str, Any], place: Path | None) -> None:
        _state_overlap(content)
        if report:
            from aiforensics.lab.pages.evaluation import evaluation_page  # noqa: PLC0415 - only for a page

            evaluation_page(content, report, title=f"Evaluation of {model} on {', '.join(map(str, data))}")
        if place:
            write_json(content, place)

    def keep(content: dict[str, Any]) -> None:
        place = work / "metrics.json" if json is None or str(json) == "-" else json
        place.parent.mkdir(parents=True, exist_ok=True)
        write(content, place)
        told(f"what was judged stands in {place}; now to what is trained with sources left out")

    content = run_evaluation(plan, bar, told, keep)
    write(content, json)
    if line := known(content):
        messages().print(f"warning: {line}", soft_wrap=True)
    if str(json) != "-":
        show_evaluation(content)
    raise typer.Exit(tell_refused(content["refused"]))


def _state_overlap(content: dict[str, Any]) -> None:
    """State how many of the judged pictures the bundle had learned from, for the page."""
    seen, judged = content["seen_in_training"], content["pictures"]["judged"]
    unknown = "not known: the bundle does not state what it learned from"
    content["settings"]["seen in training"] = unknown if seen is None else f"{seen} of {judged} pictures"
