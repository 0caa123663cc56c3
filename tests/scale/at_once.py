"""N jobs created at once: how fast they go through, what they take, and when all is gone."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from ..benchmarks.audit import count_requests
from ..support.platform import SYSTEM
from .bench import TELL_SECONDS, Bench, audit_log, running
from .figures import Figure, Goal, at_least, at_most, quantile
from .following import Jobs
from .manifests import job
from .playing import MESSAGES, Runners
from .processes import DASK_CONTROLLER, OPERATOR, Usage

NAMESPACE = "scale-at-once"
#: Goals by the number of jobs.
GOALS: dict[int, dict[str, Goal]] = {
    300: {"jobs a second": at_least(10), "reported → on the resource, p95": at_most(2), "last → all gone": at_most(90)},
    1000: {
        "last concluded after": at_most(150),
        "operator, memory at its peak": at_most(350),
        "Dask controller, memory at its peak": at_most(300),
        "operator, CPU a job": at_most(60),
    },
}
#: So many times what a job costs among the fewest may it cost among the most.
COST_RATIO = at_most(1.3)
#: The pods of 50 jobs are there within seconds; a job that waits for its turn waits for minutes at most.
SECONDS = 900.0


@dataclass
class Run:
    """What became of the jobs. Times are seconds from the first creation; `gone` None: something was left."""

    jobs: int
    succeeded: int = 0
    created: float = 0.0
    concluded: list[float] = field(default_factory=list)
    cleaned: list[float] = field(default_factory=list)
    #: Seconds from each runner's last report to the result on the resource.
    delays: list[float] = field(default_factory=list)
    gone: float | None = None
    left: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    #: To the API server, by "namespace/account verb resource", of all jobs.
    requests: dict[str, int] = field(default_factory=dict)


async def at_once(bench: Bench, number: int, seconds: float = SECONDS) -> Run:
    """Creates the jobs and returns when all are gone, or after `seconds` (and so long again for what is left)."""
    log = audit_log(bench.kube)
    offset = log.stat().st_size if log.exists() else 0
    async with bench.namespace(NAMESPACE) as namespace:
        jobs, runners = Jobs(bench.connection, namespace), Runners(bench.connection, namespace)

        async def tell() -> None:
            while True:
                await asyncio.sleep(TELL_SECONDS)
                numbers = len(runners.reported), len(jobs.concluded), len(jobs.cleaned)
                bench.tell("{} reported, {} concluded, {} clean".format(*numbers))

        async with bench.measured() as usage, running(jobs.follow(), runners.play(), tell()):
            began = time.monotonic()
            await asyncio.gather(*(jobs.create(job(f"job-{each}")) for each in range(number)))
            created = time.monotonic() - began
            bench.tell(f"{number} created in {created:.1f} s")
            await jobs.until(lambda: len(jobs.concluded) == number, seconds)
            await jobs.until(lambda: len(jobs.cleaned) == number, seconds)
            gone = await jobs.gone(10) if len(jobs.cleaned) == number else None
            run = Run(
                number,
                succeeded=len(jobs.concluded.keys() - jobs.failed.keys()),
                created=created,
                concluded=sorted(each - began for each in jobs.concluded.values()),
                cleaned=sorted(each - began for each in jobs.cleaned.values()),
                delays=[jobs.concluded[name] - at for name, at in runners.reported.items() if name in jobs.concluded],
                gone=None if gone is None else gone - began,
                left=await jobs.left(),
                failed=jobs.failed,
                usage=dict(usage),
            )
        bench.tell(f"{run.succeeded} of {number} succeeded")
        if log.exists():
            with log.open("rb") as file:
                file.seek(offset)
                marked = (line.decode() for line in file if b"system:serviceaccount:" in line and line.endswith(b"\n"))
                run.requests = dict(count_requests(marked, {namespace}, {SYSTEM}))
    return run


def figures(run: Run) -> list[Figure]:
    goals = {"succeeded": at_least(run.jobs), "restarts": at_most(0), **GOALS.get(run.jobs, {})}
    operator, controller = run.usage[OPERATOR], run.usage[DASK_CONTROLLER]
    last = run.concluded[-1] if len(run.concluded) == run.jobs else None
    milliseconds = 1000 / run.jobs
    found: list[tuple[str, float | None, str]] = [
        ("succeeded", run.succeeded, ""),
        ("restarts", operator.restarts + controller.restarts, ""),
        ("first concluded after", run.concluded[0] if run.concluded else None, "s"),
        ("last concluded after", last, "s"),
        ("jobs a second", run.jobs / last if last else None, ""),
        ("reported → on the resource, p95", quantile(run.delays, 0.95), "s"),
        ("last → all gone", run.gone - last if run.gone and last else None, "s"),
        ("operator, memory at its peak", operator.peak, "MiB"),
        ("Dask controller, memory at its peak", controller.peak, "MiB"),
        ("operator, CPU a job", operator.cpu * milliseconds, "ms"),
        ("Dask controller, CPU a job", controller.cpu * milliseconds, "ms"),
        ("API requests a job", sum(run.requests.values()) / run.jobs + MESSAGES if run.requests else None, ""),
    ]
    title = f"{run.jobs} at once"
    return [Figure(title, name, value, unit, goals.get(name)) for name, value, unit in found]


def compared(runs: list[Run]) -> list[Figure]:
    """What a job costs among the most jobs, over what it costs among the fewest."""
    few, many = min(runs, key=lambda run: run.jobs), max(runs, key=lambda run: run.jobs)
    if few.jobs == many.jobs:
        return []
    each = [run.usage[OPERATOR].cpu / run.jobs for run in (many, few)]
    return [Figure(f"{many.jobs} against {few.jobs}", "operator, CPU a job", each[0] / each[1], "times", COST_RATIO)]
