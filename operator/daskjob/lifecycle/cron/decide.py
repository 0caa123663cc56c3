"""The decision about a cron job: from one observation, the status to record, the actions, and when to look again.

Pure: no I/O, no clock but the observation's. The rules are those of Kubernetes' CronJob controller. Where that acts on
events, these rules use only what exists, so they decide the same after a restart:

- The controller creates a job first and records it when a later pass observes it (the opposite order of a job's
  attempts, which are recorded first: `lifecycle.job.decision`). The job's name follows from its scheduled time (or from
  the text of the annotation): after a crash the next pass observes that job instead of creating a second one, and
  every recorded job was created.
- The controller writes the status before it deletes a job, so the status has every run whose job is deleted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from daskjob.api.constants import ConditionType, Reason
from daskjob.api.cron_job import ActiveJob, ConcurrencyPolicy, CronReason, DaskCronJobSpec, DaskCronJobStatus
from daskjob.api.status import Condition
from daskjob.api.times import from_text, to_seconds_text
from daskjob.errors import ApiError, ErrorKind, SpecError
from daskjob.lifecycle.blocker import Blocker, blocker_of
from daskjob.lifecycle.cron.observation import Child, CreateJob, CronAction, CronJob, CronObservation, DeleteJob
from daskjob.lifecycle.cron.schedule import Schedule, ScheduleError, find_zone
from daskjob.lifecycle.event import Event
from daskjob.wire import clean

#: If a cron job missed more starts than this at once, the operator posts a warning: a clock may be wrong, or the
#: operator did not run for long.
MANY = 100
#: The most active jobs that the status names.
MAX_ACTIVE = 1000
#: Characters: the status has the hash of a longer annotation text.
MAX_TEXT = 256


@dataclass(frozen=True)
class CronDecision:
    """The controller carries this out in order: it writes the status, posts the events, runs the actions one by one."""

    status: DaskCronJobStatus
    actions: tuple[CronAction, ...] = ()
    events: tuple[Event, ...] = ()
    #: When the next pass runs if no watch event brings it earlier; None: only a watch event does.
    requeue_after: timedelta | None = None
    #: False: no rule of a cron job concludes anything from the absence of an object.
    needs_live_read: ClassVar[bool] = False
    keeps_refusal: ClassVar[bool] = False


def decide_cron(observation: CronObservation) -> CronDecision:
    """The status to write for the cron job, and the actions of this pass."""
    decision = _decide(observation)
    if any(isinstance(each, CreateJob) for each in decision.actions):
        # The next pass records the job.
        return replace(decision, requeue_after=timedelta(0))
    return decision


def template_blocker(error: ApiError | SpecError) -> Blocker | None:
    """The blocker to show the user when the API server refuses a job of the template; None if a later try may succeed
    unchanged."""
    blocker = blocker_of(error)
    if blocker is None or blocker.reason is Reason.NAME_CONFLICT:
        return blocker
    if isinstance(error, ApiError) and error.kind is ErrorKind.INVALID:
        return Blocker(Reason.INVALID_SPEC, f"spec.jobTemplate: {error.message}", permanent=True)
    return blocker


def refused_job(name: str, blocker: Blocker) -> Event:
    """The warning that the operator posts for a job that the API server refused."""
    return Event(CronReason.FAILED_CREATE, f"job {name} could not be made: {blocker.message}"[:1000], warning=True)


def _decide(observation: CronObservation) -> CronDecision:
    cron = observation.cron
    if cron.deleting:
        return CronDecision(cron.status)
    status, events = _account(observation)
    status = _follow_timetable(observation, status)
    surplus = _surplus(observation)
    schedule, problem = _schedule(cron.spec)
    if observation.not_served is not None:
        schedule, problem = None, (CronReason.NAMESPACE_NOT_SERVED, observation.not_served)
    status = _with_conditions(observation, status, problem)
    if cron.run_now and status.run_now != recorded(cron.run_now) and observation.not_served is None:
        # This pass starts nothing else: the concurrency policy must count this job, and only the next pass observes it.
        run = CreateJob(run_now_name(cron, status))
        return CronDecision(status, (*surplus, run), events)
    if schedule is None or cron.spec.suspend:
        return CronDecision(replace(status, next_schedule_time=None), surplus, events)
    following = schedule.next(observation.now)
    due, missed = _due(observation, status, schedule)
    events += missed
    actions: tuple[CronAction, ...] = surplus
    if due is not None:
        actions, held_back = _run(observation, due)
        events += held_back
        actions = (*surplus, *actions)
    if not any(isinstance(each, CreateJob) for each in actions):
        # If this pass creates a job, the next pass records that job and the time after it in one write.
        status = replace(status, next_schedule_time=to_seconds_text(following) if following else None)
    return CronDecision(status, actions, events, requeue_after=following - observation.now if following else None)


def job_name(cron: str, scheduled_at: datetime) -> str:
    """The name that Kubernetes' CronJob gives: with the minute (since 1970) of the scheduled time."""
    return f"{cron}-{int(scheduled_at.timestamp()) // 60}"


def run_now_name(cron: CronJob, status: DaskCronJobStatus) -> str:
    """The name of the job that the annotation asks for. It depends on the count of such jobs: a user may set the same
    text a second time, and then asks for another job."""
    request = f"{cron.uid}/{status.run_now_count or 0}/{cron.run_now}"
    return f"{cron.name}-r{hashlib.sha256(request.encode(errors='replace')).hexdigest()[:7]}"


def recorded(text: str) -> str:
    """What the status has of the annotation's text: the text, or its hash if it is long."""
    if len(text) <= MAX_TEXT:
        return text
    return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"


def _account(observation: CronObservation) -> tuple[DaskCronJobStatus, tuple[Event, ...]]:
    """The status with what the observed jobs changed, and the events about it."""
    cron, now = observation.cron, observation.now
    before = cron.status
    known = {each.uid: each for each in before.active}
    last, succeeded = from_text(before.last_schedule_time), from_text(before.last_successful_time)
    status, events = before, []
    wanted = run_now_name(cron, before) if cron.run_now and before.run_now != recorded(cron.run_now) else None
    for job in sorted(observation.jobs, key=lambda each: (each.created, each.name)):
        # Anybody can write the annotation: its time counts only if the job's name follows from it.
        at = job.scheduled_at if job.scheduled_at and job.name == job_name(cron.name, job.scheduled_at) else None
        new = (at is not None and at <= now and (last is None or at > last)) or job.name == wanted
        if new:
            events.append(Event(CronReason.SUCCESSFUL_CREATE, f"created job {job.name}"))
        if new and at is not None:
            last = at
        elif new:
            status = replace(
                status, run_now=recorded(cron.run_now or ""), run_now_count=(status.run_now_count or 0) + 1
            )
        if job.ended is None and not new and job.uid not in known and at is None and not job.deleting:
            words = f"job {job.name} names this cron job as its controller, which did not make it or forgot it"
            events.append(Event(CronReason.UNEXPECTED_JOB, words, warning=True))
        if job.ended is not None and (new or job.uid in known):
            words = f"saw completed job: {job.name}, condition: {job.ended}"
            events.append(Event(CronReason.SAW_COMPLETED_JOB, words))
        if job.ended is ConditionType.COMPLETE and job.ended_at is not None:
            succeeded = max(succeeded or job.ended_at, job.ended_at)
    there = {each.uid for each in observation.jobs}
    for active in before.active:
        if active.uid not in there:
            events.append(Event(CronReason.MISSING_JOB, f"active job went missing: {active.name}"))
    status = replace(
        status,
        observed_generation=cron.generation,
        active=tuple(ActiveJob(each.name, each.uid) for each in _active(observation)[-MAX_ACTIVE:]),
        active_count=len(_active(observation)),
        last_schedule_time=to_seconds_text(last) if last is not None else None,
        last_successful_time=to_seconds_text(succeeded) if succeeded is not None else None,
    )
    return status, tuple(events)


def _active(observation: CronObservation) -> list[Child]:
    """Jobs that have not ended, the oldest first. A job that is being deleted counts until it is gone."""
    jobs = sorted(observation.jobs, key=lambda each: (each.created, each.name))
    return [job for job in jobs if job.ended is None]


def _follow_timetable(observation: CronObservation, status: DaskCronJobStatus) -> DaskCronJobStatus:
    """Records an edited schedule and when the operator observed the edit: times of the new schedule before the edit do
    not count as missed.

    If the edit happened while no operator ran, its time is not known: then they count, as they do in Kubernetes.
    """
    timetable = observation.cron.spec.timetable
    if status.timetable == timetable:
        return status
    if status.timetable is not None and observation.met:
        status = replace(status, timetable_change_time=to_seconds_text(observation.now))
    return replace(status, timetable=timetable)


def _surplus(observation: CronObservation) -> tuple[CronAction, ...]:
    """Deletes ended jobs beyond the history limits, first those that ended first."""
    spec = observation.cron.spec
    limits = {
        ConditionType.COMPLETE: (spec.successful_jobs_history_limit, "successfulJobsHistoryLimit"),
        ConditionType.FAILED: (spec.failed_jobs_history_limit, "failedJobsHistoryLimit"),
    }
    actions: list[CronAction] = []
    for ended, (limit, name) in limits.items():
        jobs = [job for job in observation.jobs if job.ended is ended and not job.deleting]
        jobs.sort(key=lambda each: (each.ended_at or each.created, each.name))
        actions += [DeleteJob(job, f"spec.{name} is {limit}", ended=True) for job in jobs[: max(len(jobs) - limit, 0)]]
    return tuple(actions)


