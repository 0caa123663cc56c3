"""Jobs on this machine, by the local backend: the same runner and the same status, without a cluster."""

from __future__ import annotations

import collections
import difflib
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from daskjob.api.constants import RERUN_ANNOTATION
from daskjob.api.generated_names import generated_name
from daskjob.api.times import from_text, to_seconds_text, to_text
from daskjob.client.job_end import End, end_of
from daskjob.client.pod_log import LogLine
from daskjob.client.problems import AlreadyExists, ClientError, InvalidJob, JobDeleted, JobNotFound, WrongState
from daskjob.client.store_reading import NO_OPTIONS
from daskjob.futures.job_backend import Body, Listener

#: Lines of the log of a job that are kept.
LINES = 10_000


@dataclass
class _LocalJob:
    """A job with its runs. `changed` guards all of it, and tells of changes. `run`: the one that counts; None: it is
    suspended."""

    body: Body
    payload: bytes | None
    run: _Run | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)
    listeners: list[Listener] = field(default_factory=list)
    lines: collections.deque[LogLine] = field(default_factory=lambda: collections.deque(maxlen=LINES))
    count: int = 0
    deleted: bool = False
    #: Set when the run before is over, of a job that is suspended.
    last: threading.Event | None = None

    def begin(self, cancelled: bool = False) -> _Run:
        """A run, which from now on counts alone."""
        before = self.run.over if self.run is not None else self.last
        self.run = _Run(self)
        self.run.before = before
        if cancelled:
            self.run.cancel.set()
        return self.run

    def tell(self, news: Body | Exception) -> None:
        """Tells all who follow it, and forgets those who need no more."""
        with self.changed:
            followers = list(self.listeners)
        over = [each for each in followers if each(news)]
        with self.changed:
            self.listeners = [each for each in self.listeners if each not in over]


class _Run:
    """One run of a job, as the local backend tells of it. What it tells counts as long as it is the job's run. It
    begins when the one `before` is over."""

    def __init__(self, job: _LocalJob) -> None:
        self.job = job
        self.cancel = threading.Event()
        self.over = threading.Event()
        self.before: threading.Event | None = None

    def status(self, status: Mapping[str, Any]) -> None:
        """Takes the status of the run; called by the local backend."""
        job = self.job
        with job.changed:
            if job.run is not self:
                return
            job.body = {**job.body, "status": dict(status)}
            job.changed.notify_all()
        job.tell(job.body)

    def output(self, source: str, line: bytes) -> None:
        """Takes a line that the job printed."""
        job, text = self.job, line.decode(errors="replace").rstrip("\r\n")
        with job.changed:
            attempt = int((job.body.get("status") or {}).get("attempt") or 0)
            job.lines.append(LogLine(source, attempt, to_text(datetime.now(UTC)), text))
            job.count += 1
            job.changed.notify_all()

    def note(self, text: str) -> None:
        """What differs from a cluster: nobody reads it here."""


