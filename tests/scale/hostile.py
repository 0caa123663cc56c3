"""Objects that nobody needs beside jobs that are to go on."""

from __future__ import annotations

import asyncio

from .bench import Bench, running
from .connection import Refused
from .figures import Figure, Goal, at_least, at_most
from .following import Jobs
from .hostile_objects import Hostile, hostile_objects
from .manifests import job
from .playing import Runners
from .processes import DASK_CONTROLLER, OPERATOR

NAMESPACE, NEIGHBOURS = "scale-hostile", "scale-neighbours"
PATIENCE = 180.0
#: For what the two processes still do about the objects.
SETTLE_SECONDS = 20.0
GOALS: dict[str, Goal] = {
    "restarts": at_most(0),
    "operator, memory at its peak": at_most(400),
    "dask-controller, memory at its peak": at_most(400),
    "ready after a restart among them": at_least(1),
}


async def hostile(bench: Bench, neighbours: int, settle_seconds: float = SETTLE_SECONDS) -> list[Figure]:
    """So many jobs of another namespace run beside the objects, and as many again after a restart of both processes,
    `settle_seconds` later."""
    connection = bench.connection
    async with bench.namespace(NAMESPACE) as namespace, bench.namespace(NEIGHBOURS) as neighbourhood:
        jobs, runners = Jobs(connection, neighbourhood), Runners(connection, neighbourhood)
        async with bench.measured() as usage, running(jobs.follow(), runners.play()):
            answers = [await _create(bench, namespace, each) for each in hostile_objects()]
            for answer in answers:
                bench.tell(answer)
            beside = await _run(jobs, "beside", neighbours)
            await asyncio.sleep(settle_seconds)
            bench.tell(f"{beside} of {neighbours} jobs succeeded beside them")
            ready = 1.0
            try:
                await asyncio.to_thread(bench.restart)
            except AssertionError as error:
                bench.tell(str(error))
                ready = 0.0
            after = await _run(jobs, "after", neighbours)
            bench.tell(f"{after} of {neighbours} jobs succeeded after the restart")
        operator, controller = usage[OPERATOR], usage[DASK_CONTROLLER]
    values: list[tuple[str, float, str]] = [
        ("taken by the API server", sum("taken" in each for each in answers), ""),
        ("neighbours that succeeded", beside, ""),
        ("ready after a restart among them", ready, ""),
        ("neighbours that succeeded after the restart", after, ""),
        ("restarts", operator.restarts + controller.restarts, ""),
        ("operator, memory at its peak", operator.peak, "MiB"),
        ("dask-controller, memory at its peak", controller.peak, "MiB"),
    ]
    everyone = {name: at_least(neighbours) for name, _, _ in values if name.startswith("neighbours")}
    return [Figure("hostile", name, value, unit, {**GOALS, **everyone}.get(name)) for name, value, unit in values]


async def _create(bench: Bench, namespace: str, each: Hostile) -> str:
    """What became of it, in words."""
    title = f"{each.plural} {each.name}, {len(each.body):,} bytes"
    try:
        await bench.connection.send("POST", f"{each.root}/namespaces/{namespace}/{each.plural}", each.body)
    except Refused as refused:
        return f"{title}: {str(refused)[:200]}"
    return f"{title}: taken"


async def _run(jobs: Jobs, prefix: str, number: int) -> int:
    """How many of so many new jobs succeed."""
    names = [f"{prefix}-{each}" for each in range(number)]
    await asyncio.gather(*(jobs.create(job(name)) for name in names))
    await jobs.until(lambda: all(name in jobs.concluded for name in names), PATIENCE)
    return sum(name in jobs.concluded and name not in jobs.failed for name in names)
