"""How an attempt ended: from its report where there is one, else from what the pods show.

Reason and class of a failure come from pods that the operator sees wherever these have something to say; a report
can claim any end of its own code, but not that the infrastructure was to blame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from daskjob import wire
from daskjob.api.codec import from_dict
from daskjob.api.constants import FailureClass, Reason
from daskjob.api.status import Failure, Result
from daskjob.api.times import from_text, to_seconds_text
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.pods import Pod

#: The kubelet's word on a dead pod can come after the runner's: how long to wait for it.
SETTLE = timedelta(seconds=5)

#: Kubernetes' word on a node that does not answer comes after 40 to 50 s.
NODE_SETTLE = timedelta(seconds=75)

#: What a runner may claim and a pod must confirm, and how long to wait for that.
CORROBORATED: Mapping[str, timedelta] = {
    Reason.WORKERS_KILLED: SETTLE,
    Reason.SCHEDULER_LOST: NODE_SETTLE,
    Reason.CANCELLED: SETTLE,
    Reason.SIGNAL: SETTLE,
}
#: What is left of a process that was killed, for its memory or by whoever may.
KILLED = 137


@dataclass(frozen=True)
class AttemptEnd:
    """The end of an attempt, ready to be recorded. `degraded`: why it does not come from the report."""

    failure: Failure | None = None
    result: Result | None = None
    degraded: str | None = None


@dataclass(frozen=True)
class Undecided:
    """Too early to tell."""

    delay: timedelta


def failed(reason: str, message: str, kind: FailureClass = FailureClass.APPLICATION, **details: Any) -> AttemptEnd:
    return AttemptEnd(failure=Failure(reason=reason, failure_class=kind, message=message, **details))


def infrastructure(reason: str, message: str) -> AttemptEnd:
    return failed(reason, message, FailureClass.INFRASTRUCTURE)


def reported(observation: Observation, status: Mapping[str, Any], said: datetime | None) -> AttemptEnd | Undecided:
    """The end that a sealed report, or a termination message, tells of. `said`: when it was written."""
    result = from_dict(Result, status["result"]) if status.get("result") else None
    if status.get("outcome") == "Succeeded":
        return AttemptEnd(result=result or Result(type="NoneType", value="null"))
    failure = from_dict(Failure, status.get("failure") or {})
    failure = replace(failure, reason=failure.reason or Reason.EXIT_CODE, failure_class=FailureClass.APPLICATION)
    settle = CORROBORATED.get(failure.reason)
    if settle is not None and not _is_plain(observation, failure):
        seen = _corroborate(observation, failure)
        if seen is None and said is not None:
            age = observation.now - said
            if timedelta(0) <= age < settle:
                return Undecided(settle - age)
        failure = seen or _uncorroborated(failure)
    elif failure.reason in (Reason.NO_WORKERS, Reason.SCHEDULER_UNREACHABLE):
        problem = find_blocker(observation)
        failure = (
            replace(failure, reason=problem.reason, message=f"{failure.message}; {problem.message}")
            if problem is not None
            else replace(failure, failure_class=FailureClass.INFRASTRUCTURE)
        )
    return AttemptEnd(failure=failure, result=result)


def _is_plain(observation: Observation, failure: Failure) -> bool:
    """Whether no pod has anything to say about it: the job was cancelled, or the signal was none that kills for
    memory."""
    if failure.reason == Reason.CANCELLED:
        return observation.job.spec.cancel
    return failure.reason == Reason.SIGNAL and failure.exit_code != KILLED


def _corroborate(observation: Observation, failure: Failure) -> Failure | None:
    """The failure as the pods show it; None if they do not (yet) show anything."""
    runner = observation.runner
    if failure.reason == Reason.CANCELLED:
        return _stopped(runner)
    if failure.reason == Reason.SIGNAL:
        return _out_of_memory(runner.name, KILLED).failure if runner is not None and runner.oom_killed else None
    if failure.reason == Reason.WORKERS_KILLED:
        dead = next((pod for pod in observation.workers if pod.oom_killed), None)
        if dead is None:
            gone = next((pod for pod in observation.workers if pod.disrupted), None)
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
    lost = scheduler_lost(observation, claimed=True)
    return lost.failure if lost is not None else None


def _uncorroborated(failure: Failure) -> Failure:
    """A failure that no pod confirms. Nobody cancelled a job of which the operator did not ask it: user code can tell
    the runner to stop, and so does a kubelet that starts a pod's sandbox anew."""
    return replace(failure, reason=Reason.RUNNER_STOPPED) if failure.reason == Reason.CANCELLED else failure