class LocalJobs:
    """Runs jobs of this process; they end with it. For two processors, one runs at a time; the others wait.
    `storage_options`: with which stores are read. In a child process, which has none of the threads that run them, all
    methods raise WrongState."""

    def __init__(
        self,
        namespace: str = "default",
        storage_options: Mapping[str, Any] = NO_OPTIONS,
    ) -> None:
        self.namespace = namespace
        self.storage_options = storage_options
        self._pid = os.getpid()
        self._jobs: dict[str, _LocalJob] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(max(1, (os.cpu_count() or 2) // 2))

    def create(self, manifest: Mapping[str, Any], payload: bytes | None = None) -> Body:
        from daskjob.schema import apply_defaults, validate

        self._check_process()
        metadata = {"namespace": self.namespace, **manifest["metadata"]}
        if not metadata.get("name"):
            metadata["name"] = generated_name(str(metadata.pop("generateName")))
        named = {**manifest, "metadata": metadata}
        problems = validate(named)
        if problems:
            raise InvalidJob(metadata["name"], [str(each) for each in problems])
        own = {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": to_seconds_text(datetime.now(UTC))}
        job = _LocalJob({**apply_defaults(named), "metadata": {**metadata, **own}, "status": {}}, payload)
        with self._lock:
            if metadata["name"] in self._jobs:
                raise AlreadyExists("DaskJob", metadata["name"], self.namespace)
            self._jobs[metadata["name"]] = job
        self._start(job)
        return job.body

    def get(self, name: str) -> Body:
        self._check_process()
        with self._lock:
            found = self._jobs.get(name)
        if found is None:
            close = difflib.get_close_matches(name, list(self._jobs))
            raise JobNotFound("DaskJob", name, self.namespace, close, "list() of the client, in this process,")
        return found.body

    def jobs(self, selector: str | None = None) -> list[Body]:
        self._check_process()
        with self._lock:
            found = [self._jobs[name].body for name in sorted(self._jobs)]
        return [each for each in found if _has_labels(each, selector)]

    def follow(self, job: Body, listener: Listener) -> None:
        try:
            found = self._of(job)
        except ClientError as error:
            listener(error)
            return
        with found.changed:
            found.listeners.append(listener)
        found.tell(found.body)

    def cancel(self, job: Body) -> None:
        found = self._of(job)
        end = end_of(found.body)
        if end in (End.SUCCEEDED, End.FAILED):
            raise WrongState(f"{job['metadata']['name']} has {end.value} already: there is nothing to cancel")
        with found.changed:
            run = found.run
        if run is not None:
            run.cancel.set()
        else:
            self._start(found, cancelled=True)

    def retry(self, job: Body) -> Body:
        found = self._of(job)
        name = job["metadata"]["name"]
        with found.changed:
            if end_of(found.body) is None:
                raise WrongState(f"{name} has not ended: cancel it first, or wait for its end")
            metadata = found.body["metadata"]
            rerun = {RERUN_ANNOTATION: to_text(datetime.now(UTC))}
            annotations = {**(metadata.get("annotations") or {}), **rerun}
            found.body = {**found.body, "metadata": {**metadata, "annotations": annotations}, "status": {}}
        self._start(found)
        return found.body

    def suspend(self, job: Body, on: bool) -> None:
        found, name = self._of(job), job["metadata"]["name"]
        with found.changed:
            end = end_of(found.body)
            if on and end is not None:
                raise WrongState(f"{name} has {end.value} already: there is nothing to suspend")
            run = found.run
            if (run is None) == on:
                return
            if run is not None:
                found.run, found.last = None, run.over
                run.cancel.set()
                found.body = {**found.body, "status": _suspended(found.body)}
        if on:
            found.tell(found.body)
        else:
            self._start(found)

    def delete(self, job: Body) -> None:
        found, name = self._of(job), job["metadata"]["name"]
        with self._lock:
            self._jobs.pop(name, None)
        found.deleted = True
        if found.run is not None:
            found.run.cancel.set()
        found.tell(JobDeleted(name))

    def logs(
        self, job: Body, component: str, attempt: int | None, follow: bool, since: int | None
    ) -> Iterator[LogLine]:
        found = self._of(job)
        begin = time.time() - since if since is not None else None
        read = 0
        while True:
            with found.changed:
                while follow and found.count == read and end_of(found.body) is None and not found.deleted:
                    found.changed.wait(1.0)
                fresh = list(found.lines)[max(0, len(found.lines) - (found.count - read)) :] if found.count else []
                read, over = found.count, end_of(found.body) is not None or found.deleted
            for line in fresh:
                chosen = attempt is None or line.attempt == attempt
                if line.pod.partition("-")[0] == component and chosen and _is_after(line, begin):
                    yield line
            if not follow or (over and not fresh):
                return

    def close(self) -> None:
        """Nothing to do: jobs go on as long as this process."""

    def _check_process(self) -> None:
        # Before any lock: a thread of the parent may have held it.
        if self._pid != os.getpid():
            raise WrongState(
                "this client's jobs run in the process that connected, and this one is a child of it: ask for them "
                "there; daskjob.connect() gives a client of this process"
            )

    def _of(self, job: Body) -> _LocalJob:
        self._check_process()
        metadata = job["metadata"]
        with self._lock:
            found = self._jobs.get(metadata["name"])
        if found is None or found.body["metadata"]["uid"] != metadata["uid"]:
            raise JobDeleted(metadata["name"], replaced=found is not None)
        return found

    def _start(self, job: _LocalJob, cancelled: bool = False) -> None:
        with job.changed:
            run = job.begin(cancelled)
        name = f"daskjob {job.body['metadata']['name']}"
        threading.Thread(target=self._run, args=(run,), name=name, daemon=True).start()

    def _run(self, own: _Run) -> None:
        from daskjob.local.backend import run

        job, has_slot = own.job, False
        if own.before is not None:
            own.before.wait()
        body = job.body
        while not has_slot and not own.cancel.is_set():
            has_slot = self._slots.acquire(timeout=0.1)
        try:
            # One that is cancelled while it waits is run, too: its status then says so.
            run(
                {key: value for key, value in body.items() if key != "status"},
                uid=body["metadata"]["uid"],
                find_config_map=lambda name: None,
                listener=own,
                cancel=own.cancel,
                payload=job.payload,
            )
        except Exception as error:
            if job.run is own:
                job.tell(error)
        finally:
            own.over.set()
            if has_slot:
                self._slots.release()


def _suspended(body: Body) -> dict[str, Any]:
    """The status of a job that was suspended, as an operator writes it."""
    since = to_text(datetime.now(UTC))
    condition = {"type": "Suspended", "status": "True", "reason": "Suspended", "lastTransitionTime": since}
    return {**(body.get("status") or {}), "phase": "Suspended", "conditions": [condition]}


def _is_after(line: LogLine, begin: float | None) -> bool:
    moment = from_text(line.time)
    return begin is None or (moment is not None and moment.timestamp() >= begin)


def _has_labels(job: Body, selector: str | None) -> bool:
    """Whether it has the labels of a selector `a=b,c!=d`."""
    labels = job["metadata"].get("labels") or {}
    for each in filter(None, (selector or "").split(",")):
        name, differs, value = each.partition("!=")
        if not differs:
            name, _, value = each.partition("=")
        if (labels.get(name.strip()) == value.lstrip("=").strip()) == bool(differs):
            return False
    return True
