"""The logs of a job: what there is, or followed from before its first pod exists to its end, over retries."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.resource import DASK_JOBS
from daskjob.client.job_client import JobClient, attempt_of, component_of, pods_of
from daskjob.client.job_end import End, end_of, is_run_due, status_of
from daskjob.client.pod_log import LogLine, PodLog, has_log
from daskjob.client.problems import ClientError, NotFound
from daskjob.client.saved_reports import SavedReport
from daskjob.client.store_reading import StoredFileError
from daskjob.client.transport import Body
from daskjob.client.watching import Change, Selection

#: Lines that may wait for their reader before the followers wait for him, too.
LINES = 10_000


@dataclass(frozen=True)
class LogChoice:
    """Which logs: of runner, scheduler or worker; `attempt`: of one, None: of the run's; `tail`, `since`: see
    `PodLog`; `storage_options`: with which the store of a report is read."""

    component: str = "runner"
    attempt: int | None = None
    tail: int | None = None
    since: int | None = None
    storage_options: Mapping[str, Any] = field(default_factory=dict)


class _NobodyReads(Exception):
    """Whoever read the log has left: the threads that bring it end."""


class LogsGone(NotFound):
    """There is no pod whose log could be read."""

    def __init__(self, component: str, name: str, namespace: str, words: str) -> None:
        super().__init__(f"{component} pod of job", name, namespace, f": {words}")
        self._parts = component, name, namespace

    def beside(self, words: str) -> LogsGone:
        """The same, with words on what the store has."""
        return LogsGone(*self._parts, words)


def read(client: JobClient, job: Body, choice: LogChoice) -> Iterator[LogLine]:
    """The log as it is now, of the last attempt unless one is chosen; pod after pod. What no pod has any more comes
    from the store of spec.report. Raises LogsGone."""
    number = choice.attempt or int(status_of(job).get("attempt") or 0)
    pods = [each for each in client.pods(job, choice.component) if attempt_of(each) == number]
    if not pods:
        yield from _from_store(job, choice, number)
        return
    started = [each for each in pods if has_log(each, choice.component)]
    if not started:
        metadata = job["metadata"]
        words = "its container has not started yet; follow the log (-f) to wait for it"
        raise LogsGone(choice.component, metadata["name"], metadata["namespace"], words)
    for pod in sorted(started, key=lambda each: str(each["metadata"]["name"])):
        yield from PodLog(client.transport, pod, choice.component, number, tail=choice.tail, since=choice.since).read()


def _from_store(job: Body, choice: LogChoice, number: int) -> list[LogLine]:
    """The lines that the store of spec.report has. Raises LogsGone if it has none, or cannot be read from here."""
    gone = _gone(job, choice, number)
    try:
        saved = SavedReport(job, number, choice.storage_options)
        found = list(saved.logs(choice.component))
    except NotFound:
        raise gone from None
    except StoredFileError as error:
        raise gone.beside(str(error)) from None
    if choice.since is not None:
        raise gone.beside(f"its lines at {saved.location} have no times: leave out --since")
    if not found:
        raise gone.beside(f"{saved.location} has none either: daskjob report {job['metadata']['name']} --to FOLDER")
    lines = []
    for name, text in found:
        kept = text.splitlines()
        kept = kept if choice.tail is None else kept[len(kept) - min(choice.tail, len(kept)) :]
        lines += [LogLine(name, number, "", each) for each in kept]
    return lines


def _gone(job: Body, choice: LogChoice, number: int) -> LogsGone:
    numbers = [int(each.get("number") or 0) for each in status_of(job).get("attempts") or ()]
    if not numbers:
        words = "no attempt has begun; `daskjob status` says why, and -f waits for it"
    elif number not in numbers:
        words = f"there is no attempt {number}; there are {', '.join(map(str, numbers))}"
    elif end_of(job) is None and number == max(numbers):
        words = f"attempt {number} has none yet; follow the log (-f) to wait for it"
    else:
        words = (
            f"that of attempt {number} is gone, and Kubernetes keeps no log of a pod that is gone; follow the log "
            "while the job runs (-f)"
        )
    metadata = job["metadata"]
    return LogsGone(choice.component, metadata["name"], metadata["namespace"], words)


@dataclass
class LogFollower:
    """Follows the log of one job, this UID and no other. `note` is called with words about pods and connections;
    `deadline`: of `time.monotonic`."""

    client: JobClient
    job: Body
    choice: LogChoice = field(default_factory=LogChoice)
    note: Callable[[str], None] = lambda text: None
    deadline: float | None = None
    #: How the job ended, and how it was then; None until `lines` is over, and of an attempt that was over before.
    end: tuple[End, Body] | None = field(default=None, init=False)
    #: Whether another job has the job's name by now.
    replaced: bool = field(default=False, init=False)
    #: The chosen attempt as the job's status has it, once it is over.
    attempt: Body | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._queue: queue.Queue[tuple[str, Any]] = queue.Queue(LINES)
        self._over = threading.Event()
        #: Set when nobody reads any more: the threads end.
        self._left = threading.Event()
        self._followed: set[str] = set()
        self._active: set[str] = set()
        self._waiting: dict[str, Body] = {}

    def lines(self) -> Generator[LogLine]:
        """Each line, until the job has ended, or the attempt that was chosen, and the logs of its pods are read. Those
        of attempts come one after the other; those of several workers as they come. Raises ClientError, LogsGone if
        there is no pod of the attempt that was chosen any more, and TimeoutError when the deadline is over."""
        try:
            yield from self._lines()
        finally:
            self._left.set()

    def _lines(self) -> Iterator[LogLine]:
        metadata = self.job["metadata"]
        self._start(self._watch, "job", Selection(DASK_JOBS, metadata["namespace"], metadata["name"]))
        self._start(self._watch, "pod", pods_of(self.job))
        existed = False
        while True:
            try:
                kind, content = self._queue.get(timeout=self._remaining())
            except queue.Empty:
                raise TimeoutError(f"{metadata['name']} did not end in time") from None
            if kind == "line":
                yield content
            elif kind == "note":
                self.note(content)
            elif kind == "error":
                raise content
            elif kind == "read":
                self._active.discard(content)
                self._follow_next()
            elif kind == "pod":
                for change in content:
                    self._takes_pod(change)
            elif kind == "job" and not self._over.is_set():
                existed = self._takes_job(content, existed)
            if self._is_done():
                if self.choice.attempt is not None and not self._followed and not self._is_deleted():
                    yield from _from_store(self.job, self.choice, self.choice.attempt)
                return

    def _remaining(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def _is_done(self) -> bool:
        return self._over.is_set() and not self._active and not self._waiting

    def _is_deleted(self) -> bool:
        return self.end is not None and self.end[0] is End.DELETED

    def _takes_job(self, changes: list[Change], existed: bool) -> bool:
        uid = self.job["metadata"]["uid"]
        for change in changes:
            if change.object["metadata"]["uid"] != uid:
                self.replaced = True
                self._ends(End.DELETED)
                return True
            existed = True
            self.job = change.object
            end = end_of(self.job)
            if end is not None:
                self._ends(end)
                return True
            if change.type == "DELETED":
                self._ends(End.DELETED)
                return True
            self.attempt = over(self.job, self.choice.attempt)
            if self.attempt is not None:
                self._ends(None)
                return True
        if not existed:
            # The first list does not have it: it was deleted before.
            self._ends(End.DELETED)
        return True

    def _ends(self, end: End | None) -> None:
        """The job has ended, or the attempt that was chosen (None). The pods that are there are the last ones: the
        watch may not have delivered them yet."""
        self.end = (end, self.job) if end is not None else None
        self._over.set()
        try:
            for pod in self.client.pods(self.job):
                self._takes_pod(Change("ADDED", pod))
        except ClientError as error:
            self.note(f"the job's last pods cannot be listed: {error}")

    def _takes_pod(self, change: Change) -> None:
        pod, component = change.object, self.choice.component
        uid = str(pod["metadata"]["uid"])
        if component_of(pod) != component or uid in self._followed or change.type == "DELETED":
            self._waiting.pop(uid, None)
            return
        if not self._is_chosen(attempt_of(pod)) or not has_log(pod, component):
            return
        self._waiting[uid] = pod
        self._follow_next()

    def _is_chosen(self, number: int) -> bool:
        if self.choice.attempt is not None:
            return number == self.choice.attempt
        return number >= first_attempt(self.job)

    def _follow_next(self) -> None:
        """Begins with the pods that wait: runners one after the other, for attempts do not overlap."""
        for uid, pod in sorted(self._waiting.items(), key=lambda item: attempt_of(item[1])):
            if self.choice.component == "runner" and self._active:
                return
            del self._waiting[uid]
            self._followed.add(uid)
            self._active.add(uid)
            self._start(self._follow, pod)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=self._run, args=(target, *arguments), name="daskjob logs", daemon=True).start()

    def _run(self, target: Callable[..., None], *arguments: Any) -> None:
        with suppress(_NobodyReads):
            target(*arguments)

    def _watch(self, kind: str, selection: Selection) -> None:
        try:
            for batch in self.client.watch(selection, note=self._words, reached=True).batches():
                if self._over.is_set():
                    return
                self._put(kind, batch)
        except Exception as error:
            if not self._over.is_set():
                self._put("error", error)

    def _follow(self, pod: Body) -> None:
        log = PodLog(
            self.client.transport,
            pod,
            self.choice.component,
            attempt_of(pod),
            tail=self.choice.tail,
            since=self.choice.since,
            note=self._words,
            is_over=self._over.is_set,
            left=self._left,
        )
        try:
            for line in log.follow():
                self._put("line", line)
        except Exception as error:
            self._put("error", error)
        self._put("read", pod["metadata"]["uid"])

    def _words(self, text: str) -> None:
        self._put("note", text)

    def _put(self, kind: str, content: Any) -> None:
        """Hands something to who reads. Raises _NobodyReads if that is over."""
        while not self._left.is_set():
            try:
                return self._queue.put((kind, content), timeout=1.0)
            except queue.Full:
                continue
        raise _NobodyReads


def over(job: Body, number: int | None) -> Body | None:
    """An attempt as the status has it, once it has an outcome or a later one has begun."""
    attempts = [each for each in status_of(job).get("attempts") or () if each.get("number") == number]
    last = int(status_of(job).get("attempt") or 0)
    return next((each for each in attempts if each.get("outcome") or last > int(each["number"])), None)


def previous_attempt(job: Body) -> int:
    """The number of the attempt before the last. Raises NotFound if there is none."""
    number = int(status_of(job).get("attempt") or 0) - 1
    if number < 1:
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        raise NotFound("previous attempt of job", name, namespace, ": `daskjob status` lists its attempts")
    return number


def first_attempt(job: Body) -> int:
    """The number of the first attempt of the job's run, or of the run that was asked for."""
    status = status_of(job)
    last = int(status.get("attempt") or 0)
    if is_run_due(job):
        return last + 1
    run = status.get("run") or 1
    of_run = [int(each["number"]) for each in status.get("attempts") or () if (each.get("run") or 1) == run]
    # Without any: the run waits for its first one, and the attempts before are of the run before.
    return min(of_run, default=last + 1 if status.get("attempts") else 0)
