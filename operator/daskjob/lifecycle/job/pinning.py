"""The commit of a job's code: where the spec names a branch or a tag, a pod of the run's first attempt finds it, before
cluster and runner are created. Their specs have it, so that all pods, late workers and further attempts have the same.

The pod ends by itself, within a time that follows from the startup deadline, and is removed when the status has what it
found.
"""

from __future__ import annotations

import json

from daskjob.api.constants import FailureClass, Reason
from daskjob.api.status import Attempt
from daskjob.fetch.git_words import is_commit
from daskjob.lifecycle.job.attempt_end import AttemptEnd, failed, infrastructure
from daskjob.lifecycle.job.observation import Job, Observation
from daskjob.lifecycle.pods import Pod, Termination
from daskjob.sources import Fetch, source_of


def moves(job: Job) -> bool:
    """Whether the job's source names something that can change, such as a branch."""
    fetch = _fetch(job)
    return fetch is not None and fetch.moves


def of_run(job: Job) -> str | None:
    """The commit that the next attempt of the run has: the spec's own, or that of the attempts before; None: it is yet
    to be found, or there is none."""
    run, fetch = job.status.run or 1, _fetch(job)
    before = (each.commit for each in reversed(job.status.attempts) if each.run == run and each.commit)
    return fetch.commit or next(before, None) if fetch is not None else None


def _fetch(job: Job) -> Fetch | None:
    source = source_of(job.spec.graph)
    return source.fetch() if source is not None else None


def found(observation: Observation) -> str | None:
    """The commit that the open attempt's pod has found."""
    end = _end(observation.attempt.resolver)
    report = end.report if end is not None and end.exit_code == 0 else None
    result = report.result if report is not None else None
    try:
        commit = json.loads(result.value or "null") if result is not None else None
    except ValueError:
        return None
    return commit if isinstance(commit, str) and is_commit(commit) else None


def pinned(observation: Observation, attempt: Attempt) -> str | None:
    """The commit of the open attempt; None: it is not known (yet), or needs not be found."""
    return attempt.commit or found(observation)


def is_awaited(observation: Observation) -> bool:
    """Whether nothing but the pod that finds the commit can be created yet."""
    return moves(observation.job) and pinned(observation, observation.open_attempt) is None


def commit_not_found(observation: Observation) -> AttemptEnd | None:
    """The pod that finds the code's commit has ended without one."""
    pod = observation.attempt.resolver
    if pod is None or not pod.ended or not is_awaited(observation):
        return None
    end, name = _end(pod), f"pod {pod.name}, which finds the commit,"
    if end is not None and end.fetch_failure is not None:
        return failed(*end.fetch_failure)
    if end is None or end.lost or pod.disrupted or not end.own_doing:
        words = pod.message or pod.reason or (end.how if end is not None else pod.phase)
        return infrastructure(Reason.RUNNER_LOST, f"{name} was lost: {words}")
    how = "was killed for exceeding its memory limit" if end.out_of_memory else f"ended with {end.how}{end.words}"
    return failed(Reason.INIT_CONTAINER_FAILED, f"{name} {how}", FailureClass.APPLICATION, exit_code=end.exit_code)


def _end(pod: Pod | None) -> Termination | None:
    return next(iter(pod.terminations), None) if pod is not None and pod.ended else None
