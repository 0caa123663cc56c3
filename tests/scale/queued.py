"""N jobs that wait behind a limit: what their waiting costs, and when a freed place is taken."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .bench import Bench, running
from .connection import Connection
from .figures import Figure, Goal, at_least, at_most
from .following import PARTS, Jobs
from .manifests import job
from .playing import JOB, Runners
from .processes import OPERATOR

NAMESPACE = "scale-queued"
IDLE_SECONDS = 60.0
#: So many places are freed, one after another.
FREED = 10
#: How long until the places are taken, in seconds, before this is given up.
PATIENCE = 300.0
GOALS: dict[str, Goal] = {
    "operator, CPU while idle": at_most(5),
    "cluster gone → place taken, at most": at_most(1),
    # Two watches may tell of the same moment in either order.
    "cluster gone → place taken, at least": at_least(-0.2),
    "restarts": at_most(0),
}


class Clusters:
    """When the cluster of each job was gone: its DaskCluster and all its pods but the runner's."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.gone: dict[str, float] = {}
        self._connection, self._namespace = connection, namespace
        self._parts: dict[str, set[str]] = {}

    async def follow(self) -> None:
        """Until it is cancelled."""
        await asyncio.gather(self._follow("pods"), self._follow("daskclusters"))

    async def _follow(self, plural: str) -> None:
        path = f"{PARTS[plural]}/namespaces/{self._namespace}/{plural}"
        async for change, body in self._connection.watch(path, metadata_only=True, labelSelector=Jobs.to_go):
            job = body["metadata"]["labels"][JOB]
            parts = self._parts.setdefault(job, set())
            if change != "DELETED":
                parts.add(body["metadata"]["uid"])
                continue
            parts.discard(body["metadata"]["uid"])
            if not parts:
                self.gone[job] = time.monotonic()


class Held:
    """Graphs that compute until they are let go, the longest-held first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, asyncio.Event]] = deque()

    async def compute(self, job: str) -> None:
        event = asyncio.Event()
        self._waiting.append((job, event))
        await event.wait()

    def let_go(self) -> str:
        """The name of the job whose graph ends now."""
        job, event = self._waiting.popleft()
        event.set()
        return job

    def __len__(self) -> int:
        return len(self._waiting)


async def queued(bench: Bench, number: int, limit: int) -> list[Figure]:
    """`limit` of the jobs run at a time."""
    with _limited(bench, limit):
        async with bench.namespace(NAMESPACE) as namespace:
            held, clusters = Held(), Clusters(bench.connection, namespace)
            jobs, runners = Jobs(bench.connection, namespace), Runners(bench.connection, namespace, held.compute)
            async with bench.measured() as usage, running(jobs.follow(), runners.play(), clusters.follow()):
                began = time.monotonic()
                await asyncio.gather(*(jobs.create(job(f"job-{each}")) for each in range(number)))
                bench.tell(f"{number} created in {time.monotonic() - began:.1f} s")
                full = await jobs.until(
                    lambda: len(held) >= limit and len(jobs.placed.keys() | jobs.taken.keys()) >= number, PATIENCE
                )
                placed = time.monotonic() - began if full else None
                bench.tell(f"{len(held)} run, {len(jobs.placed)} know their place")
                await asyncio.sleep(IDLE_SECONDS / 2)
                before = usage[OPERATOR].cpu
                await asyncio.sleep(IDLE_SECONDS)
                idle = 100 * (usage[OPERATOR].cpu - before) / IDLE_SECONDS
                taken = len(jobs.taken)
                bench.tell(f"{taken} are taken up")
                waits = [await _free_one(held, jobs, clusters) for _ in range(FREED)] if full else []
                bench.tell(f"places freed: {waits}")
            found = usage[OPERATOR]
    known = [each for each in waits if each is not None]
    complete = len(known) == FREED
    values: list[tuple[str, float | None, str]] = [
        ("running", taken, ""),
        ("all have a place or run after", placed, "s"),
        ("operator, CPU while idle", idle, "%"),
        ("cluster gone → place taken, at most", max(known) if complete else None, "s"),
        ("cluster gone → place taken, at least", min(known) if complete else None, "s"),
        ("operator, memory at its peak", found.peak, "MiB"),
        ("restarts", found.restarts, ""),
    ]
    goals = {"running": at_most(limit), **GOALS}
    title = f"{number} queued behind {limit}"
    return [Figure(title, name, value, unit, goals.get(name)) for name, value, unit in values]


@contextmanager
def _limited(bench: Bench, limit: int) -> Iterator[None]:
    """The operator lets so many jobs run at a time, until the end."""
    bench.install({"limits": {"runningJobs": limit}})
    try:
        yield
    finally:
        bench.install()


async def _free_one(held: Held, jobs: Jobs, clusters: Clusters) -> float | None:
    """Seconds from the end of one job's cluster until the next job is taken up; less than 0: before; None: none was."""
    before, name = len(jobs.taken), held.let_go()
    if not await jobs.until(lambda: name in jobs.cleaned and len(jobs.taken) > before, 60):
        return None
    return max(jobs.taken.values()) - clusters.gone[name]
