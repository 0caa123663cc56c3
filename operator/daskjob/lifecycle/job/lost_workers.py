"""Other workers in place of those that are gone: evicted, drained, deleted, or on a node that is lost.

Nothing but the operator watches the pods of workers. The Dask controller, when the operator asks it, counts a group's
pods and creates those that are missing: to ask once too often does no harm.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from daskjob.lifecycle.job.actions import Action, ReplaceWorkers
from daskjob.lifecycle.job.observation import Observation, WorkerGroup

#: How long the Dask controller has to create the pods of a group, before the operator asks, and asks again.
PATIENCE = timedelta(seconds=10)
#: The same for a group whose last worker Kubernetes refused: the Dask controller tries that again by itself.
REFUSED_PATIENCE = timedelta(seconds=60)


def replace_lost(observation: Observation) -> tuple[list[Action], datetime | None]:
    """Requests for workers in place of those that are gone, and when to look again; None: no worker is missing."""
    attempt = observation.attempt
    short = [each for each in attempt.groups.values() if attempt.lacks_workers(each) and not each.deleting]
    due = [each for each in short if _due(each, observation.now) <= observation.now]
    later = [_due(each, observation.now) for each in short if each not in due]
    # What is asked for now is looked at again as if it had been asked before.
    later += [observation.now + _patience(each) for each in due]
    return [ReplaceWorkers(each.name) for each in due], min(later, default=None)


def _due(group: WorkerGroup, now: datetime) -> datetime:
    # A time that is to come is of another clock, or of somebody who wrote the annotation by hand.
    asked = group.asked if group.asked is not None and group.asked <= now else None
    return (asked or group.created or now) + _patience(group)


def _patience(group: WorkerGroup) -> timedelta:
    return PATIENCE if group.refusal is None else REFUSED_PATIENCE
