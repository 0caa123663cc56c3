"""What the queue of jobs costs the operator, with many that wait: `python tests/benchmarks/queueing.py [JOBS ...]`.

The jobs belong to several namespaces and wait behind a limit of 50. No API server, no process of the operator: only
what `Slots` does when a process begins, in a pass that changes nothing, when a job leaves and the next one starts, and
every few seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from daskjob.api.resource import DASK_JOBS
from daskjob.api.status import Attempt
from daskjob.controller.cache import Cache, Key
from daskjob.controllers.job.slots import Slots
from daskjob.controllers.job.watched import job_of
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.reading import observe, read_job
from daskjob.lifecycle.job.startup_pace import COUNTS_FOR

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT, NAMESPACES = 50, 20
DONE = [{"type": "Complete", "status": "True"}, {"type": "CleanedUp", "status": "True"}]


def job(number: int, **status: Any) -> dict[str, Any]:
    created = (NOW - timedelta(days=1) + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    metadata = {
        "namespace": f"team-{number % NAMESPACES}",
        "name": f"job-{number:06}",
        "uid": f"uid-{number}",
        "resourceVersion": str(number + 1),
        "creationTimestamp": created,
    }
    return {"kind": "DaskJob", "metadata": metadata, "spec": {"graph": {"entrypoint": "m:f"}}, "status": status}


def starts(observation: Observation) -> Decision:
    """Starts an attempt if the queue lets the job."""
    status = observation.job.status
    if observation.queue_place.position or status.finished:
        return Decision(status)
    return Decision(replace(status, attempt=1, attempts=(Attempt(1, "a"),)))


def timed(action: Callable[[], object], times: int = 1) -> float:
    """Milliseconds of one of so many."""
    began = time.perf_counter()
    for _ in range(times):
        action()
    return 1000 * (time.perf_counter() - began) / times


class Bench:
    """So many jobs, of which as many run as may."""

    def __init__(self, jobs: int) -> None:
        self.now = NOW
        self.cache = Cache(DASK_JOBS, job_of)
        for number in range(jobs):
            self.cache.put(job(number))
        self.woken: list[Key] = []
        self.running: list[Key] = []
        self.slots = Slots(self.cache, RunLimits(LIMIT), lambda: self.now, self.woken.append)
        self.filled = timed(self.slots.fill)
        for key, _ in list(self.cache.roots()):
            self.run(key)
        while len(self.running) < LIMIT:
            self.let_others_start()

    def let_others_start(self) -> None:
        """Attempts that began long ago do not keep others from starting."""
        self.now += COUNTS_FOR
        self.woken.clear()
        self.slots.tick()
        for key in list(self.woken):
            self.run(key)

    def run(self, key: Key) -> None:
        """One pass over a job, which starts it if it may."""
        with self.slots.passing(key):
            observation = observe(read_job(self.cache.root(key) or {}, self.now), (), self.now)
            decision = self.slots.decide(key, observation, starts)
            if decision.status is not observation.job.status:
                self.running.append(key)
                self.slots.recorded(key, decision.status)

    def look(self) -> None:
        """A pass over a job that waits, without reading it."""
        with self.slots.passing(self.last):
            self.slots.decide(self.last, self.observation, lambda _: Decision(self.observation.job.status))

    def leave(self) -> None:
        """The job that has run for longest leaves, and the one that is woken for that starts."""
        key = self.running.pop(0)
        body = self.cache.root(key) or {}
        self.cache.put({**body, "status": {"attempt": 1, "attempts": [{"number": 1}], "conditions": DONE}})
        self.woken.clear()
        self.run(key)
        (following,) = self.woken
        self.run(following)
        assert self.running[-1] == following

    def measure(self) -> str:
        """One line of figures."""
        self.last = list(self.cache.roots())[-1][0]
        self.observation = observe(read_job(self.cache.root(self.last) or {}, self.now), (), self.now)
        self.let_others_start()
        looked, left = timed(self.look, 1000), timed(self.leave, 15)
        ticked, places = timed(self.slots.tick, 100), timed(self.slots.update_places)
        return (
            f"all read in {self.filled:.0f} ms; one look {looked:.3f} ms; one leaves and the next one starts "
            f"{left:.3f} ms; every second {ticked:.3f} ms, every ten {places:.1f} ms"
        )


if __name__ == "__main__":
    for count in [int(each) for each in sys.argv[1:]] or [5_000, 50_000]:
        print(f"{count:>7} jobs: {Bench(count).measure()}")
