"""The decision: one observation in; out come the status to record, what to do after that, and when to look again.

Pure: no I/O, no clock but the observation's. The order in which the I/O layer carries a decision out is part of the
contract: the status first, and the actions only if that write succeeded. So an attempt is recorded before anything is
made for it, and an outcome before anything is destroyed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from daskjob.api.constants import ConditionType, Outcome, Reason, RunPolicy
from daskjob.api.status import Attempt, DaskJobStatus, Retries
from daskjob.api.times import from_text, to_text
from daskjob.lifecycle.job import deadlines, finished, progress, record, retry, teardown
from daskjob.lifecycle.job import endings as outcome
from daskjob.lifecycle.job.actions import Action, Cancel, CreateCluster, CreateReport, CreateRunner
from daskjob.lifecycle.job.adaptive import scale
from daskjob.lifecycle.job.decision import Decision, Event
from daskjob.lifecycle.job.endings import AttemptEnd, Undecided
from daskjob.lifecycle.job.observation import Job, Observation
from daskjob.lifecycle.job.readiness import with_readiness

#: Counts and times alone are written no more often than this.
MINOR_INTERVAL = timedelta(seconds=3)
#: … nor more often than this part of the time that the job has run.
MINOR_SHARE = 0.05
#: While an attempt is removed: how soon to look for oneself if no event tells of the end.
REMOVAL_CHECK = timedelta(seconds=10)
#: How soon a job that waits for its turn looks which place it has. When there is room, the first is told at once.
QUEUE_CHECK = timedelta(seconds=30)

SUSPENDED = Event(Reason.JOB_SUSPENDED, "the job is suspended")
RESUMED = Event(Reason.JOB_RESUMED, "the job goes on")


def decide(observation: Observation) -> Decision:
    """What the job's status should say and what to do about it.

    Each rule answers for its own case; the first that applies decides.
    """
    job = observation.job
    if job.unmanaged is not None:
        return Decision(job.status)
    if job.deleting:
        # Somebody's finalizer may hold the job for long; the garbage collector waits for it, its pods need not.
        return Decision(job.status, tuple(teardown.remove_all(observation)))
    decision = _decide(observation)
    lingers = teardown.lingers(observation) and finished.kept_until(observation) is None
    if not observation.fresh and (_concludes(observation, decision) or lingers):
        return Decision(job.status, needs_live_read=True)
    status = replace(decision.status, observed_generation=job.generation)
    return replace(decision, status=with_readiness(status, job.generation, observation.now))


def _concludes(observation: Observation, decision: Decision) -> bool:
    """Whether an attempt is to end, and not by a report of success. That is for good, as are its reason and class, so
    no late watch may say it; and the runner's own word, which goes first, may be on its way."""
    last, report = decision.status.current, observation.report
    if observation.job.status.open is None or last is None or last.outcome is None:
        return False
    return last.outcome != Outcome.SUCCEEDED or report is None or not report.sealed


def _decide(observation: Observation) -> Decision:
    job = observation.job
    if job.status.finished:
        return _start_anew(observation, _ended_as(job)) if wants_run(job) else finished.tend(observation)
    attempt = job.status.open
    if attempt is not None:
        return _run(observation, attempt)
    if _edited(job) and record.has_begun(job.status):
        return _start_anew(observation, Outcome.SUPERSEDED)
    if job.spec_problem is not None:
        return _finish(observation, outcome.failed(Reason.INVALID_SPEC, job.spec_problem))
    return _wait(observation)


def wants_run(job: Job) -> bool:
    """Whether a job that has ended is to run anew: asked by the annotation, or by an edit of its spec; but not as long
    as it is to be cancelled."""
    status = job.status
    if job.spec.cancel:
        return False
    return (job.rerun is not None and job.rerun != status.rerun) or _edited(job)


def _edited(job: Job) -> bool:
    known = job.status.spec_digest
    return job.spec.run_policy is RunPolicy.ON_CHANGE and known is not None and job.digest != known


def _ended_as(job: Job) -> Outcome:
    return Outcome.SUCCEEDED if job.status.is_true(ConditionType.COMPLETE) else Outcome.FAILED


