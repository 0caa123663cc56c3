"""The work queue: keys of root objects that wait for a pass. One worker at a time runs a key's pass.

`fair_queue` has the order in which waiting keys are taken.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Collection

from daskjob.controller import metrics
from daskjob.controller.cache import Key
from daskjob.controller.fair_queue import FairQueue, Urgency
from daskjob.controller.pass_rate import SETTLING, SPACING, PassRate

#: Seconds before the queue tries a failed key again: doubled with every failure, up to the cap, with jitter.
BACKOFF, BACKOFF_CAP = 0.2, 60.0
#: Of ten workers, so many only take keys of something that runs or has ended. Passes that start something ask much of
#: the API server, and they may all wait for it: the fewer there are at a time, the sooner an end is recorded. Among 300
#: jobs at once on two cores, 95 % are within 0.9 s; with two of ten reserved, within 2.9 s, and no sooner ready.
RESERVED_OF_TEN = 7
#: Seconds by which a timer of asyncio may fire early.
RESOLUTION = 1e-6
RESERVED_FOR = (Urgency.ENDS, Urgency.CLEANS_UP, Urgency.GOES_ON)


class WorkQueue:
    """Keys that wait for a pass, as in Kubernetes' own controllers: a key that is added while it waits is there once; a
    key that is added during its pass gets one more pass afterwards. `name`: the label of its metrics; `urgency`: the
    class of a key whenever it is added."""

    def __init__(self, name: str = "daskjob", urgency: Callable[[Key], Urgency] = lambda _: Urgency.GOES_ON) -> None:
        self.name = name
        self._urgency = urgency
        self._ready = FairQueue()
        self._rate = PassRate()
        #: Set when a key was added, for the workers that wait for one.
        self._added = asyncio.Event()
        #: Loop time at which a waiting key was added.
        self._queued: dict[Key, float] = {}
        #: Loop time at which a key's pass began.
        self._active: dict[Key, float] = {}
        self._workers: list[asyncio.Task[None]] = []
        #: Loop time at which a pass last began or ended, or at which a key came into the empty queue.
        self._moved = 0.0
        #: Keys that were added during their pass.
        self._again: set[Key] = set()
        #: Loop time at which a delayed key becomes due.
        self._later: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = itertools.count()
        self._failures: dict[Key, int] = {}
        self._wake = asyncio.Event()

    def add(self, key: Key) -> None:
        """Queues a key for a pass as soon as a worker is free."""
        if key in self._active:
            self._again.add(key)
            return
        if key not in self._queued:
            now = _now()
            if not self._queued and not self._active:
                self._moved = now
            self._queued[key] = now
            metrics.QUEUE_ADDS.labels(self.name).inc()
        # A key that waits may have become more urgent.
        self._ready.add(key, self._urgency(key))
        self._added.set()

    def add_changed(self, key: Key, settles: bool = False) -> None:
        """Queues a key of which something changed: at once if something has ended, else within the rate of a key.
        `settles`: the change is one of several that belong together, and nobody waits for it while something runs."""
        urgency = self._urgency(key)
        spacing = SETTLING if settles and urgency is Urgency.GOES_ON else SPACING
        pause = self._rate.pause(key, _now(), spacing) if urgency is not Urgency.ENDS else 0.0
        if pause > 0.0:
            self.add_after(key, pause)
        else:
            self.add(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Queues a key once after that time; an earlier time that is already set stays."""
        due = _now() + max(seconds, 0.0)
        if due < self._later.get(key, float("inf")):
            self._later[key] = due
            heapq.heappush(self._heap, (due, next(self._count), key))
            self._wake.set()

    def add_failed(self, key: Key, at_least: float = 0.0) -> float:
        """Queues a key after a pause that grows with every failure in a row. Returns the pause in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(BACKOFF * 2.0 ** min(failures - 1, 20), BACKOFF_CAP) * random.uniform(0.5, 1.0)
        pause = max(pause, at_least)
        self.add_after(key, pause)
        metrics.QUEUE_RETRIES.labels(self.name).inc()
        return pause

    def forget_failures(self, key: Key) -> None:
        self._failures.pop(key, None)

    @property
    def depth(self) -> int:
        """How many keys wait for a worker."""
        return len(self._queued)

    def ages(self) -> list[float]:
        """For how many seconds the passes that run now have run."""
        now = _now() if self._active else 0.0
        return [now - began for began in self._active.values()]

    def stuck(self, limit: float) -> str | None:
        """What shows, in words, that the work hangs: a pass that takes longer than `limit` seconds; keys that have
        waited so long while no pass began or ended; a worker that has ended. None: nothing does."""
        ended = sum(worker.done() for worker in self._workers)
        if ended:
            return f"{ended} of {len(self._workers)} workers of queue {self.name} have ended"
        now = _now()
        for (namespace, name), began in self._active.items():
            if now - began > limit:
                return f"queue {self.name}: {namespace}/{name} has been worked on for {now - began:.0f} s"
        if self._queued and now - self._moved > limit:
            return f"queue {self.name}: {self.depth} keys wait, and none was taken up for {now - self._moved:.0f} s"
        return None

    def begin(self) -> None:
        """Counts the waiting time of all keys from now on: before, this process did not lead."""
        self._moved = _now()
        self._queued = dict.fromkeys(self._queued, self._moved)

    async def run(self, process: Callable[[Key], Awaitable[None]], workers: int) -> None:
        """Runs `process` for every key, until cancelled. `process` handles its own errors."""
        self.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            reserved = workers * RESERVED_OF_TEN // 10
            classes = [RESERVED_FOR if number < reserved else tuple(Urgency) for number in range(workers)]
            self._workers = [group.create_task(self._work(process, each)) for each in classes]

    async def _next(self, classes: Collection[Urgency]) -> Key:
        """Waits for a key of one of these classes, and takes it."""
        while not self._ready.waits(classes):
            self._added.clear()
            await self._added.wait()
        return self._ready.take(classes)[0]

    async def _work(self, process: Callable[[Key], Awaitable[None]], classes: Collection[Urgency]) -> None:
        while True:
            key = await self._next(classes)
            self._moved = self._active[key] = _now()
            metrics.QUEUE_WAIT.labels(self.name).observe(self._moved - self._queued.pop(key, self._moved))
            try:
                await process(key)
            finally:
                self._moved = _now()
                metrics.QUEUE_WORK.labels(self.name).observe(self._moved - self._active.pop(key, self._moved))
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    async def _tick(self) -> None:
        while True:
            self._wake.clear()
            pause = None
            while self._heap:
                due, _, key = self._heap[0]
                if due > _now() + RESOLUTION:
                    pause = due - _now()
                    break
                heapq.heappop(self._heap)
                # An entry counts only if its time is still the key's: `add_after` may have set an earlier one.
                if self._later.get(key) == due:
                    del self._later[key]
                    self.add(key)
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue


def _now() -> float:
    return asyncio.get_running_loop().time()
