"""The status after every change in a job's life: a function takes the recorded status and returns the one to write."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from daskjob.api.attempt_names import attempt_name
from daskjob.api.constants import ConditionType, Outcome, Phase, Reason, ResultFormat
from daskjob.api.long_texts import is_stand_in
from daskjob.api.status import Attempt, DaskJobStatus, Failure, FormerName, Result, Retries, Run, Timings
from daskjob.api.times import to_seconds_text, to_text
from daskjob.api.tokens import Draw
from daskjob.lifecycle.job import pinning
from daskjob.lifecycle.job.attempt_end import AttemptEnd
from daskjob.lifecycle.job.observation import Job, QueuePlace
from daskjob.results.store import PICKLE

#: The most attempts, and the most earlier runs, that a status keeps.
ATTEMPTS, RUNS = 10, 5
#: Former names of an attempt that the status keeps.
FORMER_NAMES = 3
#: Characters of a result's value and of the pointers of its types that the status keeps of an earlier run; of a longer
#: one, only type, size and sha256.
OLD_VALUE = 1024
#: Characters of a message that the status keeps of an earlier attempt.
OLD_MESSAGE = 1024


def start(job: Job, draw: Draw, now: datetime) -> DaskJobStatus:
    """With the next attempt recorded. Its number is unique among all attempts of all runs of the job."""
    status, time = job.status, to_seconds_text(now)
    number = (status.attempt or 0) + 1
    run = status.run or 1
    name = attempt_name(job.name, job.uid, number, draw.nonce)
    digest = draw.source_digest if pinning.moves(job) else None
    commit = pinning.of_run(job)
    attempt = Attempt(number, name, run, time, token_digest=draw.digest, commit=commit, source_digest=digest)
    # A run's spec and annotation are those at its first attempt.
    first = not has_begun(status)
    status = replace(
        status,
        phase=Phase.PENDING,
        run=run,
        start_time=status.start_time or time,
        summary=None,
        attempt=number,
        attempts=(*status.attempts, attempt)[-ATTEMPTS:],
        next_attempt_time=None,
        queue_position=None,
        progress=None,
        timings=Timings(accepted=status.timings.accepted or to_text(now)),
        markers=None,
        spec_digest=job.digest if first else status.spec_digest,
        rerun=job.rerun if first else status.rerun,
    ).without(ConditionType.QUEUED, ConditionType.REPORTING_DEGRADED, ConditionType.REPORT_SAVED)
    return _resume(status, job, time)


def draw_again(job: Job, draw: Draw, reason: Reason | None, why: str, now: datetime) -> DaskJobStatus:
    """With another name and token for the open attempt, of which nothing exists. `why`: for the user; `reason`: of
    condition ClusterReady, None: it stays as it is."""
    status, attempt = job.status, job.status.attempts[-1]
    name = attempt_name(job.name, job.uid, attempt.number, draw.nonce)
    former = FormerName(attempt.name, attempt.token_digest, attempt.cluster_uid)
    attempt = Attempt(
        attempt.number,
        name,
        attempt.run,
        attempt.start_time,
        message=why[:OLD_MESSAGE],
        draw=attempt.draw + 1,
        former_names=(*attempt.former_names, former)[-FORMER_NAMES:],
        token_digest=draw.digest,
        commit=attempt.commit,
        source_digest=draw.source_digest if pinning.moves(job) else None,
    )
    status = replace(status.with_attempt(attempt), cluster=None)
    if reason is None:
        return status
    message, time = f"{why}; the attempt goes on as {name}", to_seconds_text(now)
    return status.with_condition(ConditionType.CLUSTER_READY, False, reason, message, time, job.generation)


def has_begun(status: DaskJobStatus) -> bool:
    """Whether an attempt of this run is recorded."""
    return any(each.run == (status.run or 1) for each in status.attempts)


def resume(job: Job, now: datetime) -> DaskJobStatus:
    """With the job no longer suspended and no attempt open."""
    return _resume(replace(job.status, phase=Phase.PENDING), job, to_seconds_text(now))


def _resume(status: DaskJobStatus, job: Job, time: str) -> DaskJobStatus:
    if not status.is_true(ConditionType.SUSPENDED):
        return status
    message = "spec.suspend is false"
    return status.with_condition(ConditionType.SUSPENDED, False, Reason.JOB_RESUMED, message, time, job.generation)


def end(job: Job, ending: AttemptEnd, note: str, keep_until: datetime | None, now: datetime) -> DaskJobStatus:
    """With the job's outcome. `note`: added to the failure's message; `keep_until`: when the operator removes the
    cluster, None: at once."""
    status, time, failure = job.status, to_seconds_text(now), ending.failure
    if failure is not None and note:
        failure = replace(failure, message=f"{failure.message or failure.reason}; {note}")
    reason = failure.reason if failure is not None else Reason.SUCCEEDED
    message = (failure.message or "") if failure is not None else ending.success
    kind = ConditionType.FAILED if failure is not None else ConditionType.COMPLETE
    open_attempt, first = status.open, status.spec_digest is None
    status = replace(
        status,
        phase=Phase.FAILED if failure is not None else Phase.SUCCEEDED,
        run=status.run or 1,
        start_time=status.start_time or time,
        completion_time=time,
        summary=reason if failure is not None else _short(ending.result),
        next_attempt_time=None,
        queue_position=None,
        result=ending.result,
        failure=failure,
        timings=replace(status.timings, finished=to_text(now)),
        spec_digest=job.digest if first else status.spec_digest,
        rerun=job.rerun if first else status.rerun,
    ).without(ConditionType.QUEUED)
    status = status.with_condition(kind, True, reason, message, time, job.generation)
    if open_attempt is not None:
        outcome = Outcome.FAILED if failure is not None else Outcome.SUCCEEDED
        status = _close(status, outcome, failure, time).without(ConditionType.REPORTING_DEGRADED)
        if ending.degraded is not None:
            reason, message = ending.degraded
            status = status.with_condition(
                ConditionType.REPORTING_DEGRADED, True, reason, message, time, job.generation
            )
    if keep_until is not None:
        text = f"the cluster is kept until {to_seconds_text(keep_until)} (spec.cleanup)"
        return status.with_condition(ConditionType.CLUSTER_READY, False, Reason.KEPT, text, time, job.generation)
    return cluster_goes(status, Reason.CLEANING_UP, "the job has ended", job, time) if open_attempt else status


def retry(
    job: Job, attempt: Attempt, failure: Failure, retries: Retries, pause: timedelta, now: datetime
) -> DaskJobStatus:
    """With the attempt failed and the time of the next one."""
    due, time = to_seconds_text(_round_up(now + pause)), to_seconds_text(now)
    status = replace(job.status, phase=Phase.RETRYING, summary=failure.reason, retries=retries, next_attempt_time=due)
    status = _close(status, Outcome.FAILED, failure, time)
    message = f"attempt {attempt.number} failed ({failure.reason}); the next one starts at {due}"
    return cluster_goes(status, Reason.BACKING_OFF, message, job, time)


def suspend(job: Job, now: datetime) -> DaskJobStatus:
    """With the job suspended; an open attempt ends as Suspended, which counts for no retry limit."""
    status, time = job.status, to_seconds_text(now)
    open_attempt = status.open
    if open_attempt is not None:
        status = _close(status, Outcome.SUSPENDED, None, time)
        status = cluster_goes(status, Reason.JOB_SUSPENDED, "the job is suspended", job, time)
    status = replace(
        status,
        phase=Phase.SUSPENDED,
        run=status.run or 1,
        start_time=None,
        summary=None,
        next_attempt_time=None,
        queue_position=None,
    ).without(ConditionType.QUEUED)
    return status.with_condition(
        ConditionType.SUSPENDED, True, Reason.JOB_SUSPENDED, "spec.suspend is true", time, job.generation
    )


def queue(job: Job, turn: QueuePlace, now: datetime) -> DaskJobStatus:
    """With the job's place in the queue."""
    status = replace(
        job.status,
        phase=Phase.QUEUED,
        run=job.status.run or 1,
        summary=f"place {turn.position}",
        queue_position=turn.position,
        timings=replace(job.status.timings, accepted=job.status.timings.accepted or to_text(now)),
    )
    time = to_seconds_text(now)
    status = _resume(status, job, time)
    # With the time, because the place changes with every job that leaves, and the status only now and then.
    message = f"at {time}, place {turn.position} of those that wait in namespace {job.namespace}: {turn.message}"
    return status.with_condition(ConditionType.QUEUED, True, turn.reason, message, time, job.generation)


