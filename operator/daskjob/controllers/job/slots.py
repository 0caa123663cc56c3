"""Which jobs run and which wait, from what the cache has of all jobs."""

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
    """Holds jobs back while too many run. `wake` is called with each job that may start because another made room.

    Each pass goes through `passing`, and each of its decisions through `decide`.
    """

    def __init__(
        self, cache: Cache, limits: RunLimits, clock: Callable[[], datetime], wake: Callable[[Key], None]
    ) -> None:
        self._cache = cache
        self._limits = limits
        self._clock = clock
        self._wake = wake
        self._known: dict[Key, tuple[str, QueueEntry]] = {}
        #: Jobs whose start is being written.
        self._starting: set[Key] = set()
        #: Whether a job that ran runs no more, and nobody was woken for that.
        self._room = False

    @contextmanager
    def passing(self, key: Key) -> Iterator[None]:
        """Around a pass. A start that it writes counts as running at once, until the cache has it or the pass ends."""
        try:
            yield
        finally:
            self._end(key)

    def decide(self, key: Key, observation: Observation, rule: Callable[[Observation], Decision]) -> Decision:
        """The decision about a job that knows its place. There is no await between looking at who runs and counting
        this job among them: of two passes side by side only one takes the last place."""
        decision = rule(replace(observation, queue_place=self.place(key)))
        if decision.status.open is not None and observation.job.status.open is None:
            self._starting.add(key)
        return decision

    def place(self, key: Key) -> QueuePlace:
        """The job's place among those that wait; 0: it may start."""
        return places(self._entries(), self._limits).get(key, QueuePlace()) if self._limits else QueuePlace()

    def _end(self, key: Key) -> None:
        """If there is room now that there was not before, wakes those who may start."""
        began = key in self._starting
        self._starting.discard(key)
        if not self._limits:
            return
        entries = self._entries()
        # A start that was not written leaves room as well, and another job may have waited for it.
        self._room |= began and not (key in entries and _holds(entries[key]))
        if self._room:
            self._room = False
            for each in startable(places(entries, self._limits)):
                self._wake(each)

    def _entries(self) -> dict[Key, QueueEntry]:
        known, self._known = self._known, {}
        entries = {}
        for key, body in self._cache.roots():
            # A job that was made anew under the same name has another version too.
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
