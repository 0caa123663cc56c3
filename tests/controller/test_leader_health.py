"""Whether the leader's own work goes on, as its health tells."""

from __future__ import annotations

import asyncio
from typing import Any

from daskjob.controller.cache import Key
from daskjob.controller.health import Health
from daskjob.controller.work_queue import WorkQueue
from daskjob.kube.lease import LeaseLock
from daskjob.probes.heartbeat import Heartbeat
from daskjob.probes.watch_health import Watches

from .clock import Clock
from .test_queue import in_jumping_time, working

JOB = ("team", "sum")


class Leader:
    """Health of a process without watches, in a time of its own."""

    def __init__(self) -> None:
        self.time = Clock(0.0)
        self.queue = WorkQueue()
        client: Any = None
        self.lock = LeaseLock(client, "ops", "lease", "me")
        self.lock.asked, self.lock.answered = Heartbeat(self.time), Heartbeat(self.time)
        self.health = Health(Watches(clock=self.time), self.lock, [self.queue])
        self.health.resynced = Heartbeat(self.time)


@in_jumping_time
async def test_a_pass_that_hangs() -> None:
    process = Leader()

    async def hang(key: Key) -> None:
        await asyncio.sleep(10_000)

    process.health.lead()
    process.queue.add(JOB)
    async with working(process.queue, hang):
        await asyncio.sleep(599)
        assert process.health.dead() == []
        await asyncio.sleep(2)
        assert process.health.dead() == ["queue daskjob: team/sum has been worked on for 601 s"]


@in_jumping_time
async def test_a_worker_that_died() -> None:
    """Without an error that anybody would see: a cancellation that was meant for something else."""
    process = Leader()

    async def cancelled(key: Key) -> None:
        raise asyncio.CancelledError

    process.health.lead()
    async with working(process.queue, cancelled):
        await asyncio.sleep(1)
        assert process.health.dead() == []
        process.queue.add(JOB)
        await asyncio.sleep(1)
        assert process.health.dead() == ["1 of 2 workers of queue daskjob have ended"]


@in_jumping_time
async def test_work_that_nobody_takes_up() -> None:
    process = Leader()
    process.queue.add(JOB)
    await asyncio.sleep(3600)
    assert process.health.dead() == [], "another process leads"
    process.health.lead()
    assert process.health.dead() == [], "it waited for nobody here"
    await asyncio.sleep(601)
    assert process.health.dead() == ["queue daskjob: 1 keys wait, and none was taken up for 601 s"]


@in_jumping_time
async def test_more_work_than_can_be_done() -> None:
    """An hour's work, a minute each: it goes on."""
    process = Leader()

    async def work(key: Key) -> None:
        await asyncio.sleep(60)

    process.health.lead()
    async with working(process.queue, work, 1):
        for number in range(60):
            process.queue.add(("team", str(number)))
        for _ in range(59):
            await asyncio.sleep(60)
            assert process.health.dead() == []
        await asyncio.sleep(7200)
        process.queue.add(JOB)
        assert process.health.dead() == [], "that there was nothing to do is no fault"


@in_jumping_time
async def test_an_election_that_stands_still() -> None:
    process = Leader()
    process.time.now = 59.0
    assert process.health.dead() == []
    process.time.now = 61.0
    assert process.health.dead() == ["the lease has not been asked for for 61 s"]


@in_jumping_time
async def test_full_looks_that_stand_still() -> None:
    process = Leader()
    process.time.now = 5000.0
    process.lock.asked.give()
    assert process.health.dead() == [], "who stands by has none"
    process.health.lead()
    assert process.health.dead() == []
    process.time.now += 1201.0
    process.lock.asked.give()
    assert process.health.dead() == ["the last full look ended 1201 s ago"]


@in_jumping_time
async def test_who_is_ready() -> None:
    process = Leader()
    assert process.health.unready() == ["does not lead, and nobody else is seen to lead"]
    process.lock.holder = "other"
    assert process.health.unready() == []
    process.time.now = 31.0
    assert process.health.unready() == ["does not lead, and nobody else is seen to lead"]
    process.health.lead()
    assert process.health.unready() == ["leads, but has not seen all objects yet"]
    process.health.complete.set()
    assert process.health.unready() == []