def new_run(job: Job, outcome: Outcome, now: datetime) -> DaskJobStatus:
    """With the recorded run in the history, and the number of the next run, of which nothing else is recorded yet."""
    status, time = job.status, to_seconds_text(now)
    open_attempt = status.open
    if open_attempt is not None:
        status = _close(status, outcome, None, time)
        status = cluster_goes(status, Reason.SUPERSEDED, "the spec was edited: it is a new run", job, time)
    elif status.condition(ConditionType.CLUSTER_READY) is not None:
        # The operator may have kept the cluster (spec.cleanup) until now.
        status = cluster_goes(status, Reason.CLEANING_UP, "the job is run anew", job, time)
    failure, result = status.failure, status.result
    if result is not None and _is_long(result):
        result = replace(result, value=None, types={}, preview=None)
    was = Run(
        run=status.run or 1,
        start_time=status.start_time,
        completion_time=status.completion_time or time,
        outcome=outcome,
        reason=failure.reason if failure is not None else None,
        message=(failure.message or "")[:OLD_MESSAGE] or None if failure is not None else None,
        result=result,
    )
    return replace(
        status,
        phase=Phase.PENDING,
        run=was.run + 1,
        start_time=None,
        completion_time=None,
        summary=None,
        retries=None,
        next_attempt_time=None,
        queue_position=None,
        progress=None,
        result=None,
        failure=None,
        timings=Timings(accepted=to_text(now)),
        markers=None,
        spec_digest=job.digest,
        rerun=job.rerun,
        history=(was, *status.history)[:RUNS],
    ).without(
        ConditionType.QUEUED,
        ConditionType.COMPLETE,
        ConditionType.FAILED,
        ConditionType.REPORTING_DEGRADED,
        ConditionType.REPORT_SAVED,
        ConditionType.CLEANED_UP,
        ConditionType.STALLED,
    )


