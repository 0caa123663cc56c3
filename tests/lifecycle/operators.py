"""One operator's process over the model, run pass by pass."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from daskjob.controller.cache import Key
from daskjob.controller.controller import Controller
from daskjob.controller.feed import Feed
from daskjob.controller.resync import first_look, resync
from daskjob.controllers.job.kind import JobKind
from daskjob.controllers.job.watched import BY_KIND
from daskjob.errors import ApiError
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.manifests.context import Defaults

from .model import Crash, ModelClient, Watch
from .world import World

DEFAULTS = Defaults(image="localhost/dask:test")
#: After how many seconds a pass that failed is made again.
BACKOFF = 60.0


class Operator:
    """One operator's process: its memory goes with every crash."""

    def __init__(self, world: World, loop: asyncio.Runner, limits: RunLimits) -> None:
        self.world, self.loop, self.limits = world, loop, limits
        #: How far its clock is ahead of the API server's.
        self.skew = timedelta()
        self.client = ModelClient(world.server, world.text)
        self.client.meanwhile = {"hear": self._hear, "aside": self._look_aside, "user": self._be_edited}
        self.watch = Watch()
        world.server.watches.append(self.watch)
        self.begin()

    def clock(self) -> datetime:
        return self.world.now + self.skew

    def begin(self) -> None:
        """A new process lists everything before it does anything."""
        self.client.crashed = False
        self.client.plan.clear()
        #: Jobs with a pass under way; jobs that the slots woke because there is room for them now.
        self.active: list[Key] = []
        self.woken: set[Key] = set()
        #: Jobs as they were at their last pass, and those whose last pass failed.
        self.looked_at: dict[Key, object] = {}
        self.failed: set[Key] = set()
        client: Any = self.client
        kind = JobKind(client, self.clock, b"program", DEFAULTS, self.limits, random=self.world.random)
        self.controller = Controller(kind)
        self.controller.kind.wake = self.controller.queue.add = self.woken.add  # type: ignore[method-assign]
        self.cache = self.controller.kind.cache
        self.watch.clear()
        self.loop.run(first_look(client, Feed((self.controller,)), (), self.watch_never_listed))
        self.controller.kind.slots.fill()
        self.looked_at = {key: self.edition(key) for key in self.cache.root_keys()}

    async def watch_never_listed(self) -> bool:
        return False

    def resync(self) -> None:
        client: Any = self.client
        self.loop.run(resync(client, Feed((self.controller,)), ()))

    def deliver(self, kind: str, count: int) -> set[Key]:
        """Returns the jobs that this has to be told of."""
        events, touched = self.watch.events[kind], set()
        for _ in range(min(count, len(events))):
            event, body = events.popleft()
            kept = self.cache.kept(body)
            touched.add(self.cache.drop(kept) if event == "DELETED" else self.cache.put(kept))
        return {key for key in touched if key is not None}

    def deliver_all(self) -> set[Key]:
        return {key for kind in sorted(BY_KIND) for key in self.deliver(kind, 1000)}

    def look(self, key: Key, plan: Sequence[str] = ()) -> float | None:
        """One pass, as the work queue makes it. Returns when to look again; nothing but ApiError may come of it."""
        self.client.plan = deque(plan)
        acting, self.world.acting = self.world.acting, self
        try:
            return self.loop.run(self._pass(key))
        except Crash:
            self.begin()
            return 0.0
        finally:
            self.world.acting = acting
            self.client.plan.clear()

    async def _pass(self, key: Key) -> float | None:
        self.active.append(key)
        self.looked_at[key] = self.edition(key)
        self.failed.discard(key)
        try:
            return await self.controller.reconcile(key)
        except ApiError as error:
            self.failed.add(key)
            return BACKOFF if error.requeue_after is None else min(error.requeue_after, BACKOFF)
        finally:
            self.active.remove(key)

    def edition(self, key: Key) -> object:
        """What users changed last of a job, as the cache has it."""
        metadata = (self.cache.root(key) or {"metadata": {}})["metadata"]
        fields = ("uid", "generation", "annotations", "deletionTimestamp")
        return [metadata.get(each) for each in fields]

    def stands_in_line(self, key: Key) -> bool:
        """Whether a pass that has ended well read the job as the cache has it."""
        return key not in (*self.active, *self.failed) and self.looked_at.get(key) == self.edition(key)

    # What can happen while a request is on its way.

    async def _hear(self) -> None:
        self.deliver_all()

    async def _be_edited(self) -> None:
        """Somebody wants another run of the job."""
        _, name = self.active[-1]
        if self.world.server.find("DaskJob", name) is not None:
            self.world.ask_to_rerun(name, "meanwhile")

    async def _look_aside(self) -> None:
        """Another worker's pass over another job, after news came in."""
        self.deliver_all()
        others = sorted(set(self.cache.root_keys()) - set(self.active))
        if others:
            await self._pass(others[0])
