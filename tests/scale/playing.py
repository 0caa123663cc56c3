"""Plays the runners of jobs on imitated nodes, and the kubelet at their pods' end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from .connection import JOBS, Body, Connection, Refused

#: Labels by which the pods of one attempt are found.
JOB, JOB_UID, COMPONENT = "daskjob.io/job", "daskjob.io/job-uid", "daskjob.io/component"
DASK_COMPONENT, DASK_CLUSTER = "dask.org/component", "dask.org/cluster-name"
SUFFIX = "-runner"
TASKS = 501
#: Seconds from a runner's last report to its pod's end: a kubelet looks once a second.
KUBELET_SECONDS = 1.0
#: Seconds between two heartbeats of a runner that is held up.
HEARTBEAT_SECONDS = 20.0
#: How often a runner tries its first report, ten times a second.
REPORT_TRIES = 50
#: The messages of one runner: two reports. They count as requests of its job.
MESSAGES = 2


async def at_once(job: str) -> None:
    """The graph of `job` is computed as soon as it starts."""


@dataclass
class Runners:
    """The runner of each DaskJob of a namespace. It connects when a worker of its attempt runs, as a real one would,
    reports that it runs, computes for as long as `compute(job)` takes, reports the result, and ends.

    `needs_worker`  whether it waits for a worker; if not, Kubernetes' controllers, which make the workers' pods, hold
                    nothing up, and what is measured is the operator
    `running`   when (time.monotonic) the runner's pod of each job ran
    `reported`  when the last report of each job's runner was written
    """

    #: Label of all pods of a job.
    pods: ClassVar[str] = JOB_UID

    connection: Connection
    namespace: str
    compute: Callable[[str], Awaitable[None]] = at_once
    needs_worker: bool = True
    running: dict[str, float] = field(default_factory=dict)
    reported: dict[str, float] = field(default_factory=dict)
    _workers: dict[str, asyncio.Event] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    async def play(self) -> None:
        """Until it is cancelled. Raises the first error of a runner."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        async with asyncio.TaskGroup() as group:
            # Metadata of pods that run: each is told of once, in few bytes.
            async for change, pod in self.connection.watch(
                path, metadata_only=True, labelSelector=self.pods, fieldSelector="status.phase=Running"
            ):
                metadata = pod["metadata"]
                labels, uid = metadata["labels"], metadata["uid"]
                if change == "DELETED" or uid in self._begun:
                    continue
                self._begun.add(uid)
                if labels.get(DASK_COMPONENT) == "worker":
                    self._worker_of(labels[DASK_CLUSTER]).set()
                elif (job := self.job_of(labels)) is not None:
                    self.running.setdefault(job, time.monotonic())
                    group.create_task(self._run(metadata["name"], job))

    def job_of(self, labels: Mapping[str, str]) -> str | None:
        """The job whose runner has these labels; None: it is no runner."""
        return labels[JOB] if labels.get(COMPONENT) == "runner" else None

    def _worker_of(self, attempt: str) -> asyncio.Event:
        return self._workers.setdefault(attempt, asyncio.Event())

    async def _run(self, pod: str, job: str) -> None:
        started, attempt = now(), pod.removesuffix(SUFFIX)
        if self.needs_worker:
            await self._worker_of(attempt).wait()
        await self.run(attempt, job, started)
        self.reported.setdefault(job, time.monotonic())
        await asyncio.sleep(KUBELET_SECONDS)
        await self._end(pod)

    async def run(self, attempt: str, job: str, started: str) -> None:
        """What the runner does from its first worker to its last report."""
        connected = now()
        try:
            await self._first_report(attempt, running(started, connected, now()))
            await self._compute(attempt, job)
            await self._report(attempt, finished(now()))
        except Refused as refused:
            # The attempt was given up, and its report with it.
            if refused.status not in (404, 422):
                raise

    async def _compute(self, attempt: str, job: str) -> None:
        """Computes, with heartbeats for as long as it takes."""
        computing = asyncio.ensure_future(self.compute(job))
        while not (await asyncio.wait([computing], timeout=HEARTBEAT_SECONDS))[0]:
            await self._report(attempt, {"heartbeatTime": now()})
        await computing

    async def _first_report(self, attempt: str, status: Body) -> None:
        """As a real runner, it tries again until there is a report, which the operator creates after the pod."""
        for _ in range(REPORT_TRIES):
            try:
                await self._report(attempt, status)
                return
            except Refused as refused:
                if refused.status != 404:
                    raise
            await asyncio.sleep(0.1)
        await self._report(attempt, status)

    async def _report(self, attempt: str, status: Body) -> None:
        path = f"{JOBS}/namespaces/{self.namespace}/daskjobreports/{attempt}/status"
        await self.connection.patch(path, {"status": status})

    async def _end(self, pod: str) -> None:
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": now(), "finishedAt": now()}
        status = {
            "phase": "Succeeded",
            "containerStatuses": [
                {
                    "name": "runner",
                    "ready": False,
                    "restartCount": 0,
                    "image": "imitated",
                    "imageID": "",
                    "state": {"terminated": ended},
                }
            ],
        }
        try:
            await self.connection.patch(f"/api/v1/namespaces/{self.namespace}/pods/{pod}/status", {"status": status})
        except Refused as refused:
            if refused.status != 404:
                raise


def running(started: str, connected: str, begun: str) -> dict[str, Any]:
    """A runner's report when its graph begins."""
    return {
        "protocol": 1,
        "seq": 1,
        "heartbeatTime": begun,
        "stage": "Running",
        "timings": {"runnerStarted": started, "connected": connected, "firstWorker": connected, "graphStarted": begun},
        "workers": {"connected": 1, "threads": 1},
        "progress": {"total": TASKS, "done": 10, "processing": 2, "erred": 0, "prefixes": []},
    }


def finished(at: str, value: str = "41541750") -> dict[str, Any]:
    """A runner's last report."""
    return {
        "seq": 2,
        "heartbeatTime": at,
        "stage": "Finished",
        "outcome": "Succeeded",
        "result": {"type": "int", "value": value, "size": len(value), "sha256": "0" * 64},
        "progress": {"total": TASKS, "done": TASKS, "processing": 0, "erred": 0, "prefixes": []},
        "timings": {"graphFinished": at},
    }


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
