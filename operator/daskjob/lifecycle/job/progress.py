"""The part of the status that changes while a job runs, and where it is on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daskjob.api.codec import from_dict
from daskjob.api.constants import DASHBOARD_PORT, ConditionType, Phase, Reason
from daskjob.api.status import Attempt, ClusterStatus, DaskJobStatus, Progress, Timings, WorkerCounts
from daskjob.api.times import from_text, to_seconds_text, to_text
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.observation import Observation


def report_of(observation: Observation) -> Mapping[str, Any]:
    """The runner's words; empty where there are none."""
    return observation.report.status if observation.report is not None else {}


def follow(observation: Observation, status: DaskJobStatus, attempt: Attempt) -> DaskJobStatus:
    """The status with what is seen now of cluster, progress and times."""
    said = report_of(observation)
    status = replace(
        status,
        cluster=_cluster(observation, attempt, said),
        progress=_progress(observation, status, said),
        timings=_timings(observation, status.timings, said),
    )
    return _readiness(observation, replace(status, phase=_phase(observation, said)))


def has_started(observation: Observation) -> bool:
    """Whether the runner has reached as many workers as it starts with; without a report, whether they all run."""
    said, wanted = report_of(observation), observation.job.spec.cluster.workers.min_workers
    if said.get("stage") in ("Running", "Finished"):
        return True
    if wanted <= 1 and (said.get("timings") or {}).get("firstWorker"):
        return True
    runner = observation.runner
    degraded = not said and runner is not None and runner.started
    return degraded and sum(pod.ready for pod in observation.workers) >= wanted


def counts_changed(observation: Observation, status: DaskJobStatus) -> bool:
    """Whether the runner counts other tasks than the status has."""
    seen = _counts(report_of(observation))
    return seen is not None and not _same(seen, status.progress)


def _phase(observation: Observation, said: Mapping[str, Any]) -> Phase:
    if said.get("stage") in ("Running", "Finished"):
        return Phase.RUNNING
    return Phase.PENDING if observation.cluster is None else Phase.STARTING


def _cluster(observation: Observation, attempt: Attempt, said: Mapping[str, Any]) -> ClusterStatus:
    workers = observation.job.spec.cluster.workers
    wanted = observation.group.replicas if observation.group is not None else workers.initial
    connected = (said.get("workers") or {}).get("connected")
    ready = connected if connected is not None else sum(pod.ready for pod in observation.workers)
    dashboard = None
    if observation.job.spec.cluster.dashboard and observation.schedulers:
        pod = observation.schedulers[-1].name
        dashboard = f"kubectl -n {observation.job.namespace} port-forward pod/{pod} {DASHBOARD_PORT}:{DASHBOARD_PORT}"
    return ClusterStatus(attempt.name, WorkerCounts(wanted, ready), f"{ready}/{wanted}", dashboard)


def _progress(observation: Observation, status: DaskJobStatus, said: Mapping[str, Any]) -> Progress | None:
    seen = _counts(said)
    if seen is None:
        return status.progress
    before = status.progress
    if before is not None and _same(seen, before):
        return replace(seen, last_change=before.last_change)
    return replace(seen, last_change=to_seconds_text(observation.now))


def _counts(said: Mapping[str, Any]) -> Progress | None:
    counts = said.get("progress")
    if not counts:
        return None
    progress = from_dict(Progress, counts)
    done = min(progress.done, progress.total)
    percent = 100 * done // progress.total if progress.total else 0
    return replace(progress, done=done, percent=percent, summary=f"{done}/{progress.total}", last_change=None)


def _same(one: Progress, other: Progress | None) -> bool:
    return other is not None and (one.done, one.total, one.erred) == (other.done, other.total, other.erred)


def _timings(observation: Observation, before: Timings, said: Mapping[str, Any]) -> Timings:
    """First sight counts: a time that is set stays. What is told happened before it was heard, whatever the clock in
    the pod says."""
    told = {name: from_text(text) for name, text in (said.get("timings") or {}).items()}
    heard = {name: min(moment, observation.now) for name, moment in told.items() if moment is not None}
    seen = from_dict(Timings, {name: to_text(moment) for name, moment in heard.items()})
    scheduler = next((pod.running_since for pod in observation.schedulers if pod.running_since), None)
    started = to_seconds_text(scheduler) if scheduler else None
    runner = observation.runner.running_since if observation.runner is not None else None
    return replace(
        before,
        created=before.created or (to_text(observation.now) if observation.cluster is not None else None),
        # Of the one that the runner has reached: until then another may take its place.
        scheduler_started=(before.scheduler_started if before.connected else None)
        or started
        or before.scheduler_started,
        runner_started=before.runner_started
        or seen.runner_started
        or (to_seconds_text(runner) if runner and not said else None),
        connected=before.connected or seen.connected,
        first_worker=before.first_worker or seen.first_worker,
        graph_started=before.graph_started or seen.graph_started,
        graph_finished=before.graph_finished or seen.graph_finished,
    )


def _readiness(observation: Observation, status: DaskJobStatus) -> DaskJobStatus:
    counts = status.cluster.workers if status.cluster is not None else WorkerCounts()
    problem = find_blocker(observation)
    if counts.wanted and counts.ready >= counts.wanted and has_started(observation):
        ready, reason, message = True, Reason.WORKERS_READY, f"all {counts.wanted} workers are connected"
    elif problem is not None:
        ready, reason, message = False, problem.reason, problem.message
    else:
        ready, reason = False, Reason.WAITING
        message = f"waiting for {counts.wanted} workers: {counts.ready} connected"
    return status.with_condition(
        ConditionType.CLUSTER_READY,
        ready,
        reason,
        message,
        to_seconds_text(observation.now),
        observation.job.generation,
    )
