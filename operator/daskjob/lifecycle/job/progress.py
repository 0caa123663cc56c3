"""The part of the status that changes while an attempt is open: cluster, progress, times, condition ClusterReady."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from daskjob.api.cluster_spec import Workers
from daskjob.api.constants import DASHBOARD_PORT, ConditionType, Phase, Reason
from daskjob.api.live_status import ClusterStatus, GroupCounts, Progress, WorkerCounts
from daskjob.api.status import Attempt, DaskJobStatus, Markers, Timings
from daskjob.api.times import from_text, to_seconds_text, to_shortest_text, to_text
from daskjob.lifecycle.job import pinning
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.observation import AttemptObservation, Observation

#: A runner that can report says how many workers are connected before it runs for so long.
FIRST_WORD = timedelta(seconds=30)


def follow(observation: Observation, status: DaskJobStatus, attempt: Attempt) -> DaskJobStatus:
    """The status with the observed cluster, progress and times of the attempt."""
    timings, uids = _timings(observation, status.timings), _with_uids(observation.attempt, attempt)
    status = replace(
        status.with_attempt(replace(uids, commit=pinning.pinned(observation, attempt))),
        phase=_phase(observation),
        cluster=_cluster(observation, attempt),
        progress=_progress(observation, status),
        timings=timings,
        markers=_markers(status, timings),
    )
    return _reporting(observation, _readiness(observation, status))


def _with_uids(observed: AttemptObservation, attempt: Attempt) -> Attempt:
    """The attempt with the UIDs of its cluster and runner. One that is recorded stays: what has its name later, and
    another UID, is somebody else's."""
    if attempt.token_digest is None:
        return attempt
    cluster, runner = observed.cluster, observed.runner
    return replace(
        attempt,
        cluster_uid=attempt.cluster_uid or (cluster.uid if cluster is not None else None),
        runner_uid=attempt.runner_uid or (runner.uid if runner is not None else None),
    )


def has_started(observation: Observation) -> bool:
    """Whether the runner has reached `minWorkers` workers; without a report, whether so many worker pods are ready."""
    attempt, wanted = observation.attempt, observation.job.spec.cluster.least_workers
    report, runner = attempt.runner_report, attempt.runner
    if report.computing:
        return True
    if wanted <= 1 and report.timings.first_worker is not None:
        return True
    unreported = not attempt.reporting and runner is not None and runner.started
    return unreported and _ready_workers(attempt) >= wanted


def counts_changed(observation: Observation) -> bool:
    """Whether the report has other counts of tasks than the status."""
    counts = _counts(observation)
    return counts is not None and not _same(counts, observation.job.status.progress)


def markers_of(status: DaskJobStatus) -> Markers:
    """The markers of the current attempt, by which rules decide. A release before them had these times in `timings`:
    for an attempt that was open during the upgrade they come from there."""
    timings = status.timings
    return status.markers or Markers(
        timings.runner_started, timings.connected, timings.scheduler_started, timings.graph_started
    )


def _phase(observation: Observation) -> Phase:
    attempt, before = observation.attempt, observation.job.status.phase
    distrusted = attempt.report is not None and attempt.report.distrust is not None
    if attempt.runner_report.computing or (distrusted and before == Phase.RUNNING):
        return Phase.RUNNING
    return Phase.PENDING if observation.attempt.cluster is None else Phase.STARTING


def _cluster(observation: Observation, attempt: Attempt) -> ClusterStatus:
    cluster, observed = observation.job.spec.cluster, observation.attempt
    alone = not cluster.worker_groups
    groups = tuple(_counts_of(observed, key, workers, alone) for key, workers in cluster.groups.items())
    wanted = sum(each.wanted for each in groups)
    connected = observed.runner_report.workers.connected
    ready = connected if connected is not None else _ready_workers(observed)
    dashboard = None
    if cluster.dashboard and observed.schedulers:
        pod = observed.schedulers[-1].name
        dashboard = f"kubectl -n {observation.job.namespace} port-forward pod/{pod} {DASHBOARD_PORT}:{DASHBOARD_PORT}"
    shown = groups if not alone else ()
    return ClusterStatus(attempt.name, WorkerCounts(wanted, ready), shown, f"{ready}/{wanted}", dashboard)


def _counts_of(observed: AttemptObservation, key: str, workers: Workers, alone: bool) -> GroupCounts:
    group = observed.groups.get(key)
    connected = observed.runner_report.workers.of_group(key, alone).connected
    ready = connected if connected is not None else _ready_workers(observed, key)
    return GroupCounts(key, group.replicas if group is not None else workers.initial, ready)


def _ready_workers(attempt: AttemptObservation, key: str | None = None) -> int:
    """How many workers, of the group with that key, may be connected, as their pods show it while the runner has not
    said it: none beside a scheduler that does not run."""
    workers = attempt.workers if key is None else attempt.workers_of(key)
    return sum(pod.ready for pod in workers) if any(pod.ready for pod in attempt.schedulers) else 0


def _progress(observation: Observation, status: DaskJobStatus) -> Progress | None:
    counts, before = _counts(observation), status.progress
    if counts is None:
        return before
    if before is not None and _same(counts, before):
        return replace(counts, last_change=before.last_change)
    return replace(counts, last_change=to_seconds_text(observation.now))


def _counts(observation: Observation) -> Progress | None:
    counts = observation.attempt.runner_report.progress
    if counts is None:
        return None
    done = min(counts.done, counts.total)
    percent = 100 * done // counts.total if counts.total else 0
    return replace(counts, done=done, percent=percent, summary=f"{done}/{counts.total}", last_change=None)


