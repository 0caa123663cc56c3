"""The decision: one observation in; out come the status to record, what to do after that, and when to look again.

Pure: no I/O, no clock but the observation's. The order in which the I/O layer carries a decision out is part of the
contract: the status first, and the actions only if that write succeeded. So an attempt is recorded before anything is
made for it, and an outcome before anything is destroyed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from daskjob.api.constants import ConditionType, Phase, Reason
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.api.times import from_text, to_seconds_text, to_text
from daskjob.lifecycle import outcome, progress, teardown
from daskjob.lifecycle.actions import Action, CreateCluster, CreateRunner
from daskjob.lifecycle.adaptive import scale
from daskjob.lifecycle.observation import Observation
from daskjob.lifecycle.outcome import Ending, Wait
from daskjob.lifecycle.problems import find_problem

#: A ConfigMap that comes with the job, in the same `kubectl apply`, may come a little later.
SOURCE_GRACE = timedelta(seconds=60)
#: While a job is being cleaned up: how soon to look for oneself if no event tells of the end.
CLEANUP_CHECK = timedelta(seconds=10)
#: Counts and times alone are written no more often than this.
MINOR_INTERVAL = timedelta(seconds=3)
#: … nor more often than this part of the time that the job has run.
MINOR_SHARE = 0.05
#: How long a pod may hang without a word before Kubernetes' events are asked about it.
SILENCE = timedelta(seconds=5)
#: A pod that is to be gone for longer than this is on a node that does not answer.
NODE_PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event on the job."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Decision:
    status: DaskJobStatus
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    #: When to look again if nothing happens before.
    again: timedelta | None = None
    #: The conclusion rests on something being absent: observe the API server itself, then decide anew.
    refresh: bool = False


def decide(observation: Observation) -> Decision:
    """What the job's status should say and what to do about it.

    Each rule answers for its own case; the first that applies decides.
    """
    job = observation.job
    if job.deleting:
        return Decision(job.status)
    if job.status.finished:
        return _clean_up(observation)
    if job.spec_problem is not None:
        return _finish(observation, outcome.failed(Reason.INVALID_SPEC, job.spec_problem))
    if job.status.current is None:
        return _accept(observation)
    return _run(observation, job.status.current)


def _accept(observation: Observation) -> Decision:
    """Records the first attempt; the same pass goes on to make it."""
    job, now = observation.job, observation.now
    attempt = Attempt(number=1, name=attempt_name(job.name, job.uid, 1), start_time=to_seconds_text(now))
    status = replace(
        job.status,
        phase=Phase.PENDING,
        observed_generation=job.generation,
        start_time=to_seconds_text(now),
        attempt=attempt.number,
        attempts=(*job.status.attempts, attempt),
        timings=replace(job.status.timings, accepted=to_text(now)),
    )
    decision = _run(replace(observation, job=replace(job, status=status)), attempt, new=True)
    event = Event("Started", f"attempt {attempt.number} started as DaskCluster {attempt.name}")
    return replace(decision, events=(event, *decision.events))


def attempt_name(job: str, uid: str, number: int) -> str:
    """The name of an attempt's cluster and report. The UID's part keeps a re-created job apart from its namesake."""
    return f"{job}-{uid[:5]}-{number}"


def _run(observation: Observation, attempt: Attempt, new: bool = False) -> Decision:
    """`new`: the attempt is recorded in this very pass, so nothing was made for it before."""
    ending = _find_ending(observation)
    if isinstance(ending, Ending):
        return _finish(observation, ending)
    if ending is REFRESH:
        return Decision(observation.job.status, refresh=True)
    missing = _missing(observation, attempt)
    if missing and not new and not observation.fresh:
        # It may all be there, and the job have ended: nothing is made twice on a watch's silence.
        return Decision(observation.job.status, refresh=True)
    status = progress.follow(observation, observation.job.status, attempt)
    wait = [ending.delay] if isinstance(ending, Wait) else []
    wait += _deadlines(observation)
    events: tuple[Event, ...] = ()
    if _is_minor(observation.job.status, status):
        pause = _pause(observation)
        if pause is not None:
            wait.append(pause)
            status = observation.job.status
    else:
        events = _told(observation, status)
    actions = (*teardown.delete_leftovers(observation), *missing, *scale(observation))
    return Decision(status, actions, events, again=max(min(wait), timedelta(0)) if wait else None)


REFRESH = object()


def _find_ending(observation: Observation) -> Ending | Wait | object | None:
    """How the attempt ended; None while it has not; REFRESH where that rests on a watch's silence."""
    report, runner, fresh = observation.report, observation.runner, observation.fresh
    if report is not None and report.sealed:
        return outcome.reported(observation, report.status)
    if runner is not None and runner.ended:
        return outcome.exited(observation, runner) if fresh else REFRESH
    if runner is not None and runner.gone_by is not None and observation.now >= runner.gone_by + NODE_PATIENCE:
        lost = f"runner pod {runner.name} was deleted and does not end: its node does not answer"
        return outcome.infrastructure(Reason.RUNNER_LOST, lost) if fresh else REFRESH
    started = report is not None or observation.job.status.timings.runner_started is not None
    if started and (runner is None or (report is not None and runner.uid != report.runner_uid)):
        lost = "the runner's pod was deleted before it reported an outcome"
        return outcome.infrastructure(Reason.RUNNER_LOST, lost) if fresh else REFRESH
    if report is not None and (observation.cluster is None or observation.cluster.deleting):
        lost = "the job's DaskCluster was deleted while the job ran"
        return outcome.infrastructure(Reason.CLUSTER_LOST, lost) if fresh else REFRESH
    ending = outcome.scheduler_lost(observation) or _overdue(observation)
    # The runner's own word goes first, and may be on its way.
    return REFRESH if ending is not None and report is not None and not fresh else ending


def _overdue(observation: Observation) -> Ending | None:
    """The end of a job that has had its time, or that cannot start."""
    now, spec = observation.now, observation.job.spec
    active = _active_deadline(observation)
    if active is not None and now >= active:
        return outcome.failed(
            Reason.DEADLINE_EXCEEDED,
            f"the job was active for longer than spec.activeDeadlineSeconds ({spec.active_deadline_seconds} s)",
        )
    if progress.has_started(observation):
        return None
    problem = find_problem(observation)
    if problem is not None and problem.hopeless:
        return outcome.failed(problem.reason, problem.message)
    deadline = _startup_deadline(observation)
    if problem is not None and problem.reason == Reason.CONFIG_MAP_NOT_FOUND:
        deadline = min(deadline, _began(observation) + SOURCE_GRACE)
    if now < deadline:
        return None
    if problem is not None:
        return outcome.failed(problem.reason, problem.message)
    return outcome.infrastructure(
        Reason.STARTUP_DEADLINE_EXCEEDED,
        f"no worker joined and no runner started within spec.startupDeadlineSeconds "
        f"({spec.startup_deadline_seconds} s)",
    )


def _finish(observation: Observation, ending: Ending) -> Decision:
    """Records the end, and starts to clean up in the same pass."""
    job, now = observation.job, to_seconds_text(observation.now)
    status, attempt = job.status, job.status.current
    if attempt is not None:
        # The conditions are those that were recorded: what is set below must not count as a change back.
        status = replace(progress.follow(observation, status, attempt), conditions=status.conditions)
    failure = ending.failure
    reason = failure.reason if failure is not None else Reason.SUCCEEDED
    message = (failure.message or "") if failure is not None else "the graph was computed"
    kind = ConditionType.FAILED if failure is not None else ConditionType.COMPLETE
    status = replace(
        status,
        phase=Phase.FAILED if failure is not None else Phase.SUCCEEDED,
        observed_generation=job.generation,
        start_time=status.start_time or now,
        completion_time=now,
        summary=reason if failure is not None else _short(ending),
        result=ending.result,
        failure=failure,
        timings=replace(status.timings, finished=to_text(observation.now)),
    ).with_condition(kind, True, reason, message, now, job.generation)
    if attempt is not None:
        if status.cluster is not None:
            status = replace(status, cluster=replace(status.cluster, dashboard=None))
        status = status.with_condition(
            ConditionType.CLUSTER_READY, False, Reason.CLEANING_UP, "the job has ended", now, job.generation
        ).with_attempt(
            replace(
                attempt,
                completion_time=now,
                outcome=str(status.phase),
                reason=reason,
                message=message[:1024],
                failure_class=failure.failure_class if failure is not None else None,
            )
        )
        if ending.degraded is not None:
            status = status.with_condition(
                ConditionType.REPORTING_DEGRADED, True, Reason.REPORT_MISSING, ending.degraded, now, job.generation
            )
    event = Event(reason, message[:1000] or reason, warning=failure is not None)
    after = _clean_up(replace(observation, job=replace(job, status=status)))
    return replace(after, events=(event, *after.events))


