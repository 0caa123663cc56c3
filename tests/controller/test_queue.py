"""The work queue, in jumping time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.controller import work_queue as module
from daskjob.controller.cache import Key
from daskjob.controller.fair_queue import Urgency
from daskjob.controller.work_queue import BACKOFF_CAP, WorkQueue

from .clock import run

A, B = ("team", "a"), ("team", "b")


def in_jumping_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    return lambda: run(test)


@asynccontextmanager
async def working(queue: WorkQueue, process: Callable[[Key], Awaitable[None]], workers: int = 2) -> Any:
    task = asyncio.ensure_future(queue.run(process, workers))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Log:
    """Processes keys, each for `seconds`, and remembers when."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.begun: list[tuple[float, Key]] = []
        self.active: list[Key] = []
        self.most = 0

    async def __call__(self, key: Key) -> None:
        assert key not in self.active, "two workers have one key"
        self.begun.append((asyncio.get_running_loop().time(), key))
        self.active.append(key)
        self.most = max(self.most, len(self.active))
        await asyncio.sleep(self.seconds)
        self.active.remove(key)

    @property
    def keys(self) -> list[Key]:
        return [key for _, key in self.begun]


@in_jumping_time
async def test_a_key_that_waits_is_there_once() -> None:
    queue, log = WorkQueue(), Log()
    for key in (A, B, A, A):
        queue.add(key)
    async with working(queue, log):
        await asyncio.sleep(1)
    assert log.keys == [A, B]


@in_jumping_time
async def test_a_key_added_while_it_is_processed_comes_once_more_after() -> None:
    queue, log = WorkQueue(), Log(10)
    queue.add(A)
    async with working(queue, log):
        await asyncio.sleep(1)
        for _ in range(5):
            queue.add(A)
        await asyncio.sleep(100)
    assert log.begun == [(0.0, A), (10.0, A)]


@in_jumping_time
async def test_keys_go_side_by_side_as_far_as_there_are_workers() -> None:
    queue, log = WorkQueue(), Log(10)
    for number in range(5):
        queue.add(("team", str(number)))
    async with working(queue, log, workers=2):
        await asyncio.sleep(100)
    assert [moment for moment, _ in log.begun] == [0, 0, 10, 10, 20]
    assert log.most == 2


@in_jumping_time
async def test_the_earliest_time_counts_and_counts_once() -> None:
    queue, log = WorkQueue(), Log()
    async with working(queue, log):
        queue.add_after(A, 30)
        queue.add_after(A, 10)
        queue.add_after(A, 20)
        queue.add_after(B, 15)
        await asyncio.sleep(100)
        assert log.begun == [(10, A), (15, B)]
        queue.add_after(A, 5)
        await asyncio.sleep(100)
    assert log.begun[2:] == [(105, A)]


@in_jumping_time
async def test_no_time_and_time_gone_by_are_now() -> None:
    queue, log = WorkQueue(), Log()
    async with working(queue, log):
        queue.add_after(A, 0)
        queue.add_after(B, -5)
        await asyncio.sleep(0.001)
    assert log.keys == [A, B]


@in_jumping_time
async def test_failures_in_a_row_take_ever_longer_up_to_a_cap() -> None:
    queue = WorkQueue()
    pauses = [queue.add_failed(A) for _ in range(40)]
    assert 0.1 <= pauses[0] <= 0.2
    for number, pause in enumerate(pauses):
        whole = min(0.2 * 2**number, BACKOFF_CAP)
        assert whole / 2 <= pause <= whole
    assert queue.add_failed(B) <= 0.2, "another key's failures are its own"
    queue.forget_failures(A)
    assert queue.add_failed(A) <= 0.2


@in_jumping_time
async def test_the_server_may_ask_for_a_longer_pause() -> None:
    assert WorkQueue().add_failed(A, at_least=7.0) == 7.0


@in_jumping_time
async def test_an_event_does_not_wait_for_a_pause_to_end() -> None:
    queue, log = WorkQueue(), Log()
    async with working(queue, log):
        queue.add_after(A, 60)
        await asyncio.sleep(1)
        queue.add(A)
        await asyncio.sleep(100)
    assert log.begun == [(1, A), (60, A)]


@in_jumping_time
async def test_ends_do_not_wait_for_beginnings_that_take_long() -> None:
    queue, log = WorkQueue(urgency=lambda key: Urgency[key[1].split("-")[0]]), Log(10)
    async with working(queue, log, workers=10):
        for number in range(8):
            queue.add(("team", f"BEGINS-{number}"))
        await asyncio.sleep(1)
        assert len(log.active) == 3
        queue.add(("team", "ENDS-0"))
        await asyncio.sleep(1)
        assert ("team", "ENDS-0") in log.active
        await asyncio.sleep(100)
    assert len(log.begun) == 9


@in_jumping_time
async def test_a_key_is_as_urgent_as_when_it_was_last_added() -> None:
    urgencies = {A: Urgency.BEGINS, B: Urgency.BEGINS}
    queue, log = WorkQueue(urgency=urgencies.__getitem__), Log()
    queue.add(A)
    queue.add(B)
    urgencies[B] = Urgency.ENDS
    queue.add(B)
    async with working(queue, log):
        await asyncio.sleep(1)
    assert log.keys == [B, A]


def test_the_pauses_of_many_keys_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        queue = WorkQueue()
        assert len({queue.add_failed(("team", str(number))) for number in range(50)}) > 40

    run(test)
    monkeypatch.setattr(module.random, "uniform", lambda low, high: high)

    async def steady() -> None:
        assert WorkQueue().add_failed(A) == module.BACKOFF

    run(steady)


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B]), st.sampled_from(["add", "after"]), st.integers(0, 9), st.integers(0, 9)),
        max_size=20,
    )
)
def test_nothing_is_lost_and_nothing_overlaps(steps: list[tuple[Key, str, int, int]]) -> None:
    """Whatever is asked for is processed at or after that time; never twice at once, never without being asked."""

    async def test() -> None:
        queue, log = WorkQueue(), Log(3)
        loop, wanted = asyncio.get_running_loop(), {A: [], B: []}
        async with working(queue, log):
            for key, how, delay, pause in steps:
                if how == "add":
                    queue.add(key)
                    wanted[key].append(loop.time())
                else:
                    queue.add_after(key, delay)
                    wanted[key].append(loop.time())
                await asyncio.sleep(pause)
            await asyncio.sleep(1000)
        for key, times in wanted.items():
            begun = [moment for moment, each in log.begun if each == key]
            assert len(begun) <= len(times)
            assert all(any(moment >= each for moment in begun) for each in times)
        assert log.active == []

    run(test)
