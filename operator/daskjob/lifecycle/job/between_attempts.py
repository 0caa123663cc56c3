"""No attempt is open: what the next one waits for. Ordered rules, of which the first that applies decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from daskjob.api.constants import ConditionType, EventReason, Reason
from daskjob.api.times import from_text
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job import conclusion, deadlines, queueing, record, teardown
from daskjob.lifecycle.job.actions import Action
from daskjob.lifecycle.job.attempt_end import failed
from daskjob.lifecycle.job.decision import Advance, Decision
from daskjob.lifecycle.job.observation import AttemptObservation, Observation
from daskjob.lifecycle.job.pacing import MINOR_INTERVAL
from daskjob.lifecycle.job.runs import with_status
from daskjob.lifecycle.rules import first_hit

#: While the objects of an attempt are being removed: how soon the next pass runs if no watch event brings it earlier.
REMOVAL_CHECK = timedelta(seconds=10)
#: A job that only waits for others to start is recorded as queued after so long.
PACE_PATIENCE = timedelta(seconds=10)

SUSPENDED = Event(Reason.JOB_SUSPENDED, "the job is suspended")
RESUMED = Event(Reason.JOB_RESUMED, "the job goes on")


def wait(observation: Observation) -> Decision | Advance:
    """The answer of the first rule of `WAITING` that applies."""
    hit: tuple[str, Decision | Advance] | None = first_hit(WAITING, observation)
    assert hit is not None, "the last rule applies always"
    name, answer = hit
    return replace(answer, rules=(name, *answer.rules))


def cancelled_while_waiting(observation: Observation) -> Decision | None:
    """`spec.cancel` is true: the job fails with reason `Cancelled`."""
    if not observation.job.spec.cancel:
        return None
    return conclusion.finish(observation, failed(Reason.CANCELLED, "spec.cancel was set while nothing ran"))


def active_for_too_long(observation: Observation) -> Decision | None:
    """`spec.activeDeadlineSeconds` has passed: the job ends."""
    over = deadlines.past_active_deadline(observation)
    return conclusion.finish(observation, over) if over is not None else None


def suspended(observation: Observation) -> Decision | None:
    """`spec.suspend` is true: no attempt starts until it is false."""
    if not observation.job.spec.suspend:
        return None
    events = () if observation.job.status.is_true(ConditionType.SUSPENDED) else (SUSPENDED,)
    rest = None if teardown.is_clean(observation) else REMOVAL_CHECK
    status = record.suspend(observation.job, observation.now)
    return Decision(status, _removal(observation), events, requeue_after=rest)


def resumed(observation: Observation) -> Advance | None:
    """The job was suspended and `spec.suspend` is false: the job goes on."""
    if not observation.job.status.is_true(ConditionType.SUSPENDED):
        return None
    return Advance(with_status(observation, record.resume(observation.job, observation.now)), (RESUMED,))


def earlier_attempt_not_gone(observation: Observation) -> Decision | None:
    """An object of an earlier attempt may still act: the operator waits, because two attempts must not overlap."""
    if teardown.is_over(observation):
        return None
    soonest = min([*_pauses(observation), REMOVAL_CHECK])
    return Decision(observation.job.status, _removal(observation), requeue_after=soonest)


def backing_off(observation: Observation) -> Decision | None:
    """The pause after a failed attempt is not over: the job waits."""
    due = from_text(observation.job.status.next_attempt_time)
    if due is None or observation.now >= due:
        return None
    return Decision(observation.job.status, _removal(observation), requeue_after=min(_pauses(observation)))


def queued(observation: Observation) -> Decision | None:
    """Too many jobs run, or start: the job waits in the queue."""
    job, now, place = observation.job, observation.now, observation.queue_place
    if place.position <= 0:
        return None
    status, moments = record.queue(job, place, now), _pauses(observation)
    events: tuple[Event, ...] = ()
    new, last_write = not job.status.is_true(ConditionType.QUEUED), observation.last_status_write
    recorded_at = (place.since or now) + PACE_PATIENCE
    if new and place.reason == Reason.STARTUP_PACE and now < recorded_at:
        moments.append(recorded_at - now)
        status = job.status
    elif new:
        queued = status.condition(ConditionType.QUEUED)
        assert queued is not None
        events = (Event(EventReason.QUEUED, queued.message),)
    elif not queueing.is_worth_writing(job.status, place):
        status = job.status
    elif last_write is not None and now < last_write + MINOR_INTERVAL:
        moments.append(last_write + MINOR_INTERVAL - now)
        status = job.status
    # When there is room, the controller queues the first job at once.
    return Decision(status, _removal(observation), events, requeue_after=min(moments, default=None))


def absence_not_proved(observation: Observation) -> Decision | None:
    """Only the cache says that nothing of earlier attempts is left: the operator asks the API server."""
    if observation.live or not observation.job.status.attempt:
        return None
    return Decision(observation.job.status, needs_live_read=True)


def start(observation: Observation) -> Advance:
    """Nothing holds the job back: the operator records the next attempt, and the same pass creates its objects."""
    status = record.start(observation.job, observation.draw, observation.now)
    attempt = status.current
    assert attempt is not None
    # What this pass observed belongs to the earlier attempt.
    after = replace(with_status(observation, status), attempt=AttemptObservation(new=True))
    event = Event(EventReason.STARTED, f"attempt {attempt.number} started as DaskCluster {attempt.name}")
    return Advance(after, (event,))


WAITING: tuple[Callable[[Observation], Decision | Advance | None], ...] = (
    cancelled_while_waiting,
    active_for_too_long,
    suspended,
    resumed,
    earlier_attempt_not_gone,
    backing_off,
    queued,
    absence_not_proved,
    start,
)


def _removal(observation: Observation) -> tuple[Action, ...]:
    return tuple(teardown.tear_down(observation, "its attempt has ended"))


def _pauses(observation: Observation) -> list[timedelta]:
    """How long until the moments at which a rule could decide otherwise: backoff, active deadline, fencing."""
    due: list[datetime | None] = [
        from_text(observation.job.status.next_attempt_time),
        deadlines.active_deadline(observation),
        teardown.fenced_at(observation),
    ]
    return [moment - observation.now for moment in due if moment is not None and moment > observation.now]
