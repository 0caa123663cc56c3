"""The work queue: which jobs to look at, each by one worker at a time, never twice for one reason."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable

from daskjob.control.store import Key

#: Seconds before a failed key is tried again: doubled each time, up to the cap, with jitter.
BACKOFF, BACKOFF_CAP = 0.2, 60.0


class WorkQueue:
    """Keys to process, as in Kubernetes' own controllers: a key that is queued again while it waits stays once; one
    that is queued while it is processed is processed once more after."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        self._active: set[Key] = set()
        self._again: set[Key] = set()
        self._later: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = itertools.count()
        self._failures: dict[Key, int] = {}
        self._wake = asyncio.Event()

    def add(self, key: Key) -> None:
        """As soon as a worker is free."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Once, after that time, unless an earlier time is set already."""
        due = asyncio.get_running_loop().time() + max(seconds, 0.0)
        if due < self._later.get(key, float("inf")):
            self._later[key] = due
            heapq.heappush(self._heap, (due, next(self._count), key))
            self._wake.set()

    def add_failed(self, key: Key, at_least: float = 0.0) -> float:
        """After a pause that grows with each failure in a row. Returns the pause in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(BACKOFF * 2.0 ** min(failures - 1, 20), BACKOFF_CAP) * random.uniform(0.5, 1.0)
        pause = max(pause, at_least)
        self.add_after(key, pause)
        return pause

    def forget_failures(self, key: Key) -> None:
        self._failures.pop(key, None)

    async def run(self, process: Callable[[Key], Awaitable[None]], workers: int) -> None:
        """Processes keys until cancelled. `process` handles its own errors."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            for _ in range(workers):
                group.create_task(self._work(process))

    async def _work(self, process: Callable[[Key], Awaitable[None]]) -> None:
        while True:
            key = await self._ready.get()
            self._queued.discard(key)
            self._active.add(key)
            try:
                await process(key)
            finally:
                self._active.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            pause = None
            while self._heap:
                due, _, key = self._heap[0]
                if due > loop.time():
                    pause = due - loop.time()
                    break
                heapq.heappop(self._heap)
                # A later entry of a key whose time was brought forward is void.
                if self._later.get(key) == due:
                    del self._later[key]
                    self.add(key)
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue
