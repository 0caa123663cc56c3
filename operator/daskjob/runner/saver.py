"""`python3 runner.pyz --save ORDERS`: keeps what became of an attempt, after the process that ran the graph has ended.

A process of its own, which the supervisor starts and ends: it imports Dask and drivers of stores, and may hang. It
first asks the scheduler, if that is still there, for what only the scheduler and the workers know; then it writes all
into a folder of the attempt's own in the store, `report.json` last. Without a store it only ends the recording.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import sys
import time
from typing import Any, Awaitable, Callable, Optional

from daskjob import wire
from daskjob.results.kept_report import (
    FOLDER,
    MANIFEST,
    METRICS,
    PERFORMANCE,
    RUNNER_LOG,
    SCHEDULER_LOG,
    TRACE,
    worker_log,
)
from daskjob.results.opened_store import Store, StoreProblem, open_store
from daskjob.runner import surroundings
from daskjob.runner.log_copy import read_copy
from daskjob.runner.recording import EVENTS, RecordingEnd
from daskjob.runner.saving import ANSWER
from daskjob.wire import jobfile
from daskjob.wire.jobfile import JobFile, ReportOrders

#: Seconds for one question to the scheduler, which may have to ask each worker or draw a long picture.
QUESTION = 15.0
#: Seconds before each further attempt of a write that failed because the store was not there.
PAUSES = (0.5, 2.0, 5.0)
#: Logs of more workers are left out.
MOST_WORKERS = 200


def run(path: str) -> int:
    """Does what the file of orders says: `{folder, log, seconds, end, status}`. `folder`: of the recording; `log`: the
    copy of the runner's log, or null; `seconds`: how long it may ask the scheduler; `end`: how the attempt ended;
    `status`: what the supervisor has reported."""
    with open(path, encoding="utf-8") as file:
        orders = json.load(file)
    job = jobfile.read()
    from daskjob.runner.load import add_packages

    add_packages()
    folder = str(orders["folder"])
    saver = _Saver(job, folder, job.report_orders)
    if os.path.exists(os.path.join(folder, EVENTS)) or job.report_orders is not None:
        saver.ask(float(orders["seconds"]))
    answer = saver.save(orders) if job.report_orders is not None else {}
    for note in saver.notes if job.report_orders is None else ():
        print(f"daskjob: {note}", file=sys.stderr, flush=True)
    new = os.path.join(folder, f"{ANSWER}.new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.replace(new, os.path.join(folder, ANSWER))
    # Threads of drivers and of Dask hold up nobody.
    sys.stderr.flush()
    os._exit(0)


class _Saver:
    """`orders`: what is wanted; None: the end of the recording alone."""

    def __init__(self, job: JobFile, folder: str, orders: Optional[ReportOrders]) -> None:
        self._job = job
        self._folder = folder
        self._orders = orders
        self._metrics: dict[str, Any] = {}
        self._logs: dict[str, bytes] = {}
        #: What is missing, and why.
        self.notes: list[str] = []

    def ask(self, seconds: float) -> None:
        """Asks the scheduler for all that only it has, for at most so long."""
        try:
            # The import takes long on a busy node, and is none of the scheduler's time.
            from daskjob.runner.last_words import LastWords

            words = LastWords(self._job.scheduler, min(QUESTION, seconds))
            asyncio.run(asyncio.wait_for(self._ask(words), seconds))
        except asyncio.TimeoutError:
            self.notes.append(f"the scheduler did not answer all within {seconds:g} s")
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            self.notes.append(f"nothing was asked of the scheduler in the end: {cause}"[:300])

    async def _ask(self, words: Any) -> None:
        try:
            await self._take_all(words)
        finally:
            await words.close()

    async def _take_all(self, words: Any) -> None:
        if not await words.connect():
            self.notes.append("the scheduler was gone: what only it and the workers knew is missing")
            return
        if self._orders is None or self._orders.logs:
            await self._try("no logs of scheduler and workers", self._take_logs(words))
        if self._orders is not None:
            await self._try("no metrics of the workers", self._take_metrics(words))
        recording = RecordingEnd(self._folder)
        if recording.began:
            await recording.fetch(words.ask)
            if self._orders is None or self._orders.html:
                await recording.draw(words.rpc)
            self.notes += recording.notes

    async def _try(self, what: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            self.notes.append(f"{what}: {type(error).__name__}: {error}"[:300])

    async def _take_logs(self, words: Any) -> None:
        if self._orders is None:
            return
        self._logs[SCHEDULER_LOG] = await words.scheduler_log()
        for name, text in (await words.worker_logs(MOST_WORKERS, self.notes)).items():
            self._logs[worker_log(name)] = text

    async def _take_metrics(self, words: Any) -> None:
        self._metrics = await words.metrics()

    def save(self, orders: dict[str, Any]) -> dict[str, str]:
        """Writes all into the store. Returns `{location}`, or `{reason, message}` if that cannot be done."""
        assert self._orders is not None
        store = self._orders.store
        try:
            _take_credentials()
            place = open_store(store.url, store.options).below(*self._job.folder, FOLDER)
            files = [self._write(place, name, data) for name, data in self._files(orders)]
            manifest = {
                "version": 1,
                "job": self._job.identity,
                "written": wire.timestamp(time.time()),
                "end": orders["end"],
                "missing": self.notes,
                "files": files,
            }
            self._write(place, MANIFEST, json.dumps(manifest, indent=1).encode())
        except StoreProblem as problem:
            words = problem.message.replace("result.store", "report.store")
            lacks = "; that Secret does not exist, or is empty" if _lacks_credentials() else ""
            return {"reason": problem.reason, "message": words + lacks}
        message = "; ".join(self.notes)
        return {"location": place.url, **({"message": message} if message else {})}

    def _files(self, orders: dict[str, Any]) -> list[tuple[str, bytes]]:
        """The files, the most telling first."""
        assert self._orders is not None
        found: list[tuple[str, Callable[[], bytes]]] = []
        if self._orders.logs and orders.get("log"):
            found.append((RUNNER_LOG, lambda: read_copy(str(orders["log"]))))
        if self._orders.trace:
            found.append((TRACE, self._trace))
        found += [(name, lambda data=data: data) for name, data in self._logs.items()]  # type: ignore[misc]
        if self._orders.html and os.path.exists(os.path.join(self._folder, PERFORMANCE)):
            found.append((PERFORMANCE, self._page))
        status = {name: orders["status"].get(name) for name in ("progress", "workers", "timings")}
        found.append((METRICS, lambda: json.dumps({**status, **self._metrics}, indent=1).encode()))
        files = []
        for name, content in found:
            try:
                files.append((name, content()))
            except (OSError, ValueError) as error:
                self.notes.append(f"no {name}: {type(error).__name__}: {error}"[:300])
        return files

    def _trace(self) -> bytes:
        from daskjob.runner.trace import write_trace

        events, target = os.path.join(self._folder, EVENTS), os.path.join(self._folder, TRACE)
        if not RecordingEnd(self._folder).began:
            raise ValueError("the runner had recorded nothing of the graph")
        with open(events, encoding="utf-8") as source, gzip.open(target, "wt", encoding="utf-8") as file:
            counts = write_trace(source, file)
        kept, finished = counts.get("in the trace", 0), counts.get("finished", 0)
        if kept < finished:
            self.notes.append(f"the trace has {kept} of {finished} tasks")
        with open(target, "rb") as written:
            return written.read()

    def _page(self) -> bytes:
        with open(os.path.join(self._folder, PERFORMANCE), "rb") as file:
            return file.read()

    def _write(self, place: Store, name: str, data: bytes) -> dict[str, Any]:
        place.write(name, data, PAUSES)
        return {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _lacks_credentials() -> bool:
    """Whether the report has a Secret of its own, and nothing is in it."""
    own = os.environ.get(jobfile.REPORT_SECRET_VARIABLE)
    return bool(own) and not (os.path.isdir(str(own)) and os.listdir(str(own)))


def _take_credentials() -> None:
    """Takes the report's own credentials in place of those of the result, which this process has inherited."""
    own = os.environ.get(jobfile.REPORT_SECRET_VARIABLE)
    if not own:
        return
    surroundings.drop_credentials(os.environ.get(surroundings.SECRET_VARIABLE, ""))
    os.environ[surroundings.SECRET_VARIABLE] = own
    surroundings.take_credentials(own)
