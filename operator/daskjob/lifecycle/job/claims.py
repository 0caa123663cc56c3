"""How an attempt ends by what its runner claims, and by whether the pods corroborate the claim.

The pods decide reason and class of a failure wherever they show a cause: a report can claim any end of its own code,
but not that the infrastructure was to blame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from daskjob.api.cluster_spec import path_of_group
from daskjob.api.constants import FailureClass, Outcome, Reason
from daskjob.api.runner_report import RunnerReport
from daskjob.api.status import Failure, Result
from daskjob.lifecycle.job import deadlines
from daskjob.lifecycle.job.attempt_end import AttemptEnd, Undecided, failed, infrastructure
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.container_trouble import failed_before
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.scheduler_end import confirm_scheduler_lost
from daskjob.lifecycle.pods import Pod, Termination
from daskjob.wire.runner_deadline import REASONS

#: The kubelet can report a dead pod later than the runner reports the failure: how long the operator waits for it.
SETTLE = timedelta(seconds=5)
#: Kubernetes marks a node as not answering after 40 to 50 s: how long the operator waits for that.
NODE_SETTLE = timedelta(seconds=75)
#: How long the operator waits with an end whose result only a report has that is not believed: an upgrade changes the
#: policy on reports a little before the operator that knows the new one leads.
UPGRADE = timedelta(seconds=60)
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
        return AttemptEnd(
            result=report.result or Result(type="NoneType", value="null"),
            discarded=report.discarded or 0,
            forgotten=report.fire_and_forget,
        )
    failure = report.failure or Failure()
    failure = replace(failure, reason=failure.reason or Reason.EXIT_CODE, failure_class=FailureClass.APPLICATION)
    if failure.reason in REASONS:
        # The runner ended by its own clock, because no operator ended it. Its deadline may have been edited since.
        passed = deadlines.confirm_passed(observation, failure.reason)
        return passed or AttemptEnd(failure=replace(failure, reason=Reason.RUNNER_STOPPED))
    settle = _settle(observation, failure)
    if settle is not None and not _needs_no_pod(observation, failure):
        confirmed = _corroborate(observation, failure)
        if confirmed is None and reported_at is not None and not observation.settled:
            age = observation.now - reported_at
            if timedelta(0) <= age < settle:
                return Undecided(settle - age)
        failure = confirmed or _uncorroborated(observation, failure)
    elif failure.reason in (Reason.NO_WORKERS, Reason.SCHEDULER_UNREACHABLE):
        failure = _unserved(observation, failure)
    return AttemptEnd(failure=failure, result=report.result)


def judge_exit(observation: Observation, runner: Pod) -> AttemptEnd | Undecided:
    """How an attempt ends whose runner's pod ended without an outcome in the report."""
    last = next(iter(runner.terminations), None)
    report = last.report if last is not None else None
    distrust = observation.attempt.report.distrust if observation.attempt.report is not None else None
    why = Reason.REPORT_MISSING if distrust is None else Reason.POLICY_NOT_IN_FORCE
    degraded = distrust or "the runner's pod ended without a sealed report"
    if last is not None and report is not None:
        report = _with_vouched_value(report, observation)
        lost = report.truncated and report.result is not None and report.result.value is None
        since = observation.now - last.finished if last.finished is not None else UPGRADE
        if lost and distrust is not None and timedelta(0) <= since < UPGRADE:
            return Undecided(UPGRADE - since)
        room = ", which had no room for the result's value" if lost else ""
        end = judge_claim(observation, report, last.finished)
        if isinstance(end, Undecided):
            return end
        return replace(end, degraded=(why, f"{degraded}; its outcome is from its termination message{room}"))
    return replace(_with_causes(_unreported(runner, last), runner, observation), degraded=(why, degraded))


def _with_causes(end: AttemptEnd, runner: Pod, observation: Observation) -> AttemptEnd:
    """The end of a runner that left no word, with what Kubernetes says of a probe of its pod, and, before it reached
    the scheduler, with what keeps the other pods from starting: it may be the same."""
    failure, attempt = end.failure, observation.attempt
    if failure is None or failure.reason != Reason.EXIT_CODE:
        return end
    blocker = find_blocker(observation) if attempt.runner_report.timings.connected is None else None
    words = attempt.words_on(runner)
    if not words and blocker is not None:
        words = f"; {blocker.message}"
    return replace(end, failure=replace(failure, message=f"{failure.message}{words}"))


def _with_vouched_value(message: RunnerReport, observation: Observation) -> RunnerReport:
    """The termination message with the value for which it had no room, if the report has a value of its digest, even
    one that is not believed. Python's types of its parts have no digest: with such, the value stays out."""
    report, short = observation.attempt.report, message.result
    found = report.content.result if report is not None and report.content is not None else None
    if short is None or short.value is not None or short.sha256 is None or found is None or found.types:
        return message
    # The reader of reports computed the digest of what it found there.
    same = found.value is not None and (found.type, found.sha256) == (short.type, short.sha256)
    return replace(message, result=found) if same else message


