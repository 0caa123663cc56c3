"""The answers to the kubelet's probes.

`/healthz`, liveness, fails when something stands still that a new start would set going: a watch that hears nothing
and is not even refused; a pass over a job, the workers, the election or the full look that do not go on. An event loop
that hangs answers no probe at all.

It does not fail because the API server is down or refuses something, however long: a watch that is refused tries
again, a new process could do no better, and kubelets would restart all operators for ever, each time after a longer
pause. (A leader ends once when it can no longer renew its lease. The process after it waits.) Nor does it fail where
another process leads.

`/readyz`, readiness, says whether all is as it should be: every watch is up, and this process leads and has seen all
there is, or stands by for one that leads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.registry import Collector

from daskjob.controller import metrics
from daskjob.controller.work_queue import WorkQueue
from daskjob.kube.lease import LeaseLock
from daskjob.probes.heartbeat import Heartbeat
from daskjob.probes.server import probe, serving
from daskjob.probes.watch_health import Watches


@dataclass(frozen=True)
class LivenessLimits:
    """Seconds."""

    #: Without a sign of life of a watch. Bookmarks come about once a minute; kopf asks anew after 70 s of silence.
    watch: float = 180.0
    #: For a pass over a job: a few dozen requests, each of which has a time limit; usually it takes well below one.
    work: float = 600.0
    #: Without a try to get or renew the lease, due every two.
    election: float = 60.0
    #: Without a full look, successful or not, due every five minutes; on a large cluster it takes a while.
    resync: float = 1200.0
    #: Since somebody was last seen to lead.
    leader: float = 30.0


LIMITS = LivenessLimits()


class Health:
    """Of this process. `queues`: those that the leader works on."""

    def __init__(
        self,
        watches: Watches,
        lock: LeaseLock,
        queues: Collection[WorkQueue],
        limits: LivenessLimits = LIMITS,
    ) -> None:
        self._watches = watches
        self._lock = lock
        self._queues = queues
        self._limits = limits
        self._leading = False
        #: To be given after each full look, successful or not.
        self.looked = Heartbeat()
        #: Set when the first one has succeeded.
        self.complete = asyncio.Event()

    def lead(self) -> None:
        """This process leads from now on, until it ends."""
        self._leading = True
        self.looked.give()
        for queue in self._queues:
            queue.begin()
        metrics.LEADER.set(1)

    def dead(self) -> list[str]:
        """In words, what stands still; empty: nothing does."""
        limits = self._limits
        problems = self._watches.silent(limits.watch)
        if self._lock.asked.age > limits.election:
            problems.append(f"the lease has not been asked for for {self._lock.asked.age:.0f} s")
        if self._leading:
            problems += [stuck for queue in self._queues if (stuck := queue.stuck(limits.work)) is not None]
            if self.looked.age > limits.resync:
                problems.append(f"the last full look ended {self.looked.age:.0f} s ago")
        return problems

    def unready(self) -> list[str]:
        """In words, what is not as it should be, dead or not."""
        problems = [*self.dead(), *self._watches.unready()]
        if self._leading and not self.complete.is_set():
            problems.append("leads, but has not seen all objects yet")
        elif not self._leading and not self._stands_by():
            problems.append("does not lead, and nobody else is seen to lead")
        return problems

    def details(self) -> dict[str, Any]:
        return {
            "leading": self._leading,
            "leader": self._lock.holder,
            "secondsSinceSignOfLife": {path: round(age, 1) for path, age in self._watches.ages().items()},
            "queues": {queue.name: queue.depth for queue in self._queues},
        }

    def _stands_by(self) -> bool:
        holder = self._lock.holder
        return bool(holder) and holder != self._lock.identity and self._lock.answered.age <= self._limits.leader


async def answer(health: Health, collectors: Collection[Collector], health_port: int, metrics_port: int) -> None:
    """Answers probes and Prometheus on these ports (0: not at all) until cancelled. `collectors`: metrics to be looked
    up at each scrape."""
    async with AsyncExitStack() as stack:
        for collector in collectors:
            metrics.REGISTRY.register(collector)
            stack.callback(metrics.REGISTRY.unregister, collector)
        if health_port:
            paths = {
                "/healthz": probe(health.dead, health.details),
                "/readyz": probe(health.unready, health.details),
            }
            await stack.enter_async_context(serving(health_port, paths))
        if metrics_port:
            handler = make_aiohttp_handler(metrics.REGISTRY)
            await stack.enter_async_context(serving(metrics_port, {"/metrics": handler}))
        await metrics.measure_lag()
