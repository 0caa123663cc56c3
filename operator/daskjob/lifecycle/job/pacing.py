"""How often a status is written that only brings other counts and times."""

from __future__ import annotations

from datetime import timedelta

from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.lifecycle.job.observation import Observation

#: Counts and times alone are written no more often than this.
MINOR_INTERVAL = timedelta(seconds=3)
#: … nor more often than this part of the time that the job has run.
MINOR_SHARE = 0.05


def is_minor(before: DaskJobStatus, after: DaskJobStatus) -> bool:
    """Whether only counts and times changed: nothing that a user or a program waits for."""

    def major(status: DaskJobStatus) -> object:
        conditions = tuple((each.type, each.status, each.reason) for each in status.conditions)
        cancel_requested = status.markers.cancel_requested if status.markers is not None else None
        return status.phase, conditions, status.attempts, status.start_time, cancel_requested

    return major(before) == major(after)


def pause(observation: Observation) -> timedelta | None:
    """How long to hold back a minor write; None: it is due."""
    if observation.last_status_write is None:
        return None
    began = from_text(observation.job.status.start_time) or observation.now
    due = observation.last_status_write + max(MINOR_INTERVAL, MINOR_SHARE * (observation.now - began))
    return due - observation.now if due > observation.now else None
