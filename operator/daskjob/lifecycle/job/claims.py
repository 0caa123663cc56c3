"""How an attempt ends by what its runner claims, and by whether the pods corroborate the claim.

The pods decide reason and class of a failure wherever they show a cause: a report can claim any end of its own code,
but not that the infrastructure was to blame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from daskjob.api.constants import FailureClass, Outcome, Reason
from daskjob.api.runner_report import RunnerReport
from daskjob.api.status import Failure, Result
from daskjob.lifecycle.job import deadlines
from daskjob.lifecycle.job.attempt_end import AttemptEnd, Undecided, failed, infrastructure
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.scheduler_end import confirm_scheduler_lost
from daskjob.lifecycle.pods import Pod
from daskjob.wire.runner_deadline import REASONS

#: The kubelet can report a dead pod later than the runner reports the failure: how long the operator waits for it.
SETTLE = timedelta(seconds=5)
#: Kubernetes marks a node as not answering after 40 to 50 s: how long the operator waits for that.
NODE_SETTLE = timedelta(seconds=75)
#: What a runner may claim and a pod must confirm, and how long the operator waits for that.
CORROBORATED: Mapping[str, timedelta] = {
    Reason.WORKERS_KILLED: SETTLE,
    Reason.SCHEDULER_LOST: NODE_SETTLE,
    Reason.CANCELLED: SETTLE,
    Reason.SIGNAL: SETTLE,
}
#: Exit code of a process that SIGKILL ended: for its memory, or by whoever may send it.
KILLED = 137


def judge_claim(observation: Observation, report: RunnerReport, reported_at: datetime | None) -> AttemptEnd | Undecided:
    """How the attempt ends by a sealed report or a termination message. `reported_at`: when the runner wrote it; None:
    unknown, then the operator does not wait for pods to corroborate it."""
    if report.outcome is Outcome.SUCCEEDED:
        return AttemptEnd(result=report.result or Result(type="NoneType", value="null"))
    failure = report.failure or Failure()
    failure = replace(failure, reason=failure.reason or Reason.EXIT_CODE, failure_class=FailureClass.APPLICATION)
    if failure.reason in REASONS:
        # The runner ended by its own clock, because no operator ended it. Its deadline may have been edited since.
        passed = deadlines.confirm_passed(observation, failure.reason)
        return passed or AttemptEnd(failure=replace(failure, reason=Reason.RUNNER_STOPPED))
    settle = CORROBORATED.get(failure.reason)
    if settle is not None and not _needs_no_pod(observation, failure):
        confirmed = _corroborate(observation, failure)
        if confirmed is None and reported_at is not None and not observation.settled:
            age = observation.now - reported_at
            if timedelta(0) <= age < settle:
                return Undecided(settle - age)
        failure = confirmed or _uncorroborated(failure)
    elif failure.reason in (Reason.NO_WORKERS, Reason.SCHEDULER_UNREACHABLE):
        blocker = find_blocker(observation)
        failure = (
            replace(failure, reason=blocker.reason, message=f"{failure.message}; {blocker.message}")
            if blocker is not None
            else replace(failure, failure_class=FailureClass.INFRASTRUCTURE)
        )
    return AttemptEnd(failure=failure, result=report.result)


def judge_exit(observation: Observation, runner: Pod) -> AttemptEnd | Undecided:
    """How an attempt ends whose runner's pod ended without an outcome in the report."""
    main = runner.main
    last = next(iter(main.terminations), None) if main is not None else None
    report = last.report if last is not None else None
    degraded = "the runner's pod ended without a sealed report"
    if last is not None and report is not None:
        lost = ", which had no room for the result's value" if report.truncated and report.result else ""
        end = judge_claim(observation, report, last.finished)
        if isinstance(end, Undecided):
            return end
        return replace(end, degraded=f"{degraded}; its outcome is from its termination message{lost}")
    end = _unreported(runner, last.exit_code if last else None, last.reason if last else "")
    return replace(end, degraded=degraded)


