"""The times at which a job, an attempt or a silence has lasted too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from daskjob.api.cluster_spec import Cluster
from daskjob.api.constants import FailureClass, Reason
from daskjob.api.spec import DaskJobSpec
from daskjob.api.times import from_text
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job import progress
from daskjob.lifecycle.job.attempt_end import AttemptEnd, failed
from daskjob.lifecycle.job.blockers import find_blocker, hopeless_group
from daskjob.lifecycle.job.observation import Job, Observation
from daskjob.lifecycle.job.silence import SILENCE, next_silence
from daskjob.lifecycle.pods import Pod
from daskjob.wire.runner_deadline import RunnerDeadline

#: How long an attempt waits for a missing ConfigMap: the same `kubectl apply` may create it a little after the job.
REFERENCE_GRACE = timedelta(seconds=60)
#: A healthy runner reports several times in this time (at least every 15 s, `runner.cadence.LONGEST`).
REPORTS_WITHIN = timedelta(seconds=60)


@dataclass(frozen=True)
class Deadline:
    """A time limit of an open attempt. `field`: of the spec, or what it limits; `sentence`: for docs/lifecycle.md;
    `moment`: when it passes (None: it does not count now); `end`: how the attempt ends then (None: not yet)."""

    field: str
    sentence: str
    moment: Callable[[Observation], datetime | None]
    end: Callable[[Observation], AttemptEnd | None]


def overdue(observation: Observation) -> tuple[str, AttemptEnd] | None:
    """The first deadline of the open attempt that has passed, and how the attempt ends by it."""
    for deadline in DEADLINES:
        moment = deadline.moment(observation)
        if moment is not None and observation.now >= moment:
            end = deadline.end(observation)
            if end is not None:
                return deadline.field, end
    return None


def is_field(rule: str) -> bool:
    """Whether that is the name of one of these deadlines."""
    return any(each.field == rule for each in DEADLINES)


def moments(observation: Observation) -> list[datetime]:
    """The coming times at which a rule could decide otherwise about the open attempt."""
    # At the last two times the operator reads the events of silent pods, and looks for missing references again.
    found = [*(deadline.moment(observation) for deadline in DEADLINES), next_silence(observation)]
    if observation.missing_references and not progress.has_started(observation):
        found.append(observation.now + SILENCE)
    return [moment for moment in found if moment is not None and moment > observation.now]


def began(observation: Observation) -> datetime:
    """When the open attempt began."""
    return from_text(observation.open_attempt.start_time) or observation.now


def active_deadline(observation: Observation) -> datetime | None:
    """The end of the time that a run may take; it counts from the first attempt on, and not while suspended."""
    seconds, start = observation.job.spec.active_deadline_seconds, from_text(observation.job.status.start_time)
    return start + timedelta(seconds=seconds) if seconds is not None and start is not None else None


def past_active_deadline(observation: Observation) -> AttemptEnd | None:
    """The end of a job that was active for longer than it may be."""
    deadline = active_deadline(observation)
    if deadline is None or observation.now < deadline:
        return None
    return failed(Reason.DEADLINE_EXCEEDED, _active_words(observation.job.spec))


def _past_active_deadline(observation: Observation) -> AttemptEnd | None:
    end = past_active_deadline(observation)
    return _explained(observation, end) if end is not None else None


def _attempt_deadline(observation: Observation) -> datetime | None:
    seconds = observation.job.spec.attempt_deadline_seconds
    return began(observation) + timedelta(seconds=seconds) if seconds is not None else None


def _past_attempt_deadline(observation: Observation) -> AttemptEnd | None:
    return _explained(observation, failed(Reason.ATTEMPT_DEADLINE_EXCEEDED, _attempt_words(observation.job.spec)))


def _active_words(spec: DaskJobSpec) -> str:
    return f"the job was active for longer than spec.activeDeadlineSeconds ({spec.active_deadline_seconds} s)"


def _attempt_words(spec: DaskJobSpec) -> str:
    return f"the attempt took longer than spec.attemptDeadlineSeconds ({spec.attempt_deadline_seconds} s)"


def runner_deadline(job: Job) -> RunnerDeadline | None:
    """The earlier of the open attempt's two deadlines, in seconds from the attempt's start, for the runner to keep by
    itself if no operator runs; None: the job has neither. It changes only if the spec does."""
    spec, attempt = job.spec, job.status.open
    began = from_text(attempt.start_time) if attempt is not None else None
    first = from_text(job.status.start_time)
    found = []
    if spec.active_deadline_seconds is not None and first is not None and began is not None:
        left = max(1, spec.active_deadline_seconds - int((began - first).total_seconds()))
        found.append(RunnerDeadline(left, Reason.DEADLINE_EXCEEDED, _active_words(spec)))
    if spec.attempt_deadline_seconds is not None:
        words = _attempt_words(spec)
        found.append(RunnerDeadline(spec.attempt_deadline_seconds, Reason.ATTEMPT_DEADLINE_EXCEEDED, words))
    return min(found, key=lambda deadline: deadline.seconds, default=None)


def confirm_passed(observation: Observation, reason: str) -> AttemptEnd | None:
    """The end by the deadline with that reason, by which a runner claims to have ended; None: it has not passed."""
    for deadline in DEADLINES[:2]:
        moment = deadline.moment(observation)
        end = deadline.end(observation) if moment is not None and observation.now >= moment else None
        if end is not None and end.failure is not None and end.failure.reason == reason:
            return end
    return None


def _explained(observation: Observation, end: AttemptEnd) -> AttemptEnd:
    """The end with its blocker in the message, if the graph has not started."""
    blocker = None if progress.has_started(observation) else find_blocker(observation)
    if blocker is None or end.failure is None:
        return end
    message = f"{end.failure.message}; the graph never started: {blocker.message}"
    return replace(end, failure=replace(end.failure, message=message))


def _stall_deadline(observation: Observation) -> datetime | None:
    """Counts from the last change of a count of tasks, or from when the graph started."""
    seconds, status = observation.job.spec.stall_timeout_seconds, observation.job.status
    started = from_text(progress.markers_of(status).graph_started)
    if seconds is None or started is None or not progress.has_started(observation):
        return None
    if progress.counts_changed(observation):
        last = observation.now
    else:
        changed = from_text(status.progress.last_change if status.progress is not None else None)
        # The runner reports the start, and may lie: a start before the attempt or in the future does not count.
        last = max(min(started, observation.now), changed or started, began(observation))
    return last + timedelta(seconds=seconds)


def _stalled(observation: Observation) -> AttemptEnd | None:
    last = observation.last_report_at
    if last is None or observation.now >= last + REPORTS_WITHIN:
        # No report came lately: the API server may not have answered, and that is no stall.
        return None
    counts = observation.job.status.progress
    return failed(
        Reason.STALLED,
        f"no count of tasks changed for spec.stallTimeoutSeconds ({observation.job.spec.stall_timeout_seconds} s)"
        + (f"; {counts.summary} are done" if counts is not None else ""),
    )


def _at_once(observation: Observation) -> datetime | None:
    return None if progress.has_started(observation) else began(observation)


def _blocked_for_good(observation: Observation) -> AttemptEnd | None:
    blocker = find_blocker(observation)
    return _by(blocker) if blocker is not None and blocker.permanent else None


def _while_it_runs(observation: Observation) -> datetime | None:
    return began(observation) if progress.has_started(observation) else None


def _group_blocked_for_good(observation: Observation) -> AttemptEnd | None:
    blocker = hopeless_group(observation)
    return _by(blocker) if blocker is not None else None


def _reference_deadline(observation: Observation) -> datetime | None:
    if progress.has_started(observation):
        return None
    waits = observation.missing_references or _lacks_payload(observation)
    return began(observation) + REFERENCE_GRACE if waits else None


def _lacks_payload(observation: Observation) -> bool:
    """The operator has no right on Secrets: the kubelet says that there is none."""
    blocker = find_blocker(observation)
    return blocker is not None and blocker.reason is Reason.PAYLOAD_MISSING


def _startup_deadline(observation: Observation) -> datetime | None:
    if progress.has_started(observation):
        return None
    return began(observation) + timedelta(seconds=observation.job.spec.startup_deadline_seconds)


def _never_started(observation: Observation) -> AttemptEnd:
    blocker, spec = find_blocker(observation), observation.job.spec
    if blocker is not None:
        return _by(blocker)
    wanted = spec.cluster.least_workers
    attempt = observation.attempt
    runner = [attempt.runner] if attempt.runner is not None else []
    # Where Kubernetes has done its part, what runs in the pods does not start: the image, the code, or a network that
    # keeps them apart.
    groups = [(attempt.workers_of(key), each.least) for key, each in spec.cluster.groups.items()]
    needs = ((attempt.schedulers, 1), (runner, 1), *groups)
    given = all(sum(each.there for each in pods) >= number for pods, number in needs)
    own = any(each.own_end for each in attempt.pods)
    joined = "no worker" if wanted == 1 else f"fewer than {wanted} workers ({_least_fields(spec.cluster)})"
    return failed(
        Reason.STARTUP_DEADLINE_EXCEEDED,
        f"{joined} joined, or no runner started, within spec.startupDeadlineSeconds "
        f"({spec.startup_deadline_seconds} s); in the end {_last_state(observation)}",
        FailureClass.APPLICATION if given or own else FailureClass.INFRASTRUCTURE,
    )


def _least_fields(cluster: Cluster) -> str:
    return "minWorkers of each group" if cluster.worker_groups else "spec.cluster.workers.minWorkers"


def _by(blocker: Blocker) -> AttemptEnd:
    return failed(blocker.reason, blocker.message, blocker.failure_class)


def _last_state(observation: Observation) -> str:
    """What was there of the attempt's pods, for an end of which nothing else shows the cause."""
    attempt, wanted = observation.attempt, observation.attempt.groups.values()
    parts = [("the scheduler", attempt.schedulers[-1:]), ("the runner", [attempt.runner] if attempt.runner else [])]
    words = [f"{name} {_state(pods[0]) if pods else 'did not exist'}" for name, pods in parts]
    running = sum(each.running_since is not None for each in attempt.workers)
    words.append(f"{running} of {sum(each.replicas for each in wanted)} workers ran")
    others = [each for each in attempt.workers if each.running_since is None]
    last = f", and worker {others[0].name} {_state(others[0])}" if others else ""
    return f"{', '.join(words)}{last}{_names_words(attempt.pods)}"


