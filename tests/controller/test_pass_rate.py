"""A flood of changes of one job costs a bounded number of passes; what ends, and other jobs, do not wait."""

from __future__ import annotations

import asyncio

import pytest

from daskjob.controller import pass_rate
from daskjob.controller.cache import Key
from daskjob.controller.fair_queue import Urgency
from daskjob.controller.pass_rate import BURST, PER_SECOND, SETTLING, SPACING, PassRate
from daskjob.controller.work_queue import WorkQueue

from .test_queue import A, B, Log, in_jumping_time, working


@in_jumping_time
async def test_a_flood_brings_few_passes_and_the_last_change_one() -> None:
    queue, log = WorkQueue(), Log()
    async with working(queue, log):
        for _ in range(10_000):
            queue.add_changed(A)
            await asyncio.sleep(0.01)
        flood = len(log.keys)
        await asyncio.sleep(10)
    assert 100 * PER_SECOND <= flood <= BURST + 100 * PER_SECOND + 1
    assert len(log.keys) == flood + 1, "what changed last is looked at, too"


@in_jumping_time
async def test_an_ordinary_job_does_not_wait_and_a_flood_keeps_no_other_job_waiting() -> None:
    queue, log = WorkQueue(), Log()
    async with working(queue, log):
        for _ in range(1000):
            queue.add_changed(A)
            await asyncio.sleep(0.001)
        start = asyncio.get_running_loop().time()
        for _ in range(BURST):
            queue.add_changed(B)
            await asyncio.sleep(SPACING)
        begun = [time for time, key in log.begun if key == B]
        assert begun == pytest.approx([start + SPACING * n for n in range(BURST)], abs=0.01)


@in_jumping_time
async def test_changes_in_a_burst_share_passes() -> None:
    queue, log = WorkQueue(), Log()
    async with working(queue, log):
        start = asyncio.get_running_loop().time()
        for _ in range(10):
            queue.add_changed(A)
            await asyncio.sleep(SPACING / 8)
        await asyncio.sleep(1)
        assert [time for time, _ in log.begun] == pytest.approx([start, start + SPACING, start + 2 * SPACING], abs=0.01)


@in_jumping_time
async def test_an_end_does_not_wait_for_the_flood_before_it() -> None:
    urgency = Urgency.GOES_ON
    queue, log = WorkQueue(urgency=lambda _: urgency), Log()
    async with working(queue, log):
        for _ in range(1000):
            queue.add_changed(A)
            await asyncio.sleep(0.001)
        urgency = Urgency.ENDS
        ended = asyncio.get_running_loop().time()
        queue.add_changed(A)
        await asyncio.sleep(0.001)
        assert log.begun[-1] == (pytest.approx(ended), A)


@in_jumping_time
async def test_what_settles_waits_longer_unless_something_else_changes() -> None:
    queue, log = WorkQueue(), Log()
    async with working(queue, log):
        start = asyncio.get_running_loop().time()
        for _ in range(6):
            queue.add_changed(A, settles=True)
            await asyncio.sleep(0.05)
        queue.add_changed(A)
        await asyncio.sleep(0.05)
        queue.add_changed(A, settles=True)
        await asyncio.sleep(5)
        expected = [start, start + 0.3, start + SETTLING]
        assert [time for time, _ in log.begun] == pytest.approx(expected, abs=0.01)


def test_after_a_while_all_is_as_at_first() -> None:
    rate = PassRate()
    first = pauses(rate, 0.0)
    assert not any(first[:BURST]), first
    assert first[-10:] == pytest.approx([1 / PER_SECOND - SPACING] * 10)
    # After that time the bucket is full again.
    assert pauses(rate, 1000.0) == pytest.approx(first)


def pauses(rate: PassRate, now: float) -> list[float]:
    """How long each of more than twice `BURST` changes waits beyond the spacing, when each comes as soon as it may."""
    found = []
    for _ in range(2 * BURST + 10):
        found.append(rate.pause(A, now))
        now += found[-1] + SPACING
    return found


def test_quiet_keys_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pass_rate, "REMEMBERED", 10)
    rate = PassRate()
    keys: list[Key] = [("team", f"job-{number}") for number in range(100)]
    for number, key in enumerate(keys):
        rate.pause(key, float(number))
    assert len(rate._full_at) <= 10
