"""One operator's process over the model, run pass by pass."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from daskjob.control.errors import ApiError
from daskjob.control.perform import Performer
from daskjob.control.queue import WorkQueue
from daskjob.control.reconcile import Reconciler
from daskjob.control.resync import resync
from daskjob.control.store import Store
from daskjob.manifests.pods import Defaults

from .model import NAMESPACE, Crash, ModelClient, Watch
from .world import World

KEY = (NAMESPACE, "sum")
DEFAULTS = Defaults(image="localhost/dask:test")


class Operator:
    """One operator's process: its memory goes with every crash."""

    def __init__(self, world: World, loop: asyncio.Runner) -> None:
        self.world, self.loop = world, loop
        self.client = ModelClient(world.server, world.text)
        self.watch = Watch()
        world.server.watches.append(self.watch)
        self.begin()

    def begin(self) -> None:
        """A new process lists everything before it does anything."""
        self.store, self.queue = Store(), WorkQueue()
        self.client.crashed = False
        self.client.plan.clear()
        client: Any = self.client
        performer = Performer(client, self.store, DEFAULTS, b"program")
        self.reconciler = Reconciler(client, self.store, performer, lambda: self.world.now)
        self.watch.clear()
        self.resync()

    def resync(self) -> None:
        client: Any = self.client
        self.loop.run(resync(client, self.store, self.queue, ()))

    def deliver(self, kind: str, count: int) -> None:
        events = self.watch.events[kind]
        for _ in range(min(count, len(events))):
            event, body = events.popleft()
            if event == "DELETED":
                self.store.drop(body)
            else:
                self.store.put(body)

    def look(self, plan: Sequence[str] = ()) -> float | None:
        """One pass, as the work queue makes it. Returns when to look again; nothing but ApiError may come of it."""
        self.client.plan = deque(plan)
        try:
            return self.loop.run(self.reconciler.reconcile(KEY))
        except (ApiError, Crash):
            if self.client.crashed:
                self.begin()
            return 60.0
        finally:
            self.client.plan.clear()
