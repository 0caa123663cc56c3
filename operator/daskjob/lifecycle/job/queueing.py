"""The installation's limits on running jobs, and what the queue needs of a job: does it hold a place, or want one?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from daskjob.api.constants import ConditionType, Reason
from daskjob.api.status import DaskJobStatus
from daskjob.lifecycle.job import teardown
from daskjob.lifecycle.job.observation import Observation, QueuePlace
from daskjob.lifecycle.job.runs import wants_run


class Demand(Enum):
    """Whether a job takes, or wants, one of the limited places."""

    NONE = "ended and gone, suspended, or not ours"
    WAITS = "wants to run"
    HOLDS = "runs, is between two attempts of a run, or something of its cluster is left"


@dataclass(frozen=True)
class RunLimits:
    """How many jobs may run, in all and in one namespace, and how many workers they may have; 0: no limit."""

    #: Running jobs in all, and of one namespace.
    total: int = 0
    per_namespace: int = 0
    #: Workers of all running jobs of a namespace together, and of one job. An adaptive cluster counts with its maximum.
    workers_per_namespace: int = 0
    workers_per_job: int = 0
    #: Classes of namespaces, the one whose jobs go first first. A namespace in none belongs to the last one.
    classes: tuple[frozenset[str], ...] = ()

    def class_of(self, namespace: str) -> int:
        """The index of the namespace's class."""
        last = max(len(self.classes) - 1, 0)
        return next((index for index, names in enumerate(self.classes) if namespace in names), last)


@dataclass(frozen=True)
class QueueEntry:
    """What the queue needs of a job. `workers`: the most that its cluster may have."""

    namespace: str
    name: str
    created: datetime
    priority: int
    workers: int
    demand: Demand

    @property
    def order(self) -> tuple[int, datetime, str]:
        """Its order among the jobs of its namespace: higher priority first, then older first."""
        return -self.priority, self.created, self.name


def entry_of(observation: Observation) -> QueueEntry:
    job = observation.job
    workers = job.spec.cluster.most_workers
    return QueueEntry(job.namespace, job.name, job.created, job.spec.priority, workers, _demand(observation))


def _demand(observation: Observation) -> Demand:
    job, status = observation.job, observation.job.status
    if job.unmanaged is not None:
        return Demand.NONE
    # A job to be suspended or cancelled holds its place until the status has it: the user may take it back until then.
    if not job.deleting and (status.open is not None or status.next_attempt_time is not None):
        return Demand.HOLDS
    # Until its pods are gone, another job would find no room where this one was.
    if status.attempt and not teardown.is_over(observation):
        return Demand.HOLDS
    if job.deleting:
        return Demand.NONE
    if status.finished:
        return Demand.WAITS if wants_run(job) else Demand.NONE
    return Demand.NONE if job.spec.suspend or job.spec.cancel else Demand.WAITS


def is_worth_writing(status: DaskJobStatus, place: QueuePlace) -> bool:
    """Whether a waiting job's status needs the new place. Every job that leaves the queue moves all those behind it: a
    place is written when it has halved or doubled, so that a job's wait costs few writes however long the queue is."""
    known, reason = status.queue_position, place.reason
    if known is None or 2 * place.position <= known or place.position >= 2 * known:
        return True
    condition = status.condition(ConditionType.QUEUED)
    # For some seconds at a time, any job may wait for others to start.
    return reason != Reason.STARTUP_PACE and (condition is None or condition.reason != reason)