def _start_anew(observation: Observation, ended: Outcome) -> Decision:
    """The run that was becomes history; the new one waits for its first attempt."""
    job = observation.job
    status = record.new_run(job, ended, observation.now)
    event = Event("NewRun", f"run {status.run} begins; run {status.run and status.run - 1} is in status.history")
    after = _with(observation, status)
    if job.spec_problem is not None:
        decision = _finish(after, outcome.failed(Reason.INVALID_SPEC, job.spec_problem))
    else:
        decision = _wait(after)
    # A look at the API server may be due before an attempt: the same is decided after it.
    return decision if decision.needs_live_read else replace(decision, events=(event, *decision.events))


def _with(observation: Observation, status: DaskJobStatus) -> Observation:
    return replace(observation, job=replace(observation.job, status=status))


def _wait(observation: Observation) -> Decision:
    """Between attempts: what must be over, or come, before the next one."""
    job, now = observation.job, observation.now
    status, spec = job.status, job.spec
    if spec.cancel:
        return _finish(observation, outcome.failed(Reason.CANCELLED, "spec.cancel was set while nothing ran"))
    over = deadlines.past_active_deadline(observation)
    if over is not None:
        return _finish(observation, over)
    removal = tuple(teardown.tear_down(observation, "its attempt has ended"))
    rest = None if teardown.is_clean(observation) else REMOVAL_CHECK
    if spec.suspend:
        events = () if status.is_true(ConditionType.SUSPENDED) else (SUSPENDED,)
        return Decision(record.suspend(job, now), removal, events, requeue_after=rest)
    if status.is_true(ConditionType.SUSPENDED):
        after = _wait(_with(observation, record.resume(job, now)))
        return replace(after, events=(RESUMED, *after.events))
    due = from_text(status.next_attempt_time)
    moments = [due, deadlines.active_deadline(observation), teardown.fenced_at(observation)]
    pauses = [moment - now for moment in moments if moment is not None and moment > now]
    if not teardown.is_over(observation):
        return Decision(status, removal, requeue_after=min([*pauses, REMOVAL_CHECK]))
    if due is not None and now < due:
        return Decision(status, removal, requeue_after=min(pauses))
    if observation.turn.position > 0:
        return _queue(observation, removal, pauses)
    if status.attempt and not observation.fresh:
        # What earlier attempts left was not seen: no proof that there is none.
        return Decision(status, needs_live_read=True)
    return _start(observation)


def _queue(observation: Observation, removal: tuple[Action, ...], pauses: list[timedelta]) -> Decision:
    job, now = observation.job, observation.now
    status = record.queue(job, observation.turn, now)
    requeue_after = [*pauses, QUEUE_CHECK]
    new = not job.status.is_true(ConditionType.QUEUED)
    if not new and observation.written is not None and now < observation.written + MINOR_INTERVAL:
        # Places move up with every job that ends: that alone is not told more often.
        requeue_after.append(observation.written + MINOR_INTERVAL - now)
        status = job.status
    events = (Event("Queued", observation.turn.message),) if new else ()
    return Decision(status, removal, events, requeue_after=min(requeue_after))


def _start(observation: Observation) -> Decision:
    """Records the next attempt; the same pass goes on to make it."""
    status = record.start(observation.job, observation.now)
    attempt = status.current
    assert attempt is not None
    # What was seen belongs to the attempt before.
    after = replace(
        _with(observation, status),
        cluster=None,
        group=None,
        deployments=(),
        schedulers=(),
        workers=(),
        runner=None,
        report=None,
        refusal=None,
        warnings=(),
    )
    decision = _run(after, attempt, new=True)
    event = Event("Started", f"attempt {attempt.number} started as DaskCluster {attempt.name}")
    return replace(decision, events=(event, *decision.events))


