"""The limits on running jobs and the pace of their starts: which jobs may start now, and which wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from daskjob.api.constants import Reason
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.controller.cache import Cache, Key
from daskjob.controller.fair_queue import Urgency
from daskjob.controllers.job.urgency import urgency_of
from daskjob.kube.client import Body
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import AttemptObservation, Observation, QueuePlace
from daskjob.lifecycle.job.orphans import takes_room
from daskjob.lifecycle.job.progress import has_started
from daskjob.lifecycle.job.proof import Proof
from daskjob.lifecycle.job.queueing import Demand, QueueEntry, RunLimits, entry_of, is_worth_writing
from daskjob.lifecycle.job.reading import observe, read_job
from daskjob.lifecycle.job.run_queue import RunQueue
from daskjob.lifecycle.job.runs import with_status
from daskjob.lifecycle.job.startup_pace import COUNTS_FOR, StartupPace

logger = logging.getLogger(__name__)

#: Seconds between two looks for attempts that do not start, and between two updates of waiting jobs' places.
TICK, PLACES = 1, 10
#: How many waiting jobs one update of places wakes.
MOST_MOVED = 20


class Slots:
    """Keeps jobs waiting while too many run or start. When there is room, it calls `wake` with each that may start.

    Every pass runs in the context `passing`, every decision goes through `decide`, and `recorded` has every status that
    a pass wrote: so the queue changes with each job, and never looks at all of them. `fill` reads all jobs, once.
    """

    def __init__(
        self, cache: Cache, limits: RunLimits, clock: Callable[[], datetime], wake: Callable[[Key], None]
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._wake = wake
        self._queue: RunQueue[Key] = RunQueue(limits)
        self._pace = StartupPace()
        #: When an attempt began that has not started yet, the oldest first.
        self._starting: dict[Key, datetime] = {}
        #: What the passes under way decided about.
        self._observed: dict[Key, Observation] = {}
        #: Jobs whose start a pass is writing into the status.
        self._unwritten: set[Key] = set()
        #: Jobs that were woken because they may start.
        self._woken: Mapping[Key, None] = {}
        #: The last status of each job that holds a place, which tells what is the job's when that is gone.
        self._holding: dict[Key, DaskJobStatus] = {}
        #: Jobs that are gone, and of whose cluster something is left.
        self._gone: set[Key] = set()
        #: When a job began to wait, and its status at its last pass.
        self._waiting: dict[Key, tuple[datetime, DaskJobStatus]] = {}
        #: Namespaces in which waiting jobs moved on since the last update of places.
        self._moved: dict[str, None] = {}

    def fill(self) -> None:
        """Reads all jobs from the cache: an earlier process may have left jobs that run."""
        for key in self._cache.root_keys():
            body = self._cache.root(key)
            if body is None:
                self._forget(key)
            elif urgency_of(self._cache, key) is not Urgency.RESTS:
                try:
                    self._fill_in(key, body)
                except Exception:
                    # Its pass fails in the same way, and says so.
                    logger.exception("%s/%s cannot be counted among the jobs that run or wait", *key)
        self._starting = dict(sorted(self._starting.items(), key=lambda each: each[1]))
        self.tick()

    def _fill_in(self, key: Key, body: Body) -> None:
        now = self._clock()
        observation = observe(read_job(body, now), self._cache.owned(key), now)
        self._note(key, observation)
        attempt = observation.job.status.open
        began = from_text(attempt.start_time) if attempt is not None else None
        if began is not None and not has_started(observation):
            self._starting[key] = began

    @contextmanager
    def passing(self, key: Key) -> Iterator[None]:
        """The context of a pass. A job that the pass starts counts as running at once, before the cache has its
        status."""
        failed = True
        try:
            yield
            failed = False
        finally:
            self._end(key, failed)

    def decide(self, key: Key, observation: Observation, rule: Callable[[Observation], Decision]) -> Decision:
        """Decides about a job with its place in the queue. Counting the running jobs and adding this one happen without
        an await in between, so of two passes side by side only one takes the last place."""
        self._observed[key] = observation
        self._note(key, observation)
        decision = rule(replace(observation, queue_place=self.place(key)))
        if decision.status.open is not None and observation.job.status.open is None:
            self._unwritten.add(key)
            self._starting[key] = self._clock()
            self._note(key, _after(observation, decision.status))
        return decision

    def recorded(self, key: Key, status: DaskJobStatus) -> None:
        """Notes a status that a pass wrote."""
        self._unwritten.discard(key)
        observation = self._observed.get(key)
        if observation is not None:
            self._note(key, _after(observation, status))

    def place(self, key: Key) -> QueuePlace:
        """The job's place in the queue; position 0: it may start."""
        place = self._queue.place(key, self._room)
        since, _ = self._waiting.get(key, (None, None))
        return replace(place, since=since) if place.position else place

    def may_start(self, key: Key) -> bool:
        """Whether the job was woken because there is room for it: its pass must not wait behind those of jobs that
        only learn their place."""
        return key in self._woken

    def is_paced(self, key: Key, observation: Observation) -> bool:
        """Whether the job could start now, but for others that are starting."""
        self._note(key, observation)
        return self.place(key).reason == Reason.STARTUP_PACE

    def tick(self) -> None:
        """Stops counting attempts that have not started for long and pods on nodes that do not answer, and wakes the
        jobs that may start instead."""
        now = self._clock()
        for key in list(self._gone):
            self._forget(key)
        while self._starting:
            key, began = next(iter(self._starting.items()))
            if now < began + COUNTS_FOR:
                break
            del self._starting[key]
            self._pace = self._pace.given_up()
        self._offer()

    def update_places(self) -> None:
        """Wakes waiting jobs whose status has a place that is far from theirs, not many at a time."""
        left = MOST_MOVED
        for namespace in list(self._moved):
            del self._moved[namespace]
            for position, key in self._queue.line(namespace, self._room):
                known = self._waiting.get(key)
                if known is None or known[1].queue_position is None:
                    continue
                if is_worth_writing(known[1], replace(self.place(key), position=position)):
                    self._wake(key)
                    left -= 1
                if not left:
                    self._moved[namespace] = None
                    return

    async def keep_time(self) -> None:
        """Runs `tick` and `update_places` every now and then until cancelled."""
        while True:
            for _ in range(PLACES // TICK):
                await asyncio.sleep(TICK)
                self.tick()
            self.update_places()

    @property
    def _room(self) -> int:
        return self._pace.room(len(self._starting))

    def _end(self, key: Key, failed: bool) -> None:
        """Ends a pass: takes back what it did not write, and wakes the jobs that may start now."""
        observation = self._observed.pop(key, None)
        if key in self._unwritten:
            self._unwritten.discard(key)
            if observation is not None:
                self._note(key, observation)
        entry = self._queue.entry(key)
        if self._cache.root(key) is None:
            self._forget(key)
        elif failed and entry is not None and entry.demand is Demand.WAITS:
            # Until its next pass, others may take the place that this one could not.
            self._put(key, replace(entry, demand=Demand.NONE))
        self._offer()

    def _offer(self) -> None:
        startable = self._queue.startable(self._room)
        if startable is not self._woken:
            woken, self._woken = self._woken, startable
            for key in startable:
                if key not in woken:
                    self._wake(key)

    def _note(self, key: Key, observation: Observation) -> None:
        entry, status = entry_of(observation), observation.job.status
        self._put(key, entry)
        self._gone.discard(key)
        if entry.demand is Demand.HOLDS:
            self._holding[key] = status
        else:
            self._holding.pop(key, None)
        if entry.demand is Demand.WAITS:
            since, _ = self._waiting.get(key, (observation.now, status))
            self._waiting[key] = since, status
        else:
            self._waiting.pop(key, None)
        began = self._starting.get(key)
        if began is None:
            return
        if status.open is None:
            del self._starting[key]
        elif has_started(observation):
            self._pace = self._pace.started(len(self._starting))
            del self._starting[key]

    def _put(self, key: Key, entry: QueueEntry) -> None:
        before = self._queue.entry(key)
        if before is not None and before.demand is Demand.WAITS and entry.demand is not Demand.WAITS:
            self._moved[entry.namespace] = None
        self._queue.put(key, entry)

    def _forget(self, key: Key) -> None:
        """Forgets a job that is gone. Until its cluster is gone as well, it holds its place; of a job that was gone
        before this process began, nothing proves what its cluster was."""
        entry, now, held = self._queue.entry(key), self._clock(), self._holding.get(key)
        left = Proof(held, self._cache.owned(key)).objects if held is not None else ()
        if entry is not None and any(takes_room(each.body, now) for each in left):
            self._put(key, replace(entry, demand=Demand.HOLDS))
            self._gone.add(key)
        else:
            if entry is not None:
                self._put(key, replace(entry, demand=Demand.NONE))
            self._holding.pop(key, None)
            self._gone.discard(key)
        self._starting.pop(key, None)
        self._waiting.pop(key, None)


def _after(observation: Observation, status: DaskJobStatus) -> Observation:
    """The observation with the status that was written after it. Of an attempt that just began there is nothing yet."""
    after = with_status(observation, status)
    if status.attempt != observation.job.status.attempt:
        after = replace(after, attempt=AttemptObservation(new=True))
    return after