def _stopped(runner: Pod | None) -> Failure | None:
    """Why a runner was told to stop before its graph was finished."""
    if runner is not None and runner.disrupted:
        return _disrupted(runner).failure
    if runner is not None and runner.reason == "Evicted":
        return _unreported(runner, None, "").failure
    if runner is None or runner.deleting:
        return infrastructure(Reason.RUNNER_LOST, "the runner's pod was deleted while the graph ran").failure
    return None


def scheduler_lost(observation: Observation, claimed: bool = False) -> AttemptEnd | None:
    """The end of an attempt whose scheduler died: it keeps its state in memory only, so nothing can go on.

    Before the runner has reached it, a scheduler that does not stay up is a cluster that does not start (see
    `problems`), not a lost one. A node that does not answer may come back, and its scheduler go on: it proves only what
    the runner says (`claimed`).
    """
    said = observation.report.status if observation.report is not None else {}
    met = from_text((said.get("timings") or {}).get("connected"))
    if met is None:
        return None
    dead = next((pod for pod in observation.schedulers if _died(pod) or (claimed and pod.unreachable)), None)
    if dead is not None:
        if dead.oom_killed:
            return failed(
                Reason.SCHEDULER_OOM_KILLED,
                f"scheduler pod {dead.name} was killed for exceeding its memory limit; raise "
                "spec.cluster.scheduler.resources.limits.memory or build a smaller graph",
            )
        ends = [end for each in dead.containers for end in each.terminations]
        how = f"its container ended with exit code {ends[0].exit_code}" if ends else dead.reason or "it was removed"
        if dead.unreachable:
            how = "its node does not answer"
        return infrastructure(Reason.SCHEDULER_LOST, f"scheduler pod {dead.name} was lost while the graph ran: {how}")
    alive = [pod for pod in observation.schedulers if not pod.deleting and not pod.ended]
    # Another one by when it started, as the kubelet said: no clock is compared with another.
    known = observation.job.status.timings
    first = known.scheduler_started if known.connected else None
    replaced = [pod for pod in alive if first and pod.running_since and to_seconds_text(pod.running_since) != first]
    if claimed:
        # While nobody looked, that other one may be the first that the operator saw. When it connected is the runner's
        # word, too.
        replaced += [pod for pod in alive if pod.created and pod.created > met]
    if replaced or (not alive and observation.fresh):
        return infrastructure(Reason.SCHEDULER_LOST, "the scheduler's pod is gone, and with it the state of the graph")
    return None


def _died(pod: Pod) -> bool:
    return pod.deleting or pod.ended or pod.restarts > 0 or any(each.terminated for each in pod.containers)


def exited(observation: Observation, runner: Pod) -> AttemptEnd | Undecided:
    """The end of an attempt whose runner's pod ended without sealing its report."""
    main = runner.main
    end = next(iter(main.terminations), None) if main is not None else None
    said = wire.parse_termination_message(end.message if end is not None else None)
    degraded = "the runner's pod ended without a sealed report"
    if said:
        lost = ", which had no room for the result's value" if said.get("truncated") and said.get("result") else ""
        ending = reported(observation, said, end.finished if end is not None else None)
        if isinstance(ending, Undecided):
            return ending
        return replace(ending, degraded=f"{degraded}; its outcome is from its termination message{lost}")
    return replace(_unreported(runner, end.exit_code if end else None, end.reason if end else ""), degraded=degraded)


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
        f"see kubectl logs {name}",
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