def _names_words(pods: Iterable[Pod]) -> str:
    """`; ` and which pod may not find the scheduler's Service; empty: each does."""
    found = next((each for each in pods if each.dns_policy), None)
    if found is None:
        return ""
    return (
        f"; pod {found.name} ({found.component}) has dnsPolicy {found.dns_policy}, by which it may not find the "
        "scheduler's Service by name: leave dnsPolicy out of its template"
    )


def _state(pod: Pod) -> str:
    if pod.running_since is not None:
        return "ran"
    if pod.awaited is not None:
        return f"waited for its {pod.awaited.kind} {pod.awaited.name} (kubectl logs {pod.name} -c {pod.awaited.name})"
    if pod.terminations:
        return f"had been ended from outside with {pod.terminations[0].how}"
    waiting = pod.main.waiting if pod.main is not None else None
    return f"was {pod.phase}" + (f" ({waiting[0]})" if waiting and waiting[0] else "")


#: Ordered: the first deadline that has passed ends the attempt.
DEADLINES = (
    Deadline(
        "spec.activeDeadlineSeconds",
        "The job has been active for too long, all attempts of the run together.",
        active_deadline,
        _past_active_deadline,
    ),
    Deadline(
        "spec.attemptDeadlineSeconds",
        "The attempt has taken too long.",
        _attempt_deadline,
        _past_attempt_deadline,
    ),
    Deadline(
        "spec.stallTimeoutSeconds",
        "The graph runs, the runner reports, and no count of tasks changes.",
        _stall_deadline,
        _stalled,
    ),
    Deadline(
        "a permanent blocker",
        "The attempt has not started, and what keeps it from starting does not pass by waiting.",
        _at_once,
        _blocked_for_good,
    ),
    Deadline(
        "a permanent blocker of a group",
        "The graph waits for an adaptive group of workers, and what keeps them from starting does not pass by waiting.",
        _while_it_runs,
        _group_blocked_for_good,
    ),
    Deadline(
        "a missing reference",
        "An object that the source needs has not come within 60 s.",
        _reference_deadline,
        _never_started,
    ),
    Deadline(
        "spec.startupDeadlineSeconds",
        "Too few workers joined, or no runner started.",
        _startup_deadline,
        _never_started,
    ),
)
