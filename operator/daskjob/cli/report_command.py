"""`daskjob report`: what is kept of a job's attempts (`spec.report`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from daskjob.cli.cluster_options import NAME, STORAGE_OPTIONS, cluster, connect
from daskjob.cli.output import tell
from daskjob.client.credentials import Target


@click.command()
@NAME
@cluster
@click.option("--attempt", type=click.IntRange(min=1), help="Of that attempt; by default the last.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="Copy the files into this folder. Needs fsspec, its driver, and credentials.",
)
@STORAGE_OPTIONS
def report(
    target: Target, name: str, attempt: int | None, folder: Path | None, storage_options: dict[str, Any]
) -> None:
    """Say where logs, trace and performance report of a job's attempt are, or copy them.

    A job has them if its manifest has spec.report. The trace is for ui.perfetto.dev; the page is one that the job's
    pods have written: open it as you would run the job's code.
    """
    from daskjob.client.saved_reports import SavedReport, location_of

    job = connect(target).get(name)
    if folder is None:
        tell(location_of(job, attempt))
        return
    saved = SavedReport(job, attempt, storage_options)
    size = saved.copy(folder)
    for path in saved.files:
        tell(f"{folder / path}")
    tell(f"{len(saved.files)} files, {size} bytes, from {saved.location}", err=True)
