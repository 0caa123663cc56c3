"""The queue of jobs that wait for a place: which may start, which is where, and what each waits for.

Classes of namespaces go one after the other; within a class namespaces take turns; within a namespace jobs go by
priority and age. A change of one job takes logarithmic time, however many wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from sortedcontainers import SortedList

from daskjob.api.constants import Reason
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.lifecycle.job.queueing import Demand, QueueEntry, RunLimits

K = TypeVar("K", bound=Hashable)


@dataclass
class _Space(Generic[K]):
    """The jobs of one namespace. `turn`: the smaller, the sooner; `listed`: its element in the list of its class."""

    name: str
    #: Jobs that hold a place, and their workers.
    jobs: int = 0
    workers: int = 0
    turn: int = 0
    #: (order, key) of the jobs that wait.
    waiting: Any = field(default_factory=SortedList)
    listed: tuple[int, datetime, str] | None = None


@dataclass(frozen=True)
class _Next(Generic[K]):
    """The jobs that may start, in their order; of each namespace, how many these are, and their workers."""

    room: int
    keys: Mapping[K, None]
    spaces: Mapping[str, tuple[int, int]]


class RunQueue(Generic[K]):
    """Jobs by key (`K`), each with its entry."""

    def __init__(self, limits: RunLimits) -> None:
        self._limits = limits
        self._entries: dict[K, QueueEntry] = {}
        self._spaces: dict[str, _Space[K]] = {}
        self._holding = 0
        #: For each class, the namespaces of which a job may start as far as the namespace's own limits go.
        self._classes: list[Any] = [SortedList() for _ in limits.classes or (None,)]
        self._last_turn = 0
        #: The last answer of `startable`, until an entry changes.
        self._next: _Next[K] | None = None

    def entry(self, key: K) -> QueueEntry | None:
        return self._entries.get(key)

    def put(self, key: K, entry: QueueEntry) -> None:
        """Adds a job, or notes how it changed."""
        before = self._entries.get(key)
        if before == entry:
            return
        if entry.demand is Demand.NONE:
            self.remove(key)
            return
        # The namespace keeps its turn, also if this is its only job.
        self._take_out(key)
        self._next = None
        self._entries[key] = entry
        space = self._spaces.setdefault(entry.namespace, _Space(entry.namespace))
        if entry.demand is Demand.WAITS:
            space.waiting.add((entry.order, key))
        else:
            self._hold(space, entry, 1)
            if before is not None and before.demand is Demand.WAITS:
                self._last_turn += 1
                space.turn = self._last_turn
        self._list(space)

    def remove(self, key: K) -> None:
        """Forgets a job, and a namespace without any."""
        entry = self._take_out(key)
        space = self._spaces[entry.namespace] if entry is not None else None
        if space is not None and not space.waiting and not space.jobs:
            del self._spaces[space.name]

    def _take_out(self, key: K) -> QueueEntry | None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._next = None
        space = self._spaces[entry.namespace]
        if entry.demand is Demand.WAITS:
            space.waiting.remove((entry.order, key))
        else:
            self._hold(space, entry, -1)
        self._list(space)
        return entry

    def startable(self, room: int) -> Mapping[K, None]:
        """The jobs that may start now, in their order. `room`: how many attempts may start beside the limits."""
        return self._startable(room).keys

    def place(self, key: K, room: int) -> QueuePlace:
        """The job's place among those of its namespace that wait; position 0: it may start, or does not wait."""
        entry, following = self._entries.get(key), self._startable(room)
        if entry is None or entry.demand is not Demand.WAITS or key in following.keys:
            return QueuePlace()
        space, limits = self._spaces[entry.namespace], self._limits
        ahead = space.waiting.bisect_left((entry.order, key))
        first, workers = following.spaces.get(space.name, (0, 0))
        position = ahead - first + 1
        if limits.per_namespace and space.jobs + ahead >= limits.per_namespace:
            return QueuePlace(
                position, Reason.NAMESPACE_LIMIT, f"at most {limits.per_namespace} jobs of the namespace run at a time"
            )
        if not self._fits(space, first, space.jobs + first, space.workers + workers):
            return QueuePlace(
                position,
                Reason.NAMESPACE_LIMIT,
                f"the running jobs of the namespace have at most {limits.workers_per_namespace} workers together",
            )
        if limits.total and self._holding + len(following.keys) >= limits.total:
            return QueuePlace(
                position,
                Reason.OPERATOR_LIMIT,
                f"at most {limits.total} jobs of all namespaces run at a time; namespaces take turns",
            )
        return QueuePlace(
            position, Reason.STARTUP_PACE, "other jobs are starting; the next ones start as these come up"
        )

    def line(self, namespace: str, room: int) -> Iterator[tuple[int, K]]:
        """Positions and keys of the namespace's jobs that wait and may not start yet, in their order."""
        space, following = self._spaces.get(namespace), self._startable(room)
        keys = (key for _, key in space.waiting) if space is not None else ()
        return enumerate((key for key in keys if key not in following.keys), 1)

    def _startable(self, room: int) -> _Next[K]:
        if self._next is None or self._next.room != room:
            free = min(room, self._limits.total - self._holding) if self._limits.total else room
            keys: dict[K, None] = {}
            spaces: dict[str, tuple[int, int]] = {}
            for name, key in (each for spaces_of_class in self._classes for each in self._turns(spaces_of_class)):
                if len(keys) >= free:
                    break
                keys[key] = None
                count, workers = spaces.get(name, (0, 0))
                spaces[name] = count + 1, workers + self._entries[key].workers
            self._next = _Next(room, keys, spaces)
        return self._next

    def _turns(self, listed: Any) -> Iterator[tuple[str, K]]:
        """Namespaces in turn, each with the next job of it that may start as far as its own limits go."""
        again: deque[tuple[_Space[K], int, int]] = deque()
        for _, _, name in listed:
            yield self._turn(again, self._spaces[name], 0, self._spaces[name].workers)
        while again:
            yield self._turn(again, *again.popleft())

    def _turn(
        self, again: deque[tuple[_Space[K], int, int]], space: _Space[K], index: int, workers: int
    ) -> tuple[str, K]:
        key = space.waiting[index][1]
        index, workers = index + 1, workers + self._entries[key].workers
        if self._fits(space, index, space.jobs + index, workers):
            again.append((space, index, workers))
        return space.name, key

    def _fits(self, space: _Space[K], index: int, jobs: int, workers: int) -> bool:
        """Whether the job at that index may start beside so many jobs and workers of its namespace."""
        limits = self._limits
        if index >= len(space.waiting) or (limits.per_namespace and jobs >= limits.per_namespace):
            return False
        more = self._entries[space.waiting[index][1]].workers
        return not limits.workers_per_namespace or workers + more <= limits.workers_per_namespace

    def _hold(self, space: _Space[K], entry: QueueEntry, change: int) -> None:
        self._holding += change
        space.jobs += change
        space.workers += change * entry.workers

    def _list(self, space: _Space[K]) -> None:
        """Puts the namespace where it belongs among those of its class, or takes it from there."""
        listed = None
        if self._fits(space, 0, space.jobs, space.workers):
            listed = space.turn, self._entries[space.waiting[0][1]].created, space.name
        if listed == space.listed:
            return
        spaces = self._classes[self._limits.class_of(space.name)]
        if space.listed is not None:
            spaces.remove(space.listed)
        if listed is not None:
            spaces.add(listed)
        space.listed = listed