def _run(observation: Observation, attempt: Attempt, new: bool = False) -> Decision:
    """`new`: the attempt is recorded in this very pass, so nothing was made for it before."""
    job = observation.job
    ending = _find_ending(observation, attempt)
    if isinstance(ending, AttemptEnd):
        return _conclude(observation, attempt, ending)
    # A graph that is to be cancelled is told so, and ends by that, whatever else is wanted; and one that has ended
    # already, for a reason that is still to be found, has ended by that.
    ends = job.spec.cancel or isinstance(ending, Undecided)
    if not new and not ends:
        if _edited(job):
            return _start_anew(observation, Outcome.SUPERSEDED)
        if job.spec.suspend:
            after = _wait(_with(observation, record.suspend(job, observation.now)))
            return replace(after, events=(SUSPENDED,))
    missing = [] if ends else _missing(observation, attempt)
    if missing and not new and not observation.fresh:
        # It may all be there, and the job have ended: nothing is made twice on a watch's silence.
        return Decision(job.status, needs_live_read=True)
    status = progress.follow(observation, job.status, attempt)
    wait = [ending.delay] if isinstance(ending, Undecided) else []
    wait += [moment - observation.now for moment in deadlines.moments(observation, attempt)]
    runner = observation.runner
    if (
        runner is not None
        and runner.deletion_deadline is not None
        and not teardown.is_fenced(observation, runner.deletion_deadline)
    ):
        wait.append(runner.deletion_deadline + teardown.NODE_PATIENCE - observation.now)
    actions: list[Action] = [*teardown.delete_stale_objects(observation), *missing, *scale(observation)]
    events: tuple[Event, ...] = ()
    if job.spec.cancel:
        status, cancel = _ask_to_cancel(observation, status)
        actions += cancel
        asked = from_text(status.timings.cancel_requested) or observation.now
        wait.append(asked + teardown.RUNNER_GRACE - observation.now)
    elif status.timings.cancel_requested is not None:
        # Taken back: how long a runner takes to stop is not counted from that request.
        status = replace(status, timings=replace(status.timings, cancel_requested=None))
    if _is_minor(job.status, status):
        pause = _pause(observation)
        if pause is not None:
            wait.append(pause)
            status = job.status
    else:
        events = _told(observation, status)
    return Decision(status, tuple(actions), events, requeue_after=max(min(wait), timedelta(0)) if wait else None)


def _ask_to_cancel(observation: Observation, status: DaskJobStatus) -> tuple[DaskJobStatus, list[Action]]:
    """The runner cancels its graph and says so; how long that may take is counted from the first request on."""
    report = observation.report
    asked = status.timings.cancel_requested or to_text(observation.now)
    status = replace(status, timings=replace(status.timings, cancel_requested=asked))
    return status, [Cancel(report.name)] if report is not None and not report.cancel else []


def _find_ending(observation: Observation, attempt: Attempt) -> AttemptEnd | Undecided | None:
    """How the attempt ended; None while it has not."""
    report, runner = observation.report, observation.runner
    if report is not None and report.sealed:
        # By our own clock, if we were there.
        said = observation.heard or from_text(report.status.get("heartbeatTime"))
        return outcome.reported(observation, report.status, said)
    if runner is not None and runner.ended:
        return outcome.exited(observation, runner)
    if runner is not None and teardown.is_fenced(observation, runner.deletion_deadline):
        lost = f"runner pod {runner.name} was deleted and does not end: its node does not answer"
        return outcome.infrastructure(Reason.RUNNER_LOST, lost)
    started = report is not None or observation.job.status.timings.runner_started is not None
    if started and (runner is None or (report is not None and runner.uid != report.runner_uid)):
        return outcome.infrastructure(Reason.RUNNER_LOST, "the runner's pod was deleted before it reported an outcome")
    if report is not None and (observation.cluster is None or observation.cluster.deleting):
        return outcome.infrastructure(Reason.CLUSTER_LOST, "the job's DaskCluster was deleted while the job ran")
    ending = _cancelled(observation) or outcome.scheduler_lost(observation)
    return ending or deadlines.overdue(observation, attempt)


def _cancelled(observation: Observation) -> AttemptEnd | None:
    """The end of a cancelled attempt whose runner has nothing to say about it."""
    if not observation.job.spec.cancel:
        return None
    report = observation.report
    if report is None or not report.status:
        return outcome.failed(Reason.CANCELLED, "spec.cancel was set before the graph ran")
    asked = from_text(observation.job.status.timings.cancel_requested)
    if asked is None or observation.now < asked + teardown.RUNNER_GRACE:
        return None
    seconds = teardown.RUNNER_GRACE.total_seconds()
    return outcome.failed(Reason.CANCELLED, f"spec.cancel was set; the runner did not stop within {seconds:g} s")


