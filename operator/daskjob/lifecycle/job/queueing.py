"""Which jobs may run under the installation's limits: higher priority first, then older first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeVar

from daskjob.api.constants import Reason
from daskjob.lifecycle.job.observation import Job, QueuePlace
from daskjob.lifecycle.job.runs import wants_run

K = TypeVar("K", bound=Hashable)


class Demand(Enum):
    """Whether a job takes, or wants, one of the limited places."""

    NONE = "ended, suspended, or not ours"
    WAITS = "wants to run"
    HOLDS = "runs, or is between two attempts of a run"


@dataclass(frozen=True)
class RunLimits:
    """How many jobs may run, in all and in one namespace; 0: no limit."""

    total: int = 0
    per_namespace: int = 0

    def __bool__(self) -> bool:
        return bool(self.total or self.per_namespace)


@dataclass(frozen=True)
class QueueEntry:
    """What the queue needs of a job."""

    namespace: str
    name: str
    created: datetime
    priority: int
    demand: Demand

    @property
    def order(self) -> tuple[int, datetime, str, str]:
        return -self.priority, self.created, self.namespace, self.name


def entry_of(job: Job) -> QueueEntry:
    return QueueEntry(job.namespace, job.name, job.created, job.spec.priority, _demand(job))


def _demand(job: Job) -> Demand:
    status = job.status
    if job.deleting or job.unmanaged is not None:
        return Demand.NONE
    # A job to be suspended or cancelled holds its place until the status has it: the user may take it back until then.
    if status.open is not None or status.next_attempt_time is not None:
        return Demand.HOLDS
    if status.finished:
        return Demand.WAITS if wants_run(job) else Demand.NONE
    return Demand.NONE if job.spec.suspend or job.spec.cancel else Demand.WAITS


def places(entries: Mapping[K, QueueEntry], limits: RunLimits) -> dict[K, QueuePlace]:
    """The places of the waiting jobs; position 0 for those that may start now."""
    running = Counter(entry.namespace for entry in entries.values() if entry.demand is Demand.HOLDS)
    total = running.total()
    waiting = sorted(((entry, key) for key, entry in entries.items() if entry.demand is Demand.WAITS), key=_first)
    held_back: Counter[str | None] = Counter()
    found: dict[K, QueuePlace] = {}
    for entry, key in waiting:
        space = entry.namespace
        if limits.per_namespace and running[space] >= limits.per_namespace:
            held_back[space] += 1
            found[key] = QueuePlace(
                held_back[space],
                Reason.NAMESPACE_LIMIT,
                f"place {held_back[space]} of those that wait in namespace {space}: "
                f"{running[space]} of its jobs run, and {limits.per_namespace} may",
            )
        elif limits.total and total >= limits.total:
            held_back[None] += 1
            found[key] = QueuePlace(
                held_back[None],
                Reason.OPERATOR_LIMIT,
                f"place {held_back[None]} of those that wait: {total} jobs run, and {limits.total} may",
            )
        else:
            found[key] = QueuePlace()
            running[space] += 1
            total += 1
    return found


def _first(pair: tuple[QueueEntry, object]) -> tuple[int, datetime, str, str]:
    return pair[0].order


def startable(found: Mapping[K, QueuePlace]) -> Iterable[K]:
    return (key for key, place in found.items() if place.position == 0)
