"""A local run as the rules see it: processes look as their pods would on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daskjob.api.attempt_names import group_name
from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.runner_report import RunnerReport
from daskjob.api.status import Attempt
from daskjob.lifecycle.job.deadlines import runner_deadline
from daskjob.lifecycle.job.observation import AttemptObservation, Job, Observation, Owned, Report, WorkerGroup
from daskjob.lifecycle.pods import Container, Pod, Termination

#: A process that ended this often before the graph could start does not come up: the kubelet would back off from it.
START_LIMIT = 3


@dataclass(frozen=True)
class ProcessState:
    """What is known of a process, and of those that it took the place of.

    `exit_code`: as `subprocess` has it (negative: a signal); None while it runs. `last_exit`: that of the process
    before it, of `restarts` in all. `words`: its termination message, or the end of its log.
    """

    name: str
    component: str
    started: datetime
    exit_code: int | None = None
    restarts: int = 0
    last_exit: int | None = None
    words: str = ""
    #: Of a worker: the key of its group.
    group: str = DEFAULT_GROUP


@dataclass(frozen=True)
class RunState:
    """What is known of the one attempt of a run."""

    scheduler: ProcessState | None = None
    workers: Sequence[ProcessState] = ()
    runner: ProcessState | None = None
    report: RunnerReport | None = None
    #: When the report last changed.
    report_at: datetime | None = None
    #: Whether the runner was told to cancel its graph.
    cancelled: bool = False


def observe(job: Job, state: RunState, now: datetime) -> Observation:
    """The observation of a run on this machine. It is live and settled: processes are seen as they are. Once scheduler
    and workers are stopped, only the runner is left of the attempt."""
    current = job.status.current
    if current is None or state.runner is None:
        return Observation(now, job, live=True, settled=True)
    runner = _pod(state.runner, current, started=True)
    if state.scheduler is None:
        return Observation(now, job, AttemptObservation(runner=runner), live=True, settled=True)
    attempt = AttemptObservation(
        cluster=Owned("DaskCluster", current.name, "cluster", current.number),
        groups={key: _group(key, current, state) for key in job.spec.cluster.groups},
        schedulers=(_pod(state.scheduler, current, started=_reached(state)),),
        workers=tuple(_pod(each, current, started=_has_worker(state)) for each in state.workers),
        runner=runner,
        report=Report(current.name, "report", runner.uid, state.cancelled, state.report, runner_deadline(job)),
    )
    return Observation(now, job, attempt, live=True, settled=True, last_report_at=state.report_at)


def _group(key: str, attempt: Attempt, state: RunState) -> WorkerGroup:
    count = sum(each.group == key for each in state.workers)
    return WorkerGroup(group_name(attempt.name, key), key, count, key=key)


def will_not_start(state: RunState) -> bool:
    """Whether the cluster does not come up: on Kubernetes the startup deadline would end its attempt; here a person
    waits, so that deadline is brought forward."""
    ended = state.scheduler is not None and state.scheduler.exit_code is not None
    if ended and not _reached(state):
        return True
    return not _has_worker(state) and sum(each.restarts for each in state.workers) >= START_LIMIT


def _reached(state: RunState) -> bool:
    """Whether the runner has reached the scheduler."""
    return state.report is not None and state.report.timings.connected is not None


def _has_worker(state: RunState) -> bool:
    """Whether a worker has connected."""
    return state.report is not None and (state.report.timings.first_worker is not None or state.report.computing)


def _pod(state: ProcessState, attempt: Attempt, started: bool) -> Pod:
    """The pod that such a process would be. `started`: whether a process that ended is lost; before, the kubelet backs
    off from starting it."""
    ended = state.exit_code is not None
    termination = _termination(state.exit_code, state.words) if state.exit_code is not None else None
    last = _termination(state.last_exit, state.words) if state.last_exit is not None else None
    backs_off = not started and (ended or state.restarts >= START_LIMIT)
    container = Container(
        state.component,
        # That a process runs says nothing of whether it has connected: the report does.
        ready=False,
        restarts=state.restarts,
        running_since=None if ended or backs_off else state.started,
        waiting=("CrashLoopBackOff", "") if backs_off else None,
        terminated=None if backs_off else termination,
        last_terminated=(termination or last) if backs_off else last,
    )
    phase = "Running" if not ended or backs_off else "Succeeded" if state.exit_code == 0 else "Failed"
    return Pod(
        state.name,
        f"{state.name}-{state.restarts}",
        state.component,
        attempt.number,
        phase,
        group=state.group,
        created=state.started,
        containers=(container,),
        log_place="its output above",
    )


def _termination(exit_code: int, words: str) -> Termination:
    code = exit_code if exit_code >= 0 else 128 - exit_code
    return Termination(code, "Completed" if code == 0 else "Error", words)
