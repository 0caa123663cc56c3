"""The files that a run leaves behind of what became of its graph: a trace, Dask's performance report, and logs."""

from __future__ import annotations

import gzip
import shutil
from contextlib import suppress
from pathlib import Path

from daskjob.results.kept_report import LOGS, PERFORMANCE, RUNNER_LOG, SCHEDULER_LOG, TRACE, worker_log
from daskjob.runner.log_copy import read_copy
from daskjob.runner.recording import EVENTS
from daskjob.runner.trace import write_trace

#: In a recording: what the runner printed, and the end of the names of files with what Dask's processes printed.
RUNNER_OUTPUT, OUTPUT_ENDING = "runner.log", ".output"


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
    (folder / LOGS).mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        (folder / RUNNER_LOG).write_bytes(read_copy(str(recording / RUNNER_OUTPUT)))
    for each in sorted(recording.glob(f"*{OUTPUT_ENDING}")):
        shutil.copyfile(each, folder / (SCHEDULER_LOG if each.stem == "scheduler" else worker_log(each.stem)))
    lines.append(f"logs: {folder / LOGS}")
    return lines
