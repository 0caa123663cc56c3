"""After the end of a job: what the operator removes, what it keeps, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from daskjob.api.constants import ConditionType, Reason
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import DaskJobStatus, Failure
from daskjob.api.times import from_text, to_seconds_text, to_text
from daskjob.lifecycle.job import record, teardown
from daskjob.lifecycle.job.actions import DeleteJob
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.runs import wants_run


def keep_until(spec: DaskJobSpec, failure: Failure | None, ended: datetime) -> datetime | None:
    """Until when the operator keeps the cluster of an ended job; None: it removes the cluster at once."""
    if failure is None:
        seconds = spec.cleanup.after_success_seconds
    elif failure.reason == Reason.CANCELLED:
        seconds = 0
    else:
        seconds = spec.cleanup.after_failure_seconds
    return ended + timedelta(seconds=seconds) if seconds else None


def tend(observation: Observation) -> Decision:
    """Every pass: removes what still exists, records once that all is gone, and deletes the job after its TTL."""
    job, now, status = observation.job, observation.now, observation.job.status
    kept = kept_until(observation)
    actions = tuple(teardown.tear_down(observation, "the job has ended", keep_cluster=kept is not None))
    if kept is not None:
        return Decision(status, actions, requeue_after=kept - now)
    status = _let_go(observation)
    if not teardown.is_clean(observation):
        return Decision(status, actions, requeue_after=teardown.next_check(observation))
    if not status.is_true(ConditionType.CLEANED_UP):
        status = replace(status, timings=replace(status.timings, cleaned_up=to_text(now))).with_condition(
            ConditionType.CLEANED_UP,
            True,
            Reason.CLEANED_UP,
            "no pod of the cluster is left",
            to_seconds_text(now),
            job.generation,
        )
    if wants_run(job):
        # The run has just ended, and another one is asked for: the next pass begins it.
        return Decision(status, actions, requeue_after=timedelta(0))
    ended, ttl = from_text(status.completion_time), job.spec.ttl_seconds_after_finished
    if ttl is None or ended is None:
        return Decision(status, actions)
    left = ended + timedelta(seconds=ttl) - now
    if left > timedelta(0):
        return Decision(status, actions, requeue_after=left)
    return Decision(status, (*actions, DeleteJob()))


def kept_until(observation: Observation) -> datetime | None:
    """Until when the operator still keeps the cluster; None: the time is over, or the cluster is gone."""
    job = observation.job
    ended = from_text(job.status.completion_time)
    if ended is None or observation.attempt.cluster is None or observation.attempt.cluster.deleting:
        return None
    until = keep_until(job.spec, job.status.failure, ended)
    return until if until is not None and observation.now < until else None


def _let_go(observation: Observation) -> DaskJobStatus:
    """The status of a job whose cluster the operator keeps no longer: without dashboard, condition not `Kept`."""
    status = observation.job.status
    cluster = status.condition(ConditionType.CLUSTER_READY)
    if cluster is None or cluster.reason != Reason.KEPT:
        return status
    time = to_seconds_text(observation.now)
    return record.cluster_goes(status, Reason.CLEANING_UP, "the job has ended", observation.job, time)
