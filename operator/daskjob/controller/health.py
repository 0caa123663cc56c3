"""The answers to the kubelet's probes.

`/healthz` (liveness) fails when something hangs that a restart would repair: a watch that receives neither data nor an
error; a pass, the workers, the election or the resync that does not go on. A hanging event loop answers no probe at
all.

It does not fail while the API server is down or refuses requests, however long: a refused watch tries again, a new
process could do no better, and kubelets would restart all operators for ever, after ever longer pauses. (A leader ends
once when it can no longer renew its lease; the process after it waits.) Nor does it fail while another process leads.

`/readyz` (readiness) succeeds when every watch is up, and this process either leads and has completed a resync, or
stands by while another process leads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
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
    """The longest times, in seconds, before liveness fails."""

    #: Without a heartbeat of a watch. Bookmarks come about once a minute; kopf asks anew after 70 s of silence.
    watch: float = 180.0
    #: For one pass: a few dozen requests at most, each with a time limit. A normal pass takes less than a second.
    work: float = 600.0
    #: Without a try to get or renew the lease, which is due every 2 s.
    election: float = 60.0
    #: Without a resync, successful or not. One is due every 5 minutes, and takes a while on a large cluster.
    resync: float = 1200.0
    #: Since this process last read a lease that another process holds.
    leader: float = 30.0


LIMITS = LivenessLimits()


class Health:
    """Liveness and readiness of this process. `queues`: the work queues of the leader's controllers; `more`: give
    further details for the answers."""

    def __init__(
        self,
        watches: Watches,
        lock: LeaseLock,
        queues: Collection[WorkQueue],
        limits: LivenessLimits = LIMITS,
        more: Collection[Callable[[], dict[str, Any]]] = (),
    ) -> None:
        self._watches = watches
        self._lock = lock
        self._queues = queues
        self._limits = limits
        self._more = more
        self._leading = False
        #: The resync gives it after every try, successful or not.
        self.resynced = Heartbeat()
        #: Set when the first resync has succeeded.
        self.complete = asyncio.Event()

    def lead(self) -> None:
        """This process leads from now on, until it ends."""
        self._leading = True
        self.resynced.give()
        for queue in self._queues:
            queue.begin()
        metrics.LEADER.set(1)

    def dead(self) -> list[str]:
        """What hangs, in words; empty: nothing does."""
        limits = self._limits
        problems = self._watches.silent(limits.watch)
        if self._lock.asked.age > limits.election:
            problems.append(f"the lease has not been asked for for {self._lock.asked.age:.0f} s")
        if self._leading:
            problems += [stuck for queue in self._queues if (stuck := queue.stuck(limits.work)) is not None]
            if self.resynced.age > limits.resync:
                problems.append(f"the last full look ended {self.resynced.age:.0f} s ago")
        return problems

    def unready(self) -> list[str]:
        """Why this process is not ready, in words; empty: it is. Includes what `dead` returns."""
        problems = [*self.dead(), *self._watches.unready()]
        if self._leading and not self.complete.is_set():
            problems.append("leads, but has not seen all objects yet")
        elif not self._leading and not self._stands_by():
            problems.append("does not lead, and nobody else is seen to lead")
        return problems

    def details(self) -> dict[str, Any]:
        more = {name: value for details in self._more for name, value in details().items()}
        return {
            "leading": self._leading,
            "leader": self._lock.holder,
            "secondsSinceSignOfLife": {path: round(age, 1) for path, age in self._watches.ages().items()},
            "queues": {queue.name: queue.depth for queue in self._queues},
            **more,
        }

    def _stands_by(self) -> bool:
        holder = self._lock.holder
        return bool(holder) and holder != self._lock.identity and self._lock.answered.age <= self._limits.leader


async def answer(health: Health, collectors: Collection[Collector], health_port: int, metrics_port: int) -> None:
    """Answers probes and Prometheus on these ports (0: not at all) until cancelled. `collectors`: metrics that a scrape
    computes."""
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
