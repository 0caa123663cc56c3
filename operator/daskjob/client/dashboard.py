"""Dask's dashboard of a job on a port of this machine: each connection goes through the API server to the scheduler's
pod, where the dashboard listens on the loopback."""

from __future__ import annotations

import queue
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from daskjob.api import constants as c
from daskjob.api.resource import DASK_JOBS, PODS
from daskjob.client.job_client import JobClient, component_of
from daskjob.client.job_end import End, end_of, status_of
from daskjob.client.problems import ClientError, Forbidden, NotFound, WrongState
from daskjob.client.transport import Body
from daskjob.client.watching import Change, Selection

#: Seconds between two looks whether the dashboard answers, and for the answer.
LOOK, ANSWER = 0.5, 5.0
_POD = re.compile(r"port-forward pod/(\S+) ")


def scheduler_of(job: Body) -> str | None:
    """The name of the scheduler's pod of the running attempt, as the operator wrote it; None: there is none now."""
    cluster = status_of(job).get("cluster") or {}
    found = _POD.search(str(cluster.get("dashboard") or ""))
    return found[1] if found else None


def has_dashboard(job: Body) -> bool:
    """Whether the job's spec wants one."""
    cluster = (job.get("spec") or {}).get("cluster") or {}
    return cluster.get("dashboard") is not False


@dataclass
class Dashboard:
    """The dashboard of one job, this UID and no other, on `port` of the loopback (0: any that is free).

    `ready` is called with the URL when a dashboard answers, for each attempt; `note` with words about what stands in
    the way. Raises OSError if the port is taken.
    """

    client: JobClient
    job: Body
    port: int = 0
    ready: Callable[[str], None] = lambda url: None
    note: Callable[[str], None] = lambda text: None
    _pod: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._uid = str(self.job["metadata"]["uid"])
        self._namespace = str(self.job["metadata"]["namespace"])
        self._changed = threading.Condition()
        self._queue: queue.Queue[list[Change] | Exception] = queue.Queue()
        self._over = False
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/status"

    def serve(self) -> tuple[End, Body]:
        """Carries connections until the job has ended and its cluster is gone; how it ended, and how it was
        then. Raises ClientError."""
        for work in (self._accept, self._announce, self._watch):
            threading.Thread(target=work, daemon=True).start()
        try:
            first = True
            while True:
                content = self._queue.get()
                if isinstance(content, Exception):
                    raise content
                end = self._takes(content, first)
                if end is not None:
                    return end, self.job
                first = False
        finally:
            self.close()

    def _takes(self, changes: list[Change], first: bool) -> End | None:
        """How the job ended, if nothing of its cluster is left either."""
        own = [each for each in changes if each.object["metadata"]["uid"] == self._uid]
        if len(own) != len(changes) or any(each.type == "DELETED" for each in own) or (first and not own):
            # If the UID is another one, ours was deleted, and this is another job of its name.
            return End.DELETED
        for each in own:
            self.job = each.object
        pod = scheduler_of(self.job)
        with self._changed:
            self._pod = pod
            self._changed.notify_all()
        return end_of(self.job) if pod is None else None

    def _watch(self) -> None:
        selection = Selection(DASK_JOBS, self._namespace, self.job["metadata"]["name"])
        try:
            for batch in self.client.watch(selection, note=self.note, reached=True).batches():
                if self._over:
                    return
                self._queue.put(batch)
        except Exception as error:
            self._queue.put(error)

    def close(self) -> None:
        with self._changed:
            self._over, self._pod = True, None
            self._changed.notify_all()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _announce(self) -> None:
        """Says of each scheduler's pod when its dashboard answers."""
        known: list[str | None] = [None]
        problem = ""
        while True:
            with self._changed:
                while not self._over and self._pod in known:
                    self._changed.wait()
                if self._over:
                    return
                pod = self._pod
            try:
                if pod is not None and self._answers(pod):
                    known = [None, pod]
                    self.ready(self.url)
                    continue
            except Forbidden as error:
                self._queue.put(error)
                return
            except ClientError as error:
                if str(error) != problem:
                    problem = str(error)
                    self.note(problem)
            with self._changed:
                self._changed.wait_for(lambda: self._over, LOOK)

    def _answers(self, pod: str) -> bool:
        """Whether the scheduler's web server answers."""
        remote = self._open(pod)
        try:
            remote.settimeout(ANSWER)
            remote.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return bool(remote.recv(64).startswith(b"HTTP/"))
        except OSError:
            return False
        finally:
            remote.close()

    def _accept(self) -> None:
        while True:
            try:
                local, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(local,), daemon=True).start()

    def _carry(self, local: socket.socket) -> None:
        """One connection, until either side closes it."""
        pod = self._pod
        try:
            if pod is None:
                raise WrongState("there is no scheduler now: the dashboard is back with the next attempt")
            remote = self._open(pod)
        except ClientError as error:
            self.note(str(error))
            local.close()
            return
        other = threading.Thread(target=_copy, args=(local, remote), daemon=True)
        other.start()
        _copy(remote, local)
        other.join()
        local.close()
        remote.close()

    def _open(self, pod: str) -> Any:
        """A connection to the dashboard in the pod of that name, which is the job's. Raises ClientError."""
        found = self.client.transport.request("get", PODS, self._namespace, pod)
        labels = found["metadata"].get("labels") or {}
        if labels.get(c.JOB_UID_LABEL) != self._uid or component_of(found) != "scheduler":
            raise NotFound("scheduler pod", pod, self._namespace, ": a pod that is not this job's has that name")
        return self.client.transport.port(self._namespace, pod, c.DASHBOARD_PORT)


def _copy(source: Any, target: Any) -> None:
    """All bytes until one side is closed; then both are."""
    with suppress(OSError, ValueError):
        while data := source.recv(2**16):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError, ValueError):
            each.shutdown(socket.SHUT_RDWR)