def _short(ending: Ending) -> str:
    """The result in a line of `kubectl get`."""
    result = ending.result
    if result is None or result.value is None:
        return result.type if result is not None else ""
    return result.value if len(result.value) <= 60 else f"{result.value[:57]}..."


def _clean_up(observation: Observation) -> Decision:
    """Removes what exists, on every pass, and says once that all is gone."""
    job, status = observation.job, observation.job.status
    actions = tuple(teardown.tear_down(observation))
    if not teardown.is_clean(observation):
        return Decision(status, actions, again=CLEANUP_CHECK)
    if not status.is_true(ConditionType.CLEANED_UP):
        now = observation.now
        status = replace(status, timings=replace(status.timings, cleaned_up=to_text(now))).with_condition(
            ConditionType.CLEANED_UP,
            True,
            Reason.CLEANED_UP,
            "no pod of the cluster is left",
            to_seconds_text(now),
            job.generation,
        )
    return Decision(status, actions)


def _missing(observation: Observation, attempt: Attempt) -> list[Action]:
    """What the attempt still needs. The report comes last: where it is, all else was made."""
    if observation.report is not None or observation.source_found is False:
        return []
    actions: list[Action] = []
    if observation.cluster is None or observation.runner is None:
        actions.append(CreateCluster(attempt.number))
    return [*actions, CreateRunner(attempt.number)]


def _began(observation: Observation) -> datetime:
    return from_text(observation.job.status.start_time) or observation.now


def _active_deadline(observation: Observation) -> datetime | None:
    seconds = observation.job.spec.active_deadline_seconds
    return _began(observation) + timedelta(seconds=seconds) if seconds is not None else None


def _startup_deadline(observation: Observation) -> datetime:
    return _began(observation) + timedelta(seconds=observation.job.spec.startup_deadline_seconds)


def _deadlines(observation: Observation) -> list[timedelta]:
    """How long until each time at which this decision could be another one."""
    moments = [_active_deadline(observation)]
    if observation.runner is not None and observation.runner.gone_by is not None:
        moments.append(observation.runner.gone_by + NODE_PATIENCE)
    if not progress.has_started(observation):
        moments += [_startup_deadline(observation), _began(observation) + SILENCE]
        if observation.source_found is False:
            moments += [_began(observation) + SOURCE_GRACE, observation.now + SILENCE]
    return [moment - observation.now for moment in moments if moment is not None and moment > observation.now]


def _is_minor(before: DaskJobStatus, after: DaskJobStatus) -> bool:
    """Whether only counts and times changed: nothing that a user or a program waits for."""

    def major(status: DaskJobStatus) -> object:
        conditions = tuple((each.type, each.status, each.reason) for each in status.conditions)
        return status.phase, conditions, status.attempts, status.observed_generation, status.start_time

    return major(before) == major(after)


def _pause(observation: Observation) -> timedelta | None:
    """How long to hold back a minor write; None: it is due."""
    if observation.written is None:
        return None
    active = observation.now - _began(observation)
    due = observation.written + max(MINOR_INTERVAL, MINOR_SHARE * active)
    return due - observation.now if due > observation.now else None


def _told(observation: Observation, status: DaskJobStatus) -> tuple[Event, ...]:
    """A warning when a new reason keeps the job from starting."""
    before = observation.job.status.condition(ConditionType.CLUSTER_READY)
    after = status.condition(ConditionType.CLUSTER_READY)
    quiet = (Reason.WAITING, Reason.WORKERS_READY)
    if after is None or after.reason in quiet or (before is not None and before.reason == after.reason):
        return ()
    return (Event(after.reason, after.message[:1000], warning=True),)