def _conclude(observation: Observation, attempt: Attempt, ending: AttemptEnd) -> Decision:
    """After an attempt: another one, or the end of the job."""
    job, now = observation.job, observation.now
    failure, before = ending.failure, job.status.retries or Retries()
    if failure is None:
        return _finish(observation, ending)
    if job.spec.cancel:
        # Whatever ended it: nobody wants another one.
        return _finish(observation, ending)
    verdict = retry.judge(job.spec, before, failure)
    if verdict.retries is None:
        return _finish(observation, ending, verdict.note)
    pause = retry.pause(job.spec, job.uid, verdict.retries.total)
    seen = replace(job, status=_seen(observation, attempt))
    status = record.retry(seen, attempt, failure, verdict.retries, pause, now)
    message = f"attempt {attempt.number} failed, another one follows: {failure.reason}: {failure.message or ''}"
    after = _decide(_with(observation, status))
    return replace(after, events=(Event("Retrying", message[:1000], warning=True), *after.events))


def _finish(observation: Observation, ending: AttemptEnd, note: str = "") -> Decision:
    """Records the end, and starts to clean up in the same pass."""
    job, attempt = observation.job, observation.job.status.open
    seen = replace(job, status=_seen(observation, attempt)) if attempt is not None else job
    there = observation.cluster is not None and not observation.cluster.deleting
    keep_until = finished.keep_until(job.spec, ending.failure, observation.now) if there else None
    status = record.end(seen, ending, note, keep_until, observation.now)
    failure = status.failure
    reason = failure.reason if failure is not None else Reason.SUCCEEDED
    message = (failure.message or reason) if failure is not None else "the graph was computed"
    event = Event(reason, message[:1000], warning=failure is not None)
    after = finished.tend(_with(observation, status))
    return replace(after, events=(event, *after.events))


def _seen(observation: Observation, attempt: Attempt) -> DaskJobStatus:
    """The status with the last that is seen of an attempt that ends. The conditions are those that were recorded:
    what is set for the end must not count as a change back."""
    status = observation.job.status
    return replace(progress.follow(observation, status, attempt), conditions=status.conditions)


def _missing(observation: Observation, attempt: Attempt) -> list[Action]:
    """What the attempt still needs. The report comes last: where it is, all else was made."""
    if observation.report is not None or observation.source_found is False:
        return []
    runner = observation.runner
    if runner is None:
        return [CreateCluster(attempt.number), CreateRunner(attempt.number)]
    cluster = [CreateCluster(attempt.number)] if observation.cluster is None else []
    # A quota that is used up since refuses a pod's name that is there, too: just what is missing is made.
    return [*cluster, CreateReport(runner.uid)]


def _is_minor(before: DaskJobStatus, after: DaskJobStatus) -> bool:
    """Whether only counts and times changed: nothing that a user or a program waits for."""

    def major(status: DaskJobStatus) -> object:
        conditions = tuple((each.type, each.status, each.reason) for each in status.conditions)
        return status.phase, conditions, status.attempts, status.start_time, status.timings.cancel_requested

    return major(before) == major(after)


def _pause(observation: Observation) -> timedelta | None:
    """How long to hold back a minor write; None: it is due."""
    if observation.written is None:
        return None
    began = from_text(observation.job.status.start_time) or observation.now
    due = observation.written + max(MINOR_INTERVAL, MINOR_SHARE * (observation.now - began))
    return due - observation.now if due > observation.now else None


def _told(observation: Observation, status: DaskJobStatus) -> tuple[Event, ...]:
    """A warning when a new reason keeps the job from starting."""
    before = observation.job.status.condition(ConditionType.CLUSTER_READY)
    after = status.condition(ConditionType.CLUSTER_READY)
    quiet = (Reason.WAITING, Reason.WORKERS_READY)
    if after is None or after.reason in quiet or (before is not None and before.reason == after.reason):
        return ()
    return (Event(after.reason, after.message[:1000], warning=True),)