def _same(one: Progress, other: Progress | None) -> bool:
    return other is not None and (one.done, one.total, one.erred) == (other.done, other.total, other.erred)


def _timings(observation: Observation, before: Timings) -> Timings:
    """The times of the attempt; a time that is set stays. A runner's time in the future of the operator's clock becomes
    now: the event has happened, and the pod's clock is wrong."""
    attempt = observation.attempt
    reported = attempt.runner_report.timings

    def capped(moment: datetime | None) -> str | None:
        return to_text(min(moment, observation.now)) if moment is not None else None

    scheduler = next((pod.running_since for pod in attempt.schedulers if pod.running_since), None)
    started = to_shortest_text(scheduler) if scheduler else None
    runner = attempt.runner.running_since if attempt.runner is not None else None
    return replace(
        before,
        created=before.created or _created(observation, before),
        # The start of the scheduler that the runner reached stays; before that, another scheduler may replace it.
        scheduler_started=(before.scheduler_started if before.connected else None)
        or started
        or before.scheduler_started,
        runner_started=before.runner_started
        or capped(reported.runner_started)
        or (to_shortest_text(runner) if runner and not attempt.reporting else None),
        connected=before.connected or capped(reported.connected),
        first_worker=before.first_worker or capped(reported.first_worker),
        graph_started=before.graph_started or capped(reported.graph_started),
        graph_finished=before.graph_finished or capped(reported.graph_finished),
    )


def _created(observation: Observation, before: Timings) -> str | None:
    """When the cluster was created. Kubernetes gives the second, which may have begun before the job was accepted."""
    cluster, accepted = observation.attempt.cluster, from_text(before.accepted)
    if cluster is None:
        return None
    created = min(cluster.created or observation.now, observation.now)
    return to_text(max(created, accepted) if accepted is not None else created)


def _markers(status: DaskJobStatus, timings: Timings) -> Markers | None:
    """The markers of the attempt, from its times; a marker that is set stays."""
    before = markers_of(status)
    markers = Markers(
        runner_started=before.runner_started or timings.runner_started,
        connected=before.connected or timings.connected,
        scheduler_started=(before.scheduler_started if before.connected else None) or timings.scheduler_started,
        graph_started=before.graph_started or timings.graph_started,
        cancel_requested=before.cancel_requested,
        overdue=before.overdue,
        overdue_message=before.overdue_message,
    )
    return markers if markers != Markers() else None


def _readiness(observation: Observation, status: DaskJobStatus) -> DaskJobStatus:
    counts = status.cluster.workers if status.cluster is not None else WorkerCounts()
    blocker, waiting = find_blocker(observation), observation.attempt.runner_report.waiting
    if waiting:
        # All processes run, and yet nothing goes on; or the graph has its value, and some of its tasks go on.
        reason = Reason(waiting[0].reason or Reason.WAITING)
        ready = reason is Reason.FIRE_AND_FORGET
        message = "; ".join(each.message or "" for each in waiting)
    elif counts.wanted and counts.ready >= counts.wanted and has_started(observation) and not _just_began(observation):
        ready, reason, message = True, Reason.WORKERS_READY, f"all {counts.wanted} workers are connected"
    elif blocker is not None:
        ready, reason, message = False, blocker.reason, blocker.message
    elif pinning.is_awaited(observation):
        ready, reason, message = False, Reason.WAITING, "a pod finds the commit of spec.graph.source.git.revision"
    else:
        ready, reason = False, Reason.WAITING
        known = observation.attempt.runner_report.workers.connected is not None
        there = f"{counts.ready} {'connected' if known else 'ready'}"
        message = f"waiting for {counts.wanted} worker{'' if counts.wanted == 1 else 's'}: {there}"
        message += _awaited_words(observation)
    return status.with_condition(
        ConditionType.CLUSTER_READY,
        ready,
        reason,
        message,
        to_seconds_text(observation.now),
        observation.job.generation,
    )


def _just_began(observation: Observation) -> bool:
    """Whether the runner has only begun, and not yet said which workers are connected: the pods do not show it."""
    attempt, runner = observation.attempt, observation.attempt.runner
    since = runner.running_since if runner is not None else None
    return not attempt.reporting and since is not None and observation.now - since < FIRST_WORD


def _awaited_words(observation: Observation) -> str:
    """Which pod waits for a container of its template; empty: none does."""
    waits = ((pod, pod.awaited) for pod in observation.attempt.pods if pod.acting)
    found = next(((pod, container) for pod, container in waits if container is not None), None)
    if found is None:
        return ""
    pod, container = found
    return f"; pod {pod.name} ({pod.component}) waits for its {container.kind} {container.name}"


def _reporting(observation: Observation, status: DaskJobStatus) -> DaskJobStatus:
    """With the condition ReportingDegraded while reports are not believed. That a runner does not report at all, only
    its end shows."""
    report = observation.attempt.report
    if report is None or report.distrust is None:
        return status.without(ConditionType.REPORTING_DEGRADED)
    message = f"{report.distrust}; there is no progress, and the outcome will be from the runner's termination message"
    time, generation = to_seconds_text(observation.now), observation.job.generation
    return status.with_condition(
        ConditionType.REPORTING_DEGRADED, True, Reason.POLICY_NOT_IN_FORCE, message, time, generation
    )
