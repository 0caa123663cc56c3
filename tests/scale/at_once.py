"""N jobs created at once: how fast they go through, what they take, and when all is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from ..benchmarks.audit import count_requests
from ..support.platform import SYSTEM
from .bench import TELL_SECONDS, Bench, audit_log, running
from .connection import Body, Connection
from .figures import Figure, Goal, at_least, at_most, quantile
from .following import Jobs
from .manifests import job
from .playing import MESSAGES, Runners
from .processes import OPERATOR, Processes, Usage

NAMESPACE = "scale-at-once"
#: Goals by the number of jobs.
GOALS: dict[int, dict[str, Goal]] = {
    300: {"jobs a second": at_least(10), "reported → on the resource, p95": at_most(2), "last → all gone": at_most(90)},
    1000: {
        "last concluded after": at_most(150),
        "operator, memory at its peak": at_most(350),
        "dask-controller, memory at its peak": at_most(300),
        "operator, CPU a job": at_most(60),
    },
}
#: So many times what a job costs among the fewest may it cost among the most.
COST_RATIO = at_most(1.3)
#: Seconds until the last job may have ended, and for the removal of what is left then.
SECONDS = 900.0


@dataclass(frozen=True)
class Contender:
    """Whose jobs these are, how they are made, played and followed.

    `system`    the namespace of the operator's pods and accounts
    `messages`  requests of a runner, which the driver makes in its place
    """

    name: str
    system: str
    manifest: Callable[[str], Body]
    follow: Callable[[Connection, str], Jobs]
    play: Callable[[Connection, str], Runners]
    messages: int


OURS = Contender("ours", SYSTEM, job, Jobs, Runners, MESSAGES)
#: Jobs whose runners wait for no worker.
ALONE = replace(OURS, name="no worker needed", play=partial(Runners, needs_worker=False))


@dataclass
class Run:
    """What became of the jobs. Times are seconds from the first creation; `gone` None: something was left."""

    jobs: int
    contender: Contender
    succeeded: int = 0
    created: float = 0.0
    concluded: list[float] = field(default_factory=list)
    #: Seconds from each runner's last report to the result on the resource.
    delays: list[float] = field(default_factory=list)
    gone: float | None = None
    left: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    #: To the API server, by "namespace/account verb resource", of all jobs.
    requests: dict[str, int] = field(default_factory=dict)


async def at_once(
    bench: Bench,
    namespace: str,
    number: int,
    seconds: float = SECONDS,
    contender: Contender = OURS,
    processes: Processes | None = None,
) -> Run:
    """Creates the jobs and returns when all are gone, or after `seconds` (and so long again for what is left)."""
    log = audit_log(bench.kube)
    offset = log.stat().st_size if log.exists() else 0
    jobs, runners = contender.follow(bench.connection, namespace), contender.play(bench.connection, namespace)

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            numbers = len(runners.reported), len(jobs.concluded), len(jobs.cleaned)
            bench.tell("{} reported, {} concluded, {} clean".format(*numbers))

    async with bench.measured(processes) as usage, running(jobs.follow(), runners.play(), tell()):
        began = time.monotonic()
        await asyncio.gather(*(jobs.create(contender.manifest(f"job-{each}")) for each in range(number)))
        created = time.monotonic() - began
        bench.tell(f"{number} created in {created:.1f} s")
        await jobs.until(lambda: len(jobs.concluded) == number, seconds)
        gone = None
        if len(jobs.concluded) == number and await jobs.until(lambda: len(jobs.cleaned) == number, seconds):
            gone = await jobs.gone(seconds)
        bench.tell(f"{len(jobs.concluded)} of {number} concluded, {len(jobs.failed)} failed")
        run = Run(
            number,
            contender,
            succeeded=len(jobs.concluded.keys() - jobs.failed.keys()),
            created=created,
            concluded=sorted(each - began for each in jobs.concluded.values()),
            delays=[jobs.concluded[name] - at for name, at in runners.reported.items() if name in jobs.concluded],
            gone=None if gone is None else gone - began,
            left=await jobs.left(),
            failed=jobs.failed,
            usage=dict(usage),
        )
    if log.exists():
        run.requests = await asyncio.to_thread(_requests, bench, offset, namespace, contender.system)
    return run


def _requests(bench: Bench, offset: int, namespace: str, system: str) -> dict[str, int]:
    with audit_log(bench.kube).open("rb") as file:
        file.seek(offset)
        # The last line may be half written.
        marked = (line.decode() for line in file if b"system:serviceaccount:" in line and line.endswith(b"\n"))
        return dict(count_requests(marked, {namespace}, {system}))


def figures(run: Run) -> list[Figure]:
    """Goals are for our operator."""
    goals = {"succeeded": at_least(run.jobs), "restarts": at_most(0), **GOALS.get(run.jobs, {})}
    last = run.concluded[-1] if len(run.concluded) == run.jobs else None
    found: list[tuple[str, float | None, str]] = [
        ("succeeded", run.succeeded, ""),
        ("restarts", sum(each.restarts for each in run.usage.values()), ""),
        ("first concluded after", run.concluded[0] if run.concluded else None, "s"),
        ("last concluded after", last, "s"),
        ("jobs a second", run.jobs / last if last else None, ""),
        ("reported → on the resource, p95", quantile(run.delays, 0.95), "s"),
        ("last → all gone", run.gone - last if run.gone and last else None, "s"),
        *((f"{name}, memory at its peak", each.peak, "MiB") for name, each in run.usage.items()),
        *((f"{name}, CPU a job", 1000 * each.cpu / run.jobs, "ms") for name, each in run.usage.items()),
        *((f"{name}, wait for a CPU a job", 1000 * each.waited / run.jobs, "ms") for name, each in run.usage.items()),
        (
            "API requests a job",
            sum(run.requests.values()) / run.jobs + run.contender.messages if run.requests else None,
            "",
        ),
    ]
    ours = run.contender.system == SYSTEM
    title = f"{run.jobs} at once" if run.contender is OURS else f"{run.jobs} at once, {run.contender.name}"
    return [Figure(title, name, value, unit, goals.get(name) if ours else None) for name, value, unit in found]


def cost_ratio(runs: list[Run]) -> list[Figure]:
    """What a job costs among the most jobs, over what it costs among the fewest; nothing if there is one number."""
    few, many = min(runs, key=lambda run: run.jobs), max(runs, key=lambda run: run.jobs)
    if few.jobs == many.jobs:
        return []
    each = [run.usage[OPERATOR].cpu / run.jobs for run in (many, few)]
    title = f"{many.jobs} over {few.jobs} at once"
    return [Figure(title, "operator, CPU a job", each[0] / each[1], "times", COST_RATIO)]
