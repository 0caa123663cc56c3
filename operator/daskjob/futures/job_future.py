"""The future of one job: a real one of `concurrent.futures`, which can also be awaited."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from daskjob.api.constants import RERUN_ANNOTATION
from daskjob.api.live_status import Progress
from daskjob.api.resource_json import from_dict
from daskjob.client.job_end import End, end_of, status_of
from daskjob.client.pod_log import LogLine
from daskjob.client.problems import JobDeleted, WrongState
from daskjob.futures.event_loops import Bell, elsewhere
from daskjob.futures.future_errors import JobCancelled, ResultGone, UntrustedResult
from daskjob.futures.job_backend import Body, JobBackend
from daskjob.futures.outcomes import exception_of, value_of
from daskjob.futures.stored_outcome import StoredOutcome
from daskjob.results.store import PICKLE

T = TypeVar("T")


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment. `phase`: as `kubectl get` shows it; `reason`, `message`: why it waits or failed;
    `queue_position`: its place among the jobs of its namespace that wait for their turn, None: it is not among them;
    `attempt`: the last one's number; `body`: the whole resource."""

    name: str
    namespace: str
    uid: str
    phase: str
    reason: str
    message: str
    queue_position: int | None
    attempt: int
    progress: Progress
    body: Body = field(repr=False)


@dataclass(frozen=True)
class ResultRef:
    """Where the result of a job is, without the result. `url`: of the folder in the store, empty: it is in the job's
    status; `format`: json, parquet, zarr or pickle; `type`: the Python type; `size`: bytes; `sha256`: of the value, or
    in a store of the manifest, in hexadecimal; `preview`: the first rows of a table, `{shape, chunks, dtype}` of an
    array, a short JSON value itself; None: there is none."""

    url: str
    format: str
    type: str
    size: int
    sha256: str
    preview: Any


def read_status(job: Body) -> JobStatus:
    """The status of a job as the API server has it."""
    metadata, status = job["metadata"], status_of(job)
    failure = status.get("failure") or {}
    waits: Mapping[str, Any] = next(
        (each for each in status.get("conditions") or () if each.get("status") == "False" and each.get("message")), {}
    )
    shown = failure or (waits if end_of(job) is None else {})
    return JobStatus(
        name=str(metadata["name"]),
        namespace=str(metadata.get("namespace") or ""),
        uid=str(metadata["uid"]),
        phase=str(status.get("phase") or "Pending"),
        reason=str(shown.get("reason") or ""),
        message=str(shown.get("message") or ""),
        queue_position=status.get("queuePosition"),
        attempt=int(status.get("attempt") or 0),
        progress=from_dict(Progress, status.get("progress")),
        body=job,
    )