def _schedule(spec: DaskCronJobSpec) -> tuple[Schedule | None, tuple[CronReason, str] | None]:
    """The schedule, or what is wrong with it (reason and message)."""
    try:
        zone = find_zone(spec.time_zone)
    except ScheduleError as error:
        return None, (CronReason.UNKNOWN_TIME_ZONE, f"spec.timeZone: {error}")
    try:
        return Schedule(spec.schedule, zone), None
    except ScheduleError as error:
        return None, (CronReason.INVALID_SCHEDULE, f"spec.schedule: {error}")


def _due(
    observation: CronObservation, status: DaskCronJobStatus, schedule: Schedule
) -> tuple[datetime | None, tuple[Event, ...]]:
    """The scheduled time for which this pass creates a job: the last one that has come and has no recorded job. Earlier
    ones are skipped for good, and so is one that is past its starting deadline."""
    cron, now = observation.cron, observation.now
    since = from_text(status.last_schedule_time) or cron.created
    since = max(since, from_text(status.timetable_change_time) or since)
    due = schedule.latest(since, now)
    if due is None:
        return None, ()
    limit = cron.spec.starting_deadline_seconds
    if limit is not None:
        since = max(since, now - timedelta(seconds=limit))
        if due <= since:
            words = f"missed the start at {_shown(due, schedule)}: it was not made within {limit} s"
            return None, (Event(CronReason.MISS_SCHEDULE, words, warning=True),)
    events: tuple[Event, ...] = ()
    if _more_than(MANY, schedule, since, now):
        words = (
            f"more than {MANY} starts were missed before that at {_shown(due, schedule)}, which alone is made up for: "
            "set or lower spec.startingDeadlineSeconds, or check the clocks"
        )
        events = (Event(CronReason.TOO_MANY_MISSED_TIMES, words, warning=True),)
    return due, events


def _more_than(count: int, schedule: Schedule, since: datetime, until: datetime) -> bool:
    return any(number >= count for number, _ in enumerate(schedule.times(since, until)))


def _run(observation: CronObservation, due: datetime) -> tuple[tuple[CronAction, ...], tuple[Event, ...]]:
    """The actions that create the due job, if the concurrency policy allows it."""
    cron, active = observation.cron, _active(observation)
    actions: tuple[CronAction, ...] = ()
    if active and cron.spec.concurrency_policy is ConcurrencyPolicy.FORBID:
        words = f"no job for {to_seconds_text(due)}: {active[0].name} is active and spec.concurrencyPolicy is Forbid"
        return (), (Event(CronReason.JOB_ALREADY_ACTIVE, words),)
    if cron.spec.concurrency_policy is ConcurrencyPolicy.REPLACE:
        why = "the next one is due and spec.concurrencyPolicy is Replace"
        actions = tuple(DeleteJob(job, why, ended=False) for job in active if not job.deleting)
    return (*actions, CreateJob(job_name(cron.name, due), due)), ()


def _with_conditions(
    observation: CronObservation, status: DaskCronJobStatus, problem: tuple[CronReason, str] | None
) -> DaskCronJobStatus:
    """`Ready` is True while the operator starts runs as the spec asks. `Stalled` exists, and is True, only while it
    cannot, or while none of them can succeed."""
    spec, refusal = observation.cron.spec, observation.refusal
    reason, message, ready, stalled = str(CronReason.SCHEDULED), "jobs are made by the schedule", True, False
    if problem is not None:
        (reason, message), ready, stalled = problem, False, True
    elif observation.template_problem is not None:
        # Jobs are created all the same: their failures are in the history.
        message = f"each job fails with {Reason.INVALID_SPEC}: {observation.template_problem}"[:8000]
        reason, ready, stalled = str(CronReason.INVALID_TEMPLATE), False, True
    elif refusal is not None:
        message = f"a job could not be made: {refusal.reason}: {refusal.message}"[:8000]
        reason, ready, stalled = str(CronReason.FAILED_CREATE), False, refusal.permanent
    elif spec.suspend:
        reason, message = str(CronReason.SUSPENDED), "spec.suspend is true: no job is made until it is false"
    wanted = [(ConditionType.READY, ready)] + ([(ConditionType.STALLED, True)] if stalled else [])
    before = {each.type: each for each in status.conditions}
    conditions = []
    for kind, value in wanted:
        word = "True" if value else "False"
        old = before.get(kind)
        since = old.last_transition_time if old is not None and old.status == word else None
        generation = observation.cron.generation
        time = since or to_seconds_text(observation.now)
        conditions.append(Condition(kind, word, reason, clean(message), time, generation))
    return replace(status, conditions=tuple(conditions))


def _shown(moment: datetime, schedule: Schedule) -> str:
    """The time in the schedule's time zone, for a message."""
    return moment.astimezone(schedule.zone).isoformat()
