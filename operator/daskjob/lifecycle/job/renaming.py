"""Another name for an open attempt that cannot go on under its own: somebody else's object has a name that it needs, or
the operator was restarted before it had created the runner, and the tokens are lost that prove what is the attempt's.

No runner of the attempt exists then, so nothing has run. What else exists of it is removed before the other name is
recorded. A failed attempt this is not: it counts for no limit. While somebody keeps taking names, the pauses grow until
the startup deadline is over.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from daskjob.api.constants import ConditionType, EventReason, Reason
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job import conclusion, deadlines, progress, record, teardown
from daskjob.lifecycle.job.between_attempts import REMOVAL_CHECK
from daskjob.lifecycle.job.decision import Advance, Decision
from daskjob.lifecycle.job.observation import AttemptObservation, Observation
from daskjob.lifecycle.job.runs import with_status

#: Before the second other name the attempt is as old as this; before each further one, twice as long after the last.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
#: How old an attempt is that another operator gives up: so long a leader goes on that cannot renew its Lease.
OTHERS_PATIENCE = timedelta(seconds=8)

RESTARTED = "the operator was restarted while it created the attempt's first objects"
DELETED = "the attempt's DaskCluster was deleted before its runner was created"


def why_not_under_this_name(observation: Observation) -> tuple[Reason | None, str] | None:
    """Why the objects that the open attempt lacks cannot be created under its name; None: they can. The reason is one
    that the user must know."""
    attempt, recorded = observation.attempt, observation.open_attempt
    if attempt.new or recorded.token_digest is None or attempt.begun:
        return None
    if attempt.refusal is not None and attempt.refusal.attempt == recorded.name:
        return Reason.NAME_CONFLICT, attempt.refusal.message
    if not observation.holds_token:
        return None, RESTARTED
    if attempt.cluster is None and recorded.cluster_uid is not None:
        condition = observation.job.status.condition(ConditionType.CLUSTER_READY)
        # The operator itself removed the cluster, of which it had recorded the conflict.
        taken = condition is not None and condition.reason == Reason.NAME_CONFLICT
        if condition is not None and taken and f"'{recorded.name}" in condition.message:
            return Reason.NAME_CONFLICT, condition.message
        return None, DELETED
    return None


def rename(observation: Observation, reason: Reason | None, why: str) -> Decision | Advance:
    """Removes what exists of the open attempt, and then records another name for it. `reason`, `why`: as above."""
    due = _due(observation)
    if observation.now < due:
        return _wait(observation, due - observation.now)
    if not teardown.is_over(observation):
        actions = [
            *teardown.delete_stale_objects(observation),
            *teardown.remove_resolver(observation, "its attempt gets another name"),
            *teardown.remove_cluster(observation, "its attempt gets another name"),
        ]
        return replace(_wait(observation, REMOVAL_CHECK), actions=tuple(actions))
    status = record.draw_again(observation.job, observation.draw, reason, why, observation.now)
    after = replace(with_status(observation, status), attempt=AttemptObservation(new=True))
    number, name = after.open_attempt.number, after.open_attempt.name
    message = f"attempt {number} goes on as DaskCluster {name}: {why}"[: conclusion.EVENT_MESSAGE]
    event = Event(EventReason.RENAMED, message) if reason is None else Event(reason, message, warning=True)
    return Advance(after, (event,))


def _wait(observation: Observation, pause: timedelta) -> Decision:
    status = progress.follow(observation, observation.job.status, observation.open_attempt)
    moments = [moment - observation.now for moment in deadlines.moments(observation)]
    return Decision(status, requeue_after=min([*moments, pause]), keeps_refusal=True)


def _due(observation: Observation) -> datetime:
    """When the open attempt may get another name."""
    age = timedelta(0) if observation.holds_token else OTHERS_PATIENCE
    pauses = (min(FIRST_PAUSE * 2**each, LONGEST_PAUSE) for each in range(observation.open_attempt.draw - 1))
    return deadlines.began(observation) + max(age, sum(pauses, timedelta(0)))
