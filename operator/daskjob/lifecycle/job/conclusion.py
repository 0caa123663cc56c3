"""What follows the end of an attempt: another attempt, or the end of the job."""

from __future__ import annotations

from dataclasses import replace

from daskjob.api.constants import EventReason, Reason
from daskjob.api.status import Attempt, DaskJobStatus, Retries
from daskjob.api.times import from_text
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job import finished, progress, record, retry
from daskjob.lifecycle.job.attempt_end import AttemptEnd
from daskjob.lifecycle.job.decision import Advance, Decision
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.runs import with_status

#: Characters of an Event's message: the API server takes 1,024.
EVENT_MESSAGE = 1000


def conclude(observation: Observation, end: AttemptEnd) -> Decision | Advance:
    """What follows from the end of the open attempt."""
    job, now, attempt = observation.job, observation.now, observation.open_attempt
    failure, before = end.failure, job.status.retries or Retries()
    if failure is None or job.spec.cancel:
        # A cancelled job gets no other attempt, whatever ended this one.
        return finish(observation, end)
    verdict = retry.judge(job.spec, before, failure)
    if verdict.retries is None:
        return finish(observation, end, verdict.note)
    took = now - (from_text(attempt.start_time) or now)
    pause = retry.pause(job.spec, job.uid, verdict.retries.total, took)
    last = replace(job, status=_last_status(observation, attempt))
    status = record.retry(last, attempt, failure, verdict.retries, pause, now)
    message = f"attempt {attempt.number} failed, another one follows: {failure.reason}: {failure.message or ''}"
    event = Event(EventReason.RETRYING, message[:EVENT_MESSAGE], warning=True)
    return Advance(with_status(observation, status), (event,))


def finish(observation: Observation, end: AttemptEnd, note: str = "") -> Decision:
    """Records the end of the job and starts to clean up in the same pass. `note`: added to the failure's message."""
    job, attempt, cluster = observation.job, observation.job.status.open, observation.attempt.cluster
    last = replace(job, status=_last_status(observation, attempt)) if attempt is not None else job
    exists = cluster is not None and not cluster.deleting
    keep_until = finished.keep_until(job.spec, end.failure, observation.now) if exists else None
    status = record.end(last, end, note, keep_until, observation.now)
    failure = status.failure
    reason = failure.reason if failure is not None else Reason.SUCCEEDED
    message = (failure.message or reason) if failure is not None else end.success
    event = Event(reason, message[:EVENT_MESSAGE], warning=failure is not None)
    after = finished.tend(with_status(observation, status))
    return replace(after, events=(event, *after.events))


def _last_status(observation: Observation, attempt: Attempt) -> DaskJobStatus:
    """The status with the last counts and times of the attempt that ends. It has the recorded conditions: the end sets
    them anew, and a condition that changed and changed back in one pass would get a new transition time."""
    status = observation.job.status
    return replace(progress.follow(observation, status, attempt), conditions=status.conditions)
