"""The times at which a job, an attempt or a silence has lasted too long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from daskjob.api.constants import Reason
from daskjob.api.status import Attempt
from daskjob.api.times import from_text
from daskjob.lifecycle.job import endings as outcome
from daskjob.lifecycle.job import progress
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.endings import AttemptEnd
from daskjob.lifecycle.job.observation import Blocker, Observation

#: A ConfigMap that comes with the job, in the same `kubectl apply`, may come a little later.
SOURCE_GRACE = timedelta(seconds=60)
#: A runner that lives says something several times in so long, whatever there is to say.
SPEAKS = timedelta(seconds=60)
#: How long a pod may hang without a word before Kubernetes' events are asked about it.
SILENCE = timedelta(seconds=5)


def active_deadline(observation: Observation) -> datetime | None:
    """The end of the time that a run may take; it runs from the first attempt on, and not while suspended."""
    seconds, began = observation.job.spec.active_deadline_seconds, from_text(observation.job.status.start_time)
    return began + timedelta(seconds=seconds) if seconds is not None and began is not None else None


def past_active_deadline(observation: Observation) -> AttemptEnd | None:
    deadline = active_deadline(observation)
    if deadline is None or observation.now < deadline:
        return None
    return outcome.failed(
        Reason.DEADLINE_EXCEEDED,
        "the job was active for longer than spec.activeDeadlineSeconds "
        f"({observation.job.spec.active_deadline_seconds} s)",
    )


def overdue(observation: Observation, attempt: Attempt) -> AttemptEnd | None:
    """The end of an attempt that has had its time, or that cannot start."""
    now, spec = observation.now, observation.job.spec
    started = progress.has_started(observation)
    problem = None if started else find_blocker(observation)
    over = past_active_deadline(observation)
    if over is not None:
        return _explained(over, problem)
    limit = _attempt_deadline(observation, attempt)
    if limit is not None and now >= limit:
        over = outcome.failed(
            Reason.ATTEMPT_DEADLINE_EXCEEDED,
            f"the attempt took longer than spec.attemptDeadlineSeconds ({spec.attempt_deadline_seconds} s)",
        )
        return _explained(over, problem)
    if started:
        limit = _stall_deadline(observation, attempt)
        # Nothing is known of a runner that could not be heard: that the API server was away is no standstill.
        silent = observation.heard is None or now >= observation.heard + SPEAKS
        if limit is None or now < limit or silent:
            return None
        counts = observation.job.status.progress
        return outcome.failed(
            Reason.STALLED,
            f"no count of tasks changed for spec.stallTimeoutSeconds ({spec.stall_timeout_seconds} s)"
            + (f"; {counts.summary} are done" if counts is not None else ""),
        )
    if problem is not None and problem.permanent:
        return outcome.failed(problem.reason, problem.message)
    deadline = _startup_deadline(observation, attempt)
    if problem is not None and problem.reason == Reason.CONFIG_MAP_NOT_FOUND:
        deadline = min(deadline, began(observation, attempt) + SOURCE_GRACE)
    if now < deadline:
        return None
    if problem is not None:
        return outcome.failed(problem.reason, problem.message)
    wanted = spec.cluster.workers.min_workers
    joined = "no worker" if wanted == 1 else f"fewer than {wanted} workers (spec.cluster.workers.minWorkers)"
    return outcome.infrastructure(
        Reason.STARTUP_DEADLINE_EXCEEDED,
        f"{joined} joined, or no runner started, within spec.startupDeadlineSeconds "
        f"({spec.startup_deadline_seconds} s)",
    )


def _explained(over: AttemptEnd, problem: Blocker | None) -> AttemptEnd:
    """With what kept the graph from starting, where that is where the time went."""
    if problem is None or over.failure is None:
        return over
    message = f"{over.failure.message}; the graph never started: {problem.message}"
    return replace(over, failure=replace(over.failure, message=message))


def moments(observation: Observation, attempt: Attempt) -> list[datetime]:
    """The times to come at which a decision about this attempt could be another one."""
    found = [active_deadline(observation), _attempt_deadline(observation, attempt)]
    if progress.has_started(observation):
        found.append(_stall_deadline(observation, attempt))
    else:
        start = began(observation, attempt)
        found += [_startup_deadline(observation, attempt), start + SILENCE]
        if observation.source_found is False:
            found += [start + SOURCE_GRACE, observation.now + SILENCE]
    return [moment for moment in found if moment is not None and moment > observation.now]


def began(observation: Observation, attempt: Attempt) -> datetime:
    return from_text(attempt.start_time) or observation.now


def _attempt_deadline(observation: Observation, attempt: Attempt) -> datetime | None:
    seconds = observation.job.spec.attempt_deadline_seconds
    return began(observation, attempt) + timedelta(seconds=seconds) if seconds is not None else None


def _startup_deadline(observation: Observation, attempt: Attempt) -> datetime:
    return began(observation, attempt) + timedelta(seconds=observation.job.spec.startup_deadline_seconds)


def _stall_deadline(observation: Observation, attempt: Attempt) -> datetime | None:
    """From the last change of a count, or from when the graph was seen to have started."""
    seconds, status = observation.job.spec.stall_timeout_seconds, observation.job.status
    started = from_text(status.timings.graph_started)
    if seconds is None or started is None:
        return None
    if progress.counts_changed(observation, status):
        last = observation.now
    else:
        changed = from_text(status.progress.last_change if status.progress is not None else None)
        # The start is the runner's word: no reason to believe in one before the attempt, or in times to come.
        last = max(min(started, observation.now), changed or started, began(observation, attempt))
    return last + timedelta(seconds=seconds)
