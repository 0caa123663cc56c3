"""Keeps in files what becomes of the graph: the task stream as it goes on, and Dask's report at its end.

What goes wrong here is told, and never fails the job.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Awaitable, Callable

from daskjob.runner import task_stream
from daskjob.runner.trace import TraceFile

#: The lines of a `TraceFile`, and Dask's performance report.
EVENTS, PERFORMANCE = "task-events.jsonl", "performance-report.html"
#: Of one look at the scheduler, at most so many requests for rows: user code's tasks come first.
REQUESTS = 20
#: The most bytes of Dask's report.
LARGEST = 64 * 2**20

#: Runs a function of `task_stream` on the scheduler, and returns its text.
Ask = Callable[[Callable[[Any], str]], Awaitable[str]]


class Recording:
    """Of one attempt. All methods run in the event loop of the runner's own connection. `functions`: what they ask the
    scheduler to run; `patience`: seconds that the end may take."""

    functions = (task_stream.collect, task_stream.fetch)
    patience = 30.0

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._file = open(os.path.join(folder, EVENTS), "w", encoding="utf-8")  # noqa: SIM115
        self._trace = TraceFile(self._file)
        self._began = 0.0

    async def begin(self, ask: Ask, scheduler: Any) -> None:
        """Has the scheduler keep its task stream. `scheduler`: Dask's RPC."""
        try:
            await ask(task_stream.collect)
            # The report of the scheduler is drawn from its own task stream, which begins with the first question.
            await scheduler.get_task_stream(start=0, stop=0)
            self._began = time.time()
        except Exception as error:
            _tell("nothing of the graph can be recorded", error)

    async def follow(self, ask: Ask) -> None:
        """Fetches what the scheduler has kept since the last time. Raises as the request does."""
        for _ in range(REQUESTS if self._began else 0):
            if not await self._fetch(ask):
                return

    async def _fetch(self, ask: Ask) -> int:
        """Fetches rows. Returns how many the scheduler still has."""
        answer = json.loads(await ask(task_stream.fetch))
        self._trace.add(answer["rows"], answer["finished"], answer["names"])
        return int(answer["left"])

    async def end(self, ask: Ask, scheduler: Any) -> None:
        """Fetches the rest, and Dask's report."""
        if not self._began:
            return
        try:
            while await self._fetch(ask):
                pass
        except Exception as error:
            _tell("the trace lacks the last tasks", error)
        try:
            page = await scheduler.performance_report(start=self._began, last_count=0, code="", mode="inline")
            if len(page) > LARGEST:
                raise ValueError(f"it has {len(page) >> 20} MiB, and {LARGEST >> 20} are kept")
            self._write(page)
        except ImportError:
            print(
                "daskjob: no performance report: bokeh is not installed where the scheduler runs",
                file=sys.stderr,
                flush=True,
            )
        except Exception as error:
            _tell("no performance report", error)

    def _write(self, page: str) -> None:
        with open(os.path.join(self._folder, PERFORMANCE), "w", encoding="utf-8") as file:
            file.write(page)


def _tell(what: str, error: Exception) -> None:
    print(f"daskjob: {what}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