def _needs_no_pod(observation: Observation, failure: Failure) -> bool:
    """Whether no pod can corroborate the claim: the user cancelled the job, or the signal is not the one of an
    out-of-memory kill."""
    if failure.reason == Reason.CANCELLED:
        return observation.job.spec.cancel
    return failure.reason == Reason.SIGNAL and failure.exit_code != KILLED


def _corroborate(observation: Observation, failure: Failure) -> Failure | None:
    """The failure that the pods show; None if they show none (yet)."""
    runner = observation.attempt.runner
    if failure.reason == Reason.CANCELLED:
        return _stopped(runner)
    if failure.reason == Reason.SIGNAL:
        return _out_of_memory(runner.name, KILLED).failure if runner is not None and runner.oom_killed else None
    if failure.reason == Reason.WORKERS_KILLED:
        return _workers_killed(observation, failure)
    lost = confirm_scheduler_lost(observation)
    return lost.failure if lost is not None else None


def _workers_killed(observation: Observation, failure: Failure) -> Failure | None:
    workers = observation.attempt.workers
    dead = next((pod for pod in workers if pod.oom_killed), None)
    if dead is None:
        gone = next((pod for pod in workers if pod.disrupted), None)
        what = f"worker pods were disrupted, {gone.name} among them: {gone.message or gone.reason}" if gone else ""
        return infrastructure(Reason.WORKERS_DISRUPTED, what).failure if gone else None
    limit = ((observation.job.spec.cluster.workers.resources or {}).get("limits") or {}).get("memory")
    what = f"the memory limit of {limit}" if limit else "its memory limit"
    return replace(
        failure,
        reason=Reason.WORKER_OOM_KILLED,
        message=f"worker pod {dead.name} was killed for exceeding {what}; raise "
        f"spec.cluster.workers.resources.limits.memory or work on smaller pieces. {failure.message or ''}".strip(),
    )


def _uncorroborated(failure: Failure) -> Failure:
    """A failure that no pod corroborates. A runner that claims `Cancelled` without the operator's request was stopped
    by user code, or by a kubelet that started the pod's sandbox anew."""
    return replace(failure, reason=Reason.RUNNER_STOPPED) if failure.reason == Reason.CANCELLED else failure


def _stopped(runner: Pod | None) -> Failure | None:
    """Why a runner had to stop before its graph was finished; None if its pod shows no cause."""
    if runner is not None and runner.disrupted:
        return _disrupted(runner).failure
    if runner is not None and runner.reason == "Evicted":
        return _unreported(runner, None, "").failure
    if runner is None or runner.deleting:
        return infrastructure(Reason.RUNNER_LOST, "the runner's pod was deleted while the graph ran").failure
    return None


def _unreported(runner: Pod, exit_code: int | None, reason: str) -> AttemptEnd:
    name = runner.name
    if runner.disrupted:
        return _disrupted(runner)
    if runner.reason == "Evicted":
        return failed(Reason.RUNNER_EVICTED, f"runner pod {name} was evicted: {runner.message}")
    if reason == "OOMKilled":
        return _out_of_memory(name, exit_code)
    if exit_code is None:
        return infrastructure(
            Reason.RUNNER_LOST, f"runner pod {name} ended ({runner.reason or runner.phase}) {runner.message}".strip()
        )
    if exit_code == 0:
        return failed(
            Reason.EXITED_EARLY, f"runner pod {name} ended with exit code 0 but left no result", exit_code=exit_code
        )
    return failed(
        Reason.EXIT_CODE,
        f"runner pod {name} ended with exit code {exit_code} ({reason or 'no reason given'}) and left no outcome; "
        f"see {runner.logs}",
        exit_code=exit_code,
    )


def _disrupted(runner: Pod) -> AttemptEnd:
    words = runner.message or runner.reason or "evicted or preempted"
    return infrastructure(Reason.RUNNER_DISRUPTED, f"runner pod {runner.name} was disrupted: {words}")


def _out_of_memory(runner: str, exit_code: int | None) -> AttemptEnd:
    return failed(
        Reason.RUNNER_OOM_KILLED,
        f"runner pod {runner} was killed for exceeding its memory limit; raise spec.runner.resources.limits.memory "
        "or keep the data on the workers",
        exit_code=exit_code,
    )
