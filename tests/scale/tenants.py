"""One tenant's thousand jobs, and then another's one."""

from __future__ import annotations

import asyncio
import time

from .bench import Bench, running
from .figures import Figure, Goal, at_most
from .following import Jobs
from .manifests import job
from .playing import Runners
from .processes import DASK_CONTROLLER, OPERATOR

NAMESPACES = ("scale-tenant-many", "scale-tenant-one")
ONE = "one"
#: Seconds between the last of the many jobs and the one.
BETWEEN = 2.0
PATIENCE = 300.0
#: Served: its cluster and runner are made, and its runner runs.
GOALS: dict[str, Goal] = {"the one's runner runs after": at_most(3)}


async def tenants(bench: Bench, number: int) -> list[Figure]:
    many_namespace, one_namespace = NAMESPACES
    connection = bench.connection
    async with bench.namespace(many_namespace), bench.namespace(one_namespace):
        many, one = Jobs(connection, many_namespace), Jobs(connection, one_namespace)
        players = [Runners(connection, each) for each in NAMESPACES]
        parts = [many.follow(), one.follow(), *(each.play() for each in players)]
        async with bench.measured() as usage, running(*parts):
            await asyncio.gather(*(many.create(job(f"job-{each}")) for each in range(number)))
            await asyncio.sleep(BETWEEN)
            created = time.monotonic()
            await one.create(job(ONE))
            await one.until(lambda: ONE in one.concluded, PATIENCE)
            bench.tell(f"the one concluded, of the many {len(many.concluded)}")
        restarts = usage[OPERATOR].restarts + usage[DASK_CONTROLLER].restarts
    marks = {
        "the one is taken up after": one.taken.get(ONE),
        "the one's runner runs after": players[1].running.get(ONE),
        "the one's result is there after": one.concluded.get(ONE),
    }
    title = f"a tenant with {number} jobs, another with 1"
    figures = [
        Figure(title, name, None if at is None else at - created, "s", GOALS.get(name)) for name, at in marks.items()
    ]
    return [*figures, Figure(title, "restarts", restarts, "", at_most(0))]