class JobFuture(concurrent.futures.Future[T], Generic[T]):
    """The future of one job. Attributes: `name`, `namespace`, `uid`.

    `result(timeout)` raises TimeoutError, and the job goes on. `cancel()` asks for the end also of a job that runs;
    `cancelled()` is true when the job says so. Awaiting it, and giving that up, leaves the job alone.
    """

    def __init__(self, backend: JobBackend, job: Body, *, trusted: bool = False) -> None:
        super().__init__()
        self._backend = backend
        self._job = job
        self._trusted = trusted
        self._cancelled: JobCancelled | None = None
        self._ending = threading.Lock()
        self._ends = False
        self._left_by_fork = False
        metadata = job["metadata"]
        #: The run that was asked for: older states of the job do not count.
        self._rerun = _rerun_of(job)
        self.name, self.uid = str(metadata["name"]), str(metadata["uid"])
        self.namespace = str(metadata.get("namespace") or backend.namespace)

    def __repr__(self) -> str:
        return f"<JobFuture {self.namespace}/{self.name} {self.status().phase}>"

    def __reduce__(self) -> Any:
        raise TypeError(
            f"the future of {self._title} stays in this process: give its result(), or its name, for attach"
        )

    @property
    def _title(self) -> str:
        return f"job {self.namespace}/{self.name}"

    def status(self) -> JobStatus:
        """The job as it was last heard of."""
        return read_status(self._job)

    @property
    def progress(self) -> Progress:
        """Counts of the job's tasks."""
        return self.status().progress

    @property
    def attempts(self) -> tuple[Mapping[str, Any], ...]:
        """The attempts, as the job's status has them."""
        return tuple(status_of(self._job).get("attempts") or ())

    def done(self) -> bool:
        """Whether the job has ended."""
        self._resume()
        return super().done()

    def running(self) -> bool:
        """Whether an attempt of the job has begun and the job has not ended."""
        return not self.done() and bool(status_of(self._job).get("attempt"))

    def cancel(self) -> bool:
        """Asks for the job's end. False if it has ended otherwise, or was deleted."""
        if self.done():
            return self.cancelled()
        try:
            self._backend.cancel(self._job)
        except (WrongState, JobDeleted):
            return False
        return True

    def result(self, timeout: float | None = None) -> T:
        """What the job gave; of a result in a store, it is read with the first call. Raises what its code raised,
        JobFailed, JobCancelled, JobDeleted, ResultGone, UntrustedResult, or TimeoutError after so many seconds."""
        try:
            return self.value(timeout)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"the job goes on: attach({self.name!r}) finds it again, .cancel() ends it")
            raise

    def value(self, timeout: float | None = None) -> T:
        """As `result`, for who cancels the job if the waiting is interrupted."""
        deadline = None if timeout is None else time.monotonic() + timeout
        found: Any = self._ended(timeout)
        if isinstance(found, StoredOutcome):
            found = found.value(None if deadline is None else max(0.0, deadline - time.monotonic()))
        value: T = found
        return value

    def result_ref(self, timeout: float | None = None) -> ResultRef:
        """Where the result is and what it looks like, when the job has ended: nothing is loaded. Raises as `result`
        does for a job that failed, and TimeoutError."""
        with contextlib.suppress(ResultGone, UntrustedResult):
            self._ended(timeout)
        record = status_of(self._job).get("result") or {}
        pickled = (record.get("types") or {}).get("") == PICKLE
        return ResultRef(
            url=str(record.get("location") or ""),
            format=str(record.get("format") or (PICKLE if pickled else "json")),
            type=str(record.get("type") or ""),
            size=int(record.get("size") or 0),
            sha256=str(record.get("sha256") or ""),
            preview=json.loads(record["preview"]) if record.get("preview") else None,
        )

    def _ended(self, timeout: float | None) -> Any:
        with self._with_words(timeout):
            return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What `result` would raise; None if it would not, as far as that is known without reading a store. Raises
        JobCancelled and TimeoutError."""
        with self._with_words(timeout):
            return super().exception(timeout)

    @contextlib.contextmanager
    def _with_words(self, timeout: float | None) -> Iterator[None]:
        """Waiting for the end: what the standard library raises without a word gets its words."""
        self._resume()
        try:
            yield
        except concurrent.futures.CancelledError:
            raise (self._cancelled or JobCancelled(f"{self._title} was cancelled")) from None
        except TimeoutError:
            # Or the job's own code raised it.
            if super().done():
                raise
            now = self.status()
            tasks = f", {now.progress.summary} tasks" if now.progress.total else ""
            waits = f" ({now.reason}: {now.message})" if now.message and now.reason != now.phase else ""
            raise TimeoutError(f"{self._title} has not ended after {timeout:g} s: {now.phase}{tasks}{waits}") from None

    def traceback(self) -> str | None:
        """The traceback of a job that failed, as a text."""
        found = (status_of(self._job).get("failure") or {}).get("traceback")
        return str(found) if found else None

    def logs(
        self,
        *,
        component: str = "runner",
        attempt: int | None = None,
        follow: bool = False,
        since: int | None = None,
    ) -> Iterator[LogLine]:
        """Lines of the log of runner, scheduler or worker. `follow`: from before its first pod exists to the job's end,
        over retries; `attempt`: of one, default the last one's, or with `follow` all; `since`: seconds."""
        return self._backend.logs(self._job, component, attempt, follow, since)

    async def alogs(self, **choice: Any) -> AsyncIterator[LogLine]:
        """As `logs`, without blocking the event loop."""
        lines, end = self.logs(**choice), object()
        while (line := await elsewhere(next, lines, end)) is not end:
            assert isinstance(line, LogLine)
            yield line

    def report(self, folder: str | os.PathLike[str] | None = None, *, attempt: int | None = None) -> str:
        """Where logs, trace and performance report of an attempt are (`spec.report`), default the last; with `folder`,
        its files are copied there, too. Raises ClientError if there is none, or it cannot be had from here."""
        from daskjob.client.saved_reports import SavedReport, location_of

        if folder is not None:
            SavedReport(self._job, attempt).copy(Path(folder))
        return location_of(self._job, attempt)

    def retry(self) -> JobFuture[T]:
        """Asks for another run of the job, which has ended, and returns the future of that. Raises WrongState while it
        runs."""
        again: JobFuture[T] = JobFuture(self._backend, self._backend.retry(self._job), trusted=self._trusted)
        again.start()
        return again

    def suspend(self) -> None:
        """Removes the job's cluster; nothing runs until `resume`."""
        self._backend.suspend(self._job, True)

    def resume(self) -> None:
        """Lets a suspended job go on, with a fresh attempt."""
        self._backend.suspend(self._job, False)

    def delete(self) -> None:
        """Deletes the job. A future that has not ended raises JobDeleted."""
        self._backend.delete(self._job)

    def start(self) -> None:
        """Begins to follow the job: called once, by what makes the future."""
        self._backend.follow(self._job, self.update)

    def update(self, news: Body | Exception) -> bool:
        """Takes a state of the job, or why there will be no more: called by the backend. True: it has ended."""
        with self._ending:
            if self._ends or super().done():
                return True
            if not isinstance(news, Exception):
                if _rerun_of(news) < self._rerun:
                    return False
                self._job = news
                if end_of(news) is None:
                    return False
            self._ends = True
        # In a thread of its own: a pickle may take long to open, and a callback may wait for another job, of which the
        # backend's thread tells.
        threading.Thread(target=self._end, args=(news,), name=f"daskjob end of {self.name}", daemon=True).start()
        return True

    def _end(self, news: Body | Exception) -> None:
        if isinstance(news, Exception):
            self.set_exception(news)
            return
        end = end_of(news)
        value: Any = None
        error: BaseException | None = None
        try:
            if end is End.SUCCEEDED:
                value = value_of(news, trusted=self._trusted, storage_options=self._backend.storage_options)
            elif end is not None:
                error = exception_of(news, end, trusted=self._trusted)
        except BaseException as odd:
            error = odd
        if end is End.CANCELLED and isinstance(error, JobCancelled):
            self._cancelled = error
            super().cancel()
            self.set_running_or_notify_cancel()
        elif error is not None:
            self.set_exception(error)
        else:
            self.set_result(value)

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """As the standard library has it. It may wait for other futures."""
        self._resume()
        super().add_done_callback(fn)

    def __await__(self) -> Generator[Any, None, T]:
        return self._awaited().__await__()

    async def _awaited(self) -> T:
        # Who gives up waiting has not asked for the job's end: what is cancelled then is the bell.
        bell = Bell()
        self.add_done_callback(lambda _: bell.ring())
        await bell.rung
        # A store is read elsewhere: that may take long.
        stored = not self.cancelled() and self.exception() is None and isinstance(self._ended(0), StoredOutcome)
        return await elsewhere(self.result) if stored else self.result()

    def renew_after_fork(self) -> None:
        """In a child process, where another thread of the parent may have held the locks. The job is followed again
        when somebody asks for it: most children do not."""
        self._condition = threading.Condition()
        self._ending = threading.Lock()
        self._ends = False
        if isinstance(self._result, StoredOutcome):
            self._result.renew()
        self._left_by_fork = not super().done()

    def _resume(self) -> None:
        if self._left_by_fork:
            self._left_by_fork = False
            self.start()


def _rerun_of(job: Body) -> str:
    """When another run was asked for last, as a text that sorts by time; empty: never."""
    return str((job["metadata"].get("annotations") or {}).get(RERUN_ANNOTATION) or "")