def _settle(observation: Observation, failure: Failure) -> timedelta | None:
    """How long to wait for pods that corroborate the claim; None: it needs none."""
    settle = CORROBORATED.get(failure.reason)
    if failure.reason != Reason.SCHEDULER_LOST:
        return settle
    # What the kubelet of the scheduler's node says after the claim, of the runner's end or of a worker's, shows that
    # the node is there. Nothing says so of another node.
    runner = observation.attempt.runner
    answers = runner is not None and runner.ended and bool(runner.terminations and runner.node)
    same = [each for each in observation.attempt.schedulers if runner is not None and each.node == runner.node]
    return SETTLE if answers and same and all(each.ready and each.acting for each in same) else settle


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
    group = observation.job.spec.cluster.groups.get(dead.group)
    limit = ((group.resources if group is not None else {}).get("limits") or {}).get("memory")
    what = f"the memory limit of {limit}" if limit else "its memory limit"
    advice = f"raise {path_of_group(dead.group)}.resources.limits.memory or work on smaller pieces"
    message = f"worker pod {dead.name} was killed for exceeding {what}; {advice}. {failure.message or ''}".strip()
    return replace(failure, reason=Reason.WORKER_OOM_KILLED, message=message)


def _died_under_a_task(observation: Observation, failure: Failure) -> Failure:
    """The claim that workers were killed, told by how the last of them ended; as it is if no pod shows that."""
    ends = [(end, pod) for pod in observation.attempt.workers for end in pod.terminations if end.exit_code]
    if not ends:
        return failure
    # Of several, the last: an earlier one may have had another cause.
    end, pod = max(ends, key=lambda each: (each[0].finished is not None, each[0].finished or 0))
    task = f"the workers that ran task {failure.task_key} died" if failure.task_key else "workers died under a task"
    message = f"{task}: worker pod {pod.name} ended with {end.how}{observation.attempt.words_on(pod)}{end.words}"
    return replace(failure, message=message, exit_code=end.exit_code)


def _unserved(observation: Observation, failure: Failure) -> Failure:
    """The claim that no worker came, or that the scheduler could not be reached: what keeps the attempt from starting
    is the reason; else pods have to show that they are not there. User code may claim it at any time."""
    blocker = find_blocker(observation)
    if blocker is not None:
        message = f"{failure.message}; {blocker.message}"
        return replace(failure, reason=blocker.reason, message=message, failure_class=blocker.failure_class)
    attempt, spec = observation.attempt, observation.job.spec
    workers = failure.reason == Reason.NO_WORKERS
    groups = [(attempt.workers_of(key), each.least) for key, each in spec.cluster.groups.items()]
    pods, needs = (attempt.workers, groups) if workers else (attempt.schedulers, [(attempt.schedulers, 1)])
    # One that has ended and starts again is there: a task may end its worker with any exit code.
    lacking = any(sum(each.there for each in some) < wanted for some, wanted in needs)
    own = any(each.own_end for each in pods)
    taken = any(each.disrupted or each.unreachable for each in pods)
    # The runner waits for so long before it says so. Until then, pods may only be on their way.
    due = observation.now >= deadlines.began(observation) + timedelta(seconds=spec.startup_deadline_seconds)
    missing = lacking and (taken or due) and not own
    kind = FailureClass.INFRASTRUCTURE if missing else FailureClass.APPLICATION
    return replace(failure, failure_class=kind)


def _uncorroborated(observation: Observation, failure: Failure) -> Failure:
    """A failure that no pod corroborates. A runner that claims `Cancelled` without the operator's request was stopped
    by user code, or by a kubelet that started the pod's sandbox anew."""
    if failure.reason == Reason.WORKERS_KILLED:
        return _died_under_a_task(observation, failure)
    if failure.reason != Reason.CANCELLED:
        return failure
    runner = observation.attempt.runner
    words = observation.attempt.words_on(runner) if runner is not None else ""
    return replace(failure, reason=Reason.RUNNER_STOPPED, message=f"{failure.message}{words}")


def _stopped(runner: Pod | None) -> Failure | None:
    """Why a runner had to stop before its graph was finished; None if its pod shows no cause."""
    if runner is not None and runner.disrupted:
        return _disrupted(runner).failure
    if runner is not None and runner.reason == "Evicted":
        return _unreported(runner, None).failure
    if runner is None or runner.deleting:
        return infrastructure(Reason.RUNNER_LOST, "the runner's pod was deleted while the graph ran").failure
    return None


def _unreported(runner: Pod, last: Termination | None) -> AttemptEnd:
    name = runner.name
    if runner.disrupted:
        return _disrupted(runner)
    if runner.reason == "Evicted":
        return failed(Reason.RUNNER_EVICTED, f"runner pod {name} was evicted: {runner.message}")
    before = failed_before(runner) if last is None and not runner.deleting else None
    if before is not None:
        ends = (each.terminated for each in runner.containers if each.initial and each.terminated is not None)
        code = next((end.exit_code for end in ends if end is not None and end.exit_code), None)
        return failed(before.reason, before.message, exit_code=code)
    if runner.own_end and (last is None or last.not_started or last.lost):
        return failed(Reason.POD_REJECTED, f"runner pod {name} was not run by its node: {runner.own_end}")
    if last is None:
        return infrastructure(
            Reason.RUNNER_LOST, f"runner pod {name} ended ({runner.reason or runner.phase}) {runner.message}".strip()
        )
    if last.out_of_memory:
        return _out_of_memory(name, last.exit_code)
    if last.lost:
        return infrastructure(Reason.RUNNER_LOST, f"the node of runner pod {name} lost its container ({last.reason})")
    if last.not_started:
        message = f"pod {name} (runner): {last.reason}: {last.message}"
        return failed(Reason.CONTAINER_START_FAILED, message, exit_code=last.exit_code)
    if last.exit_code == 0:
        return failed(Reason.EXITED_EARLY, f"runner pod {name} ended with exit code 0 but left no result", exit_code=0)
    return failed(
        Reason.EXIT_CODE,
        f"runner pod {name} ended with {last.how} and left no outcome; see {runner.logs}",
        exit_code=last.exit_code,
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
