"""One namespace by its watch events: its objects, its history, and what the played controllers wait for."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from daskjob.api import constants as c

from ..support.jobs import ended
from .api import Api, Body

T = TypeVar("T")


@dataclass(frozen=True)
class WatchEvent:
    """One event of a watch. `version` is etcd's revision: it orders events of all kinds. `time` is when it came, in
    seconds since 1970: later than it happened."""

    version: int
    time: float
    event: str
    kind: str
    name: str
    uid: str
    body: Body


@dataclass
class NamespaceView:
    """A namespace, with the seed of its delays and the script of each attempt of each of its jobs."""

    api: Api
    namespace: str
    seed: str = "0"
    #: By job: what happens to the runner of its attempts, in order; the last one for all that follow.
    scripts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Whether everybody acts in their own time, or waits until the operator has said what it sees (see `gate`).
    free: bool = True
    #: Longest pause of anybody before a step, in seconds.
    slowness: float = 0.2
    objects: dict[tuple[str, str], Body] = field(default_factory=dict)
    history: list[WatchEvent] = field(default_factory=list)
    #: Graphs computed, by runner's pod UID.
    computed: list[str] = field(default_factory=list)
    #: What the tests' people themselves deleted or broke, by UID.
    broken: set[str] = field(default_factory=set)
    #: Pods on a node that does not answer any more, by UID: Kubernetes deletes them, and they stay.
    lost: set[str] = field(default_factory=set)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = asyncio.Event()
        self._tasks: dict[str, set[asyncio.Task[None]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    # What is there.

    def take(self, event: str, body: Body) -> None:
        """One event of a watch."""
        kind, metadata = body["kind"], body["metadata"]
        version = int(metadata["resourceVersion"])
        seen = WatchEvent(version, time.time(), event, kind, metadata["name"], metadata["uid"], body)
        self.history.append(seen)
        if event == "DELETED":
            self.objects.pop((kind, seen.name), None)
        else:
            self.objects[kind, seen.name] = body
        self.notify()

    def find(self, kind: str, name: str) -> Body | None:
        return self.objects.get((kind, name))

    def all(self, kind: str, **labels: str) -> list[Body]:
        """In order of their names; `labels`: dask_component="worker" for dask.org/component."""
        wanted = {_LABELS[name]: value for name, value in labels.items()}
        return [
            body
            for (each, _), body in sorted(self.objects.items())
            if each == kind and wanted.items() <= labels_of(body).items()
        ]

    def job(self, name: str) -> Body:
        """The job; {} if it is gone."""
        return self.find("DaskJob", name) or {}

    def phase(self, name: str) -> str:
        return str(self.job(name).get("status", {}).get("phase") or "")

    def is_at(self, name: str, attempt: int, phase: str) -> bool:
        """Whether the job's status says that that attempt is in that phase."""
        return bool(self.job(name)) and self.phase(name) == phase and self.job(name)["status"]["attempt"] == attempt

    # What is waited for.

    def notify(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def until(self, found: Callable[[], T]) -> T:
        """What `found` returns, as soon as it is something."""
        while not (it := found()):
            await self._news.wait()
        return it

    async def pause(self, what: str, longest: float | None = None) -> None:
        """Of a length that follows from the seed and from what it is for."""
        chance = random.Random(f"{self.seed}/{what}").random()
        # Squared: most are short, some are not.
        await asyncio.sleep(chance**2 * (self.slowness if longest is None else longest))

    async def gate(self, found: Callable[[], object]) -> None:
        """Waits for the operator to have got so far, unless everybody is free.

        So a run without a fault makes the same writes each time, and the one that is to be met by a fault is sure to
        come. From there on, nobody waits for the operator.
        """
        await self.until(lambda: self.free or found())

    # Who acts.

    def lock(self, who: str) -> asyncio.Lock:
        """What somebody holds who does one thing at a time."""
        return self._locks.setdefault(who, asyncio.Lock())

    def spawn(self, who: str, work: Coroutine[Any, Any, None]) -> None:
        """Somebody's work, until `dismiss`."""
        task = asyncio.ensure_future(work)
        tasks = self._tasks.setdefault(who, set())
        tasks.add(task)

        def done(ended: asyncio.Task[None]) -> None:
            tasks.discard(ended)
            error = None if ended.cancelled() else ended.exception()
            if error is not None:
                self.errors.append(error)
                self.notify()

        task.add_done_callback(done)

    def dismiss(self, who: str) -> None:
        for task in self._tasks.pop(who, set()):
            task.cancel()

    def close(self) -> None:
        for who in list(self._tasks):
            self.dismiss(who)


async def eventually(found: Callable[[], object], seconds: float, interval: float = 0.02) -> None:
    """Looks now and then, for what nobody tells of. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(interval)


_LABELS = {
    "dask_component": c.DASK_COMPONENT_LABEL,
    "cluster": c.DASK_CLUSTER_LABEL,
    "job": c.JOB_LABEL,
    "attempt": c.ATTEMPT_LABEL,
}


def labels_of(body: Mapping[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = body["metadata"].get("labels") or {}
    return labels


def component_of(pod: Mapping[str, Any]) -> str:
    labels = labels_of(pod)
    return labels.get(c.COMPONENT_LABEL) or labels.get(c.DASK_COMPONENT_LABEL) or ""


def attempt_of(body: Mapping[str, Any]) -> int:
    return int(labels_of(body).get(c.ATTEMPT_LABEL, "0"))


def is_ended(pod: Mapping[str, Any]) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def is_finished(job: Body) -> bool:
    return ended(job.get("status", {}))
