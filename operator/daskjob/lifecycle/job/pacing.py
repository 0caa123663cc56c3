"""How often the operator writes a status in which only counts and times changed."""

from __future__ import annotations

from datetime import timedelta

from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.lifecycle.job.observation import Observation

#: The least time between two writes of counts and times alone.
MINOR_INTERVAL = timedelta(seconds=3)
#: The least time between them as a share of the time that the job has run; the longer of the two counts.
MINOR_SHARE = 0.05


def is_minor(before: DaskJobStatus, after: DaskJobStatus) -> bool:
    """Whether only counts and times changed: nothing that a user or a program waits for."""

    def major(status: DaskJobStatus) -> object:
        conditions = tuple((each.type, each.status, each.reason) for each in status.conditions)
        cancel_requested = status.markers.cancel_requested if status.markers is not None else None
        return status.phase, conditions, status.attempts, status.start_time, cancel_requested

    return major(before) == major(after)


def pause(observation: Observation) -> timedelta | None:
    """How long to wait with a write of counts and times alone; None: it is due."""
    if observation.last_status_write is None:
        return None
    began = from_text(observation.job.status.start_time) or observation.now
    due = observation.last_status_write + max(MINOR_INTERVAL, MINOR_SHARE * (observation.now - began))
    return due - observation.now if due > observation.now else None
