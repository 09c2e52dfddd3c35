"""`aiforensics audit`: shortcuts, duplicates and balance of a data set, before anyone trains on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiforensics_cli import options
from aiforensics_cli.places import check_places, spare

app = typer.Typer()


@app.command()
def audit(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA", parser=options.data_place, help="A folder real/ + ai/, or a manifest CSV."),
    ],
    *,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JSON; - is standard output.")] = None,
    report: options.PageOption = None,
    seed: Annotated[int, options.seed_option("Of splits, folds and views.")] = 0,
) -> None:
    """Find shortcuts in a data set: whether size, format, quality, metadata or name alone tell the classes apart.

    The files are audited as they are, and once more as windows after the training view, where no cue should be left.

    A picture that cannot be read is told; the status is then 2, and the results are written.
    """
    from aiforensics.lab.audit.auditing import audit as audit_files  # noqa: PLC0415 - the lab's libraries are not for --help
    from aiforensics.lab.audit.auditing import audit_prepared  # noqa: PLC0415
    from aiforensics.lab.data.dataset import load_dataset  # noqa: PLC0415
    from aiforensics.lab.data.views import training_view  # noqa: PLC0415
    from aiforensics.lab.pages.audit import audit_page  # noqa: PLC0415
    from aiforensics_cli.measuring import bar, show_audit, tell_refused, write_json  # noqa: PLC0415

    spare([report, json], [*data, *(place / "manifest.csv" for place in data)])
    check_places([report, json])
    with bar("grouping pictures") as progress:
        samples = load_dataset(
            data, seed=seed, need=(), keep_broken=True, keep_shared=True, progress=progress, report=options.reporter()
        )
    with bar("reading files") as progress:
        files = audit_files(samples, seed=seed, progress=progress).to_dict()
    with bar("delivering windows") as progress:
        windows = audit_prepared(samples, training_view, seed=seed, progress=progress).to_dict()
    if report:
        parts = [("The files as they are", files), ("Windows after the training view", windows)]
        audit_page(parts, report, title=f"Audit of {', '.join(map(str, data))}")
    if json:
        write_json({**files, "prepared": windows}, json)
    if str(json) != "-":
        show_audit("The files as they are", files)
        show_audit("Windows after the training view", windows)
    raise typer.Exit(tell_refused(files["broken"]))
