"""How often the operator writes a status in which only counts and times changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from daskjob.api.constants import Phase
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.lifecycle.job.observation import Observation

#: The least time between two writes of counts and times alone, while the graph runs and before. Most jobs start within
#: the second, and what there is to say meanwhile is said with the graph's beginning.
MINOR_INTERVAL, STARTING_INTERVAL = timedelta(seconds=3), timedelta(seconds=5)
#: The least time between them as a share of the time that the job has run; the longer of the two counts. Before the
#: graph runs, the share is larger: where a thousand jobs start, each waits for long, and its counts change slowly.
MINOR_SHARE, STARTING_SHARE = 0.05, 0.5


def is_minor(before: DaskJobStatus, after: DaskJobStatus) -> bool:
    """Whether only counts and times changed: nothing that a user or a program waits for. That the cluster's object
    exists (`Pending` becomes `Starting`) is no more than that."""

    def major(status: DaskJobStatus) -> object:
        conditions = tuple((each.type, each.status, each.reason) for each in status.conditions)
        cancel_requested = status.markers.cancel_requested if status.markers is not None else None
        phase = Phase.PENDING if status.phase == Phase.STARTING else status.phase
        # Until their UIDs are recorded, tokens prove whose objects they are.
        attempts = tuple(replace(each, cluster_uid=None, runner_uid=None) for each in status.attempts)
        return phase, conditions, attempts, status.start_time, cancel_requested

    return major(before) == major(after)


def pause(observation: Observation) -> timedelta | None:
    """How long to wait with a write of counts and times alone; None: it is due."""
    last = observation.last_status_write
    if last is None:
        return None
    if observation.attempt.runner_report.computing:
        least, share, since = MINOR_INTERVAL, MINOR_SHARE, observation.job.status.start_time
    else:
        least, share, since = STARTING_INTERVAL, STARTING_SHARE, observation.open_attempt.start_time
    began = from_text(since) or last
    # The share is one of the time that will have passed when the write is due: a pass before that need not look again.
    due = max(last + least, began + (last - began) / (1 - share))
    return due - observation.now if due > observation.now else None
