"""The files that a run leaves behind of what became of its graph: a trace, and Dask's performance report."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from daskjob.results.kept_report import PERFORMANCE, TRACE
from daskjob.runner.recording import EVENTS
from daskjob.runner.trace import write_trace


def write_report_files(recording: Path, folder: Path) -> list[str]:
    """Writes what is in a recording into `folder`, which it creates, and returns a line about each file.

    Raises OSError if the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    events, page = recording / EVENTS, recording / PERFORMANCE
    if events.exists():
        target = folder / TRACE
        with events.open(encoding="utf-8") as source, gzip.open(target, "wt", encoding="utf-8") as file:
            counts = write_trace(source, file)
        kept, finished = counts.get("in the trace", 0), counts.get("finished", 0)
        lines.append(f"trace: {target} ({kept} of {finished} tasks; open it at https://ui.perfetto.dev)")
    if page.exists():
        target = folder / PERFORMANCE
        shutil.copyfile(page, target)
        lines.append(f"performance report: {target}")
    return lines
