"""When each job of a namespace reached what, as a watch tells it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .connection import JOBS, Body, Connection

#: What a job consists of, by the path of its group. The runner's completed pod and the report stay.
PARTS = {
    "pods": "/api/v1",
    "services": "/api/v1",
    "secrets": "/api/v1",
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "daskclusters": "/apis/kubernetes.dask.org/v1",
    "daskworkergroups": "/apis/kubernetes.dask.org/v1",
}

Times = dict[str, float]


@dataclass
class Jobs:
    """When (time.monotonic) each job was created, queued, taken up, concluded and cleaned up; `failed` has the words of
    those that did not succeed."""

    #: Where the API has the jobs.
    root: ClassVar[str] = JOBS
    #: Label selector of what has to go of the parts of jobs.
    to_go: ClassVar[str] = "daskjob.io/job-uid,daskjob.io/component!=runner"

    connection: Connection
    namespace: str
    created: Times = field(default_factory=dict)
    #: Those that have a place in the queue.
    placed: Times = field(default_factory=dict)
    taken: Times = field(default_factory=dict)
    concluded: Times = field(default_factory=dict)
    cleaned: Times = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def create(self, body: Body) -> None:
        await self.connection.create(f"{self.root}/namespaces/{self.namespace}/daskjobs", body)
        self.created[body["metadata"]["name"]] = time.monotonic()

    async def follow(self) -> None:
        """Until it is cancelled."""
        async for change, job in self.connection.watch(f"{self.root}/namespaces/{self.namespace}/daskjobs"):
            if change != "DELETED":
                self.note(job["metadata"]["name"], job.get("status") or {})
                self._changed.set()

    def note(self, name: str, status: dict[str, Any]) -> None:
        """Keeps when the status of that job first was so."""
        now = time.monotonic()
        met = {each["type"] for each in status.get("conditions", ()) if each["status"] == "True"}
        if status.get("queuePosition"):
            self.placed.setdefault(name, now)
        if status.get("attempt"):
            self.taken.setdefault(name, now)
        if met & {"Complete", "Failed"}:
            self.concluded.setdefault(name, now)
        if "Failed" in met:
            self.failed.setdefault(name, str(status.get("failure") or status.get("conditions")))
        if "CleanedUp" in met:
            self.cleaned.setdefault(name, now)

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Waits until something is so, at most for `seconds`, and returns whether it is."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        return holds()

    async def left(self) -> dict[str, int]:
        """How many objects of each kind are still there that should go."""
        found = {}
        for plural, root in PARTS.items():
            path = f"{root}/namespaces/{self.namespace}/{plural}"
            number = await self.connection.count(path, labelSelector=self.to_go)
            if number:
                found[plural] = number
        return found

    async def gone(self, seconds: float) -> float | None:
        """When nothing was left any more; None if something was after `seconds`."""
        until = time.monotonic() + seconds
        while await self.left():
            if time.monotonic() > until:
                return None
            await asyncio.sleep(1)
        return time.monotonic()
