"""Keeps in files what becomes of the graph: the task stream as it goes on, and Dask's report at its end.

The process that runs the graph begins it. Another one ends it (`saver`), after the first has ended, however it did.
What goes wrong here is told, and never fails the job.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import Any, Awaitable, Callable, TextIO

from daskjob.results.kept_report import PERFORMANCE
from daskjob.runner import task_stream
from daskjob.runner.trace import TraceFile

#: The lines of a `TraceFile`, and when the recording began: seconds since 1970.
EVENTS, BEGAN = "task-events.jsonl", "began"
#: Of one look at the scheduler, at most so many requests for rows: user code's tasks come first.
REQUESTS = 20
#: The most bytes of Dask's report.
LARGEST = 64 * 2**20
#: A page that is kept asks nobody for anything, and Dask's has its icon on a server.
_ICON = re.compile(r"""<link[^>]*rel=["'](?:shortcut )?icon["'][^>]*>""")

#: Runs a function of `task_stream` on the scheduler, with keywords, and returns its text.
Ask = Callable[..., Awaitable[str]]


class Recording:
    """Of one attempt, by the process that runs the graph. All methods run in the event loop of the runner's own
    connection. `functions`: what they ask the scheduler to run."""

    functions = (task_stream.collect, task_stream.fetch)

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._folder = folder
        self._file = open(os.path.join(folder, EVENTS), "w", encoding="utf-8")  # noqa: SIM115
        self._trace = TraceFile(self._file)
        self._began = False
        self._follows = False

    async def begin(self, ask: Ask, scheduler: Any) -> None:
        """Has the scheduler keep its task stream. `scheduler`: Dask's RPC."""
        try:
            await ask(task_stream.collect)
            # The report of the scheduler is drawn from its own task stream, which begins with the first question.
            await scheduler.get_task_stream(start=0, stop=0)
            _write(os.path.join(self._folder, BEGAN), repr(time.time()))
            self._began = True
        except Exception as error:
            print(
                f"daskjob: nothing of the graph can be recorded: {type(error).__name__}: {error}",
                file=sys.stderr,
                flush=True,
            )

    async def follow(self, ask: Ask) -> None:
        """Fetches what the scheduler has kept since the last time. Raises as the request does. While somebody else is
        at it, nothing more is to be done: the scheduler would give the same tasks to both."""
        if self._follows or not self._began:
            return
        self._follows = True
        try:
            for _ in range(REQUESTS):
                if not await _fetch(ask, self._trace):
                    return
        finally:
            self._follows = False


class RecordingEnd:
    """The end of a recording, by a process of its own. `notes`: what is missing of it, and why."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.notes: list[str] = []
        try:
            with open(os.path.join(folder, BEGAN), encoding="ascii") as file:
                self.began = float(file.read())
        except (OSError, ValueError):
            self.began = 0.0

    async def fetch(self, ask: Ask) -> None:
        """Fetches the rows that are left."""
        try:
            with self._events() as file:
                trace = TraceFile.resume(file)
                while await _fetch(ask, trace):
                    pass
        except Exception as error:
            self._note("the trace lacks the last tasks", error)

    async def draw(self, scheduler: Any) -> None:
        """Has the scheduler draw Dask's performance report."""
        try:
            page = await scheduler.performance_report(start=self.began, last_count=0, code="", mode="inline")
            if len(page) > LARGEST:
                raise ValueError(f"it has {len(page) >> 20} MiB, and {LARGEST >> 20} are kept")
            _write(os.path.join(self._folder, PERFORMANCE), _ICON.sub("", page))
        except ImportError:
            self.notes.append("no performance report: bokeh is not installed where the scheduler runs")
        except Exception as error:
            self._note("no performance report", error)

    def _events(self) -> TextIO:
        return open(os.path.join(self._folder, EVENTS), "r+", encoding="utf-8")

    def _note(self, what: str, error: Exception) -> None:
        self.notes.append(f"{what}: {type(error).__name__}: {error}"[:300])


async def _fetch(ask: Ask, trace: TraceFile) -> int:
    """Fetches rows. Returns how many the scheduler still has."""
    answer = json.loads(await ask(task_stream.fetch, have=trace.tasks))
    trace.add(answer["rows"], answer["finished"], answer["names"])
    return int(answer["left"])


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
