"""The limits on running jobs: which jobs may run and which wait, from the cache of all jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from daskjob.controller.cache import Cache, Key
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import Observation, QueuePlace
from daskjob.lifecycle.job.queueing import Demand, QueueEntry, RunLimits, entry_of, places, startable
from daskjob.lifecycle.job.reading import read_job


class Slots:
    """Keeps jobs waiting while too many run. When a job makes room, it calls `wake` with every job that may start.

    Every pass runs in the context `passing`, and every decision goes through `decide`.
    """

    def __init__(
        self, cache: Cache, limits: RunLimits, clock: Callable[[], datetime], wake: Callable[[Key], None]
    ) -> None:
        self._cache = cache
        self._limits = limits
        self._clock = clock
        self._wake = wake
        self._known: dict[Key, tuple[str, QueueEntry]] = {}
        #: Jobs whose start a pass is writing into the status.
        self._starting: set[Key] = set()
        #: Whether a job made room and no other job was woken for that yet.
        self._room = False

    @contextmanager
    def passing(self, key: Key) -> Iterator[None]:
        """The context of a pass. A job that the pass starts counts as running at once, before the cache has its
        status."""
        try:
            yield
        finally:
            self._end(key)

    def decide(self, key: Key, observation: Observation, rule: Callable[[Observation], Decision]) -> Decision:
        """Decides about a job with its place in the queue. Counting the running jobs and adding this one happen without
        an await in between, so of two passes side by side only one takes the last place."""
        decision = rule(replace(observation, queue_place=self.place(key)))
        if decision.status.open is not None and observation.job.status.open is None:
            self._starting.add(key)
        return decision

    def place(self, key: Key) -> QueuePlace:
        """The job's place in the queue; position 0: it may start."""
        return places(self._entries(), self._limits).get(key, QueuePlace()) if self._limits else QueuePlace()

    def _end(self, key: Key) -> None:
        """Wakes the jobs that may start, if there is more room than before the pass."""
        began = key in self._starting
        self._starting.discard(key)
        if not self._limits:
            return
        entries = self._entries()
        # A start that the pass failed to write makes room as well, and another job may wait for that.
        self._room |= began and not (key in entries and _holds(entries[key]))
        if self._room:
            self._room = False
            for each in startable(places(entries, self._limits)):
                self._wake(each)

    def _entries(self) -> dict[Key, QueueEntry]:
        known, self._known = self._known, {}
        entries = {}
        for key, body in self._cache.roots():
            # The version also differs if a user deleted the job and created another of the same name.
            version = body["metadata"].get("resourceVersion", "")
            before = known.pop(key, None)
            same = before is not None and before[0] == version
            entry = before if before is not None and same else (version, entry_of(read_job(body, self._clock())))
            self._known[key] = entry
            current = entry[1]
            self._room |= before is not None and _holds(before[1]) and not _holds(current)
            entries[key] = replace(current, demand=Demand.HOLDS) if key in self._starting else current
        self._room |= any(_holds(gone) for _, gone in known.values())
        return entries


def _holds(entry: QueueEntry) -> bool:
    return entry.demand is Demand.HOLDS
