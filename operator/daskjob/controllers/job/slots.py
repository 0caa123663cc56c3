"""Who runs and who waits, from what the store has of all jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from daskjob.controller.cache import Cache, Key
from daskjob.controllers.job.observe import read_job
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.lifecycle.job.queueing import Demand, Limits, QueueEntry, entry_of, startable, turns


class Slots:
    """`wake` is called with each job that may start because another one has made room."""

    def __init__(
        self, cache: Cache, limits: Limits, clock: Callable[[], datetime], wake: Callable[[Key], None]
    ) -> None:
        self._cache = cache
        self._limits = limits
        self._clock = clock
        self._wake = wake
        self._known: dict[Key, tuple[str, QueueEntry]] = {}
        #: Jobs whose start is being written.
        self._starting: set[Key] = set()
        #: A job that ran runs no more, and nobody was told.
        self._room = False

    def turn(self, key: Key) -> QueuePlace:
        """Whether that job may start. Call `starts` without waiting in between if it does."""
        return turns(self._slots(), self._limits).get(key, QueuePlace()) if self._limits else QueuePlace()

    def starts(self, key: Key) -> None:
        """Its start is about to be written: until the store has it, or `settled` is called, it counts as running."""
        self._starting.add(key)

    def settled(self, key: Key) -> None:
        """Its pass is over. If there is room now that was not there before, those who may start are told."""
        began = key in self._starting
        self._starting.discard(key)
        if not self._limits:
            return
        slots = self._slots()
        # A start that was not written leaves room as well, and another may have been told that it was taken.
        self._room |= began and not (key in slots and _holds(slots[key]))
        if self._room:
            self._room = False
            for each in startable(turns(slots, self._limits)):
                self._wake(each)

    def _slots(self) -> dict[Key, QueueEntry]:
        known, self._known = self._known, {}
        slots = {}
        for key, body in self._cache.job_bodies():
            # A job that was made anew under the same name has another version too.
            version = body["metadata"].get("resourceVersion", "")
            before = known.pop(key, None)
            same = before is not None and before[0] == version
            entry = before if before is not None and same else (version, entry_of(read_job(body, self._clock())))
            self._known[key] = entry
            slot = entry[1]
            self._room |= before is not None and _holds(before[1]) and not _holds(slot)
            slots[key] = replace(slot, claim=Demand.HOLDS) if key in self._starting else slot
        self._room |= any(_holds(slot) for _, slot in known.values())
        return slots


def _holds(slot: QueueEntry) -> bool:
    return slot.claim is Demand.HOLDS