def _close(status: DaskJobStatus, outcome: Outcome, failure: Failure | None, time: str) -> DaskJobStatus:
    attempt = status.attempts[-1]
    message = attempt.message
    if outcome is Outcome.SUCCEEDED:
        message = f"the graph was computed; {message}" if message else "the graph was computed"
    reason: str | None = Reason.SUCCEEDED if outcome is Outcome.SUCCEEDED else None
    return status.with_attempt(
        replace(
            attempt,
            completion_time=time,
            outcome=outcome,
            reason=failure.reason if failure is not None else reason,
            message=(failure.message or "")[:OLD_MESSAGE] if failure is not None else message,
            failure_class=failure.failure_class if failure is not None else None,
        )
    )


def cluster_goes(status: DaskJobStatus, reason: str, message: str, job: Job, time: str) -> DaskJobStatus:
    """With the cluster no longer ready, for that reason, and without a dashboard."""
    if status.cluster is not None:
        status = replace(status, cluster=replace(status.cluster, dashboard=None))
    return status.with_condition(ConditionType.CLUSTER_READY, False, reason, message, time, job.generation)


def _is_long(result: Result) -> bool:
    stand_in = any(map(is_stand_in, (result.value, result.types, result.preview)))
    return stand_in or len(result.value or result.preview or "") + sum(map(len, result.types)) > OLD_VALUE


def _short(result: Result | None) -> str:
    """The result for a column of `kubectl get`."""
    if result is None:
        return ""
    stored = result.preview if result.format == ResultFormat.JSON else None
    text = result.value if result.value is not None else stored
    if text is None:
        return result.type if result.location is None else f"{result.type} in {result.format}"
    if result.types.get("") == PICKLE:
        return result.type
    return text if len(text) <= 60 else f"{text[:57]}..."


def _round_up(moment: datetime) -> datetime:
    """To whole seconds, because a status has no fractions."""
    return moment + timedelta(microseconds=-moment.microsecond % 1_000_000)
