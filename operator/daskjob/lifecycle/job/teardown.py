"""What must not exist now, derived on every pass from what exists, and not only when an attempt ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from daskjob.api.times import from_text
from daskjob.lifecycle.job.actions import Action, Cancel, Delete
from daskjob.lifecycle.job.observation import Observation, Owned
from daskjob.lifecycle.pods import Pod

#: How long a runner that is told to stop, or has reported, may take to end by itself (its logs stay then).
RUNNER_GRACE = timedelta(seconds=30)
#: A pod that is to be gone for longer than this is on a node that does not answer.
NODE_PATIENCE = timedelta(seconds=60)
#: How long what is left of an attempt may be seen before the API server is asked whether it is still there.
LINGERING = timedelta(seconds=10)


def delete_stale_objects(observation: Observation) -> list[Action]:
    """Objects of attempts other than the current one."""
    return [Delete(each, "it belongs to an earlier attempt") for each in observation.stale_objects if not each.deleting]


def tear_down(observation: Observation, why: str, keep_cluster: bool = False) -> list[Action]:
    """What to remove once the outcome of the last attempt is recorded. The runner's pod stays, for its logs, if it
    ends. `why`: for the log; `keep_cluster`: for a person to look at."""
    actions = [*delete_stale_objects(observation), *_delete_stray_groups(observation)]
    cluster, runner, report = observation.attempt.cluster, observation.attempt.runner, observation.attempt.report
    if cluster is not None and not cluster.deleting and not keep_cluster:
        actions.append(Delete(cluster, why))
    if runner is not None and not runner.ended and not runner.deleting:
        pod = Owned("Pod", runner.name, runner.uid, runner.attempt)
        # A report can come before the kubelet's word that the container of its writer runs.
        if not runner.started and not observation.attempt.reporting:
            actions.append(Delete(pod, f"{why} and its runner never started"))
        elif _overdue(observation):
            actions.append(Delete(pod, f"{why} and its runner has not"))
        elif report is not None and not report.sealed and not report.cancel:
            actions.append(Cancel(report.name))
    return actions


def remove_all(observation: Observation) -> list[Action]:
    """What to remove of a job that is being deleted itself: all that runs."""
    actions = [*delete_stale_objects(observation), *_delete_stray_groups(observation)]
    cluster, runner = observation.attempt.cluster, observation.attempt.runner
    if cluster is not None and not cluster.deleting:
        actions.append(Delete(cluster, "its job is being deleted"))
    if runner is not None and not runner.ended and not runner.deleting:
        actions.append(Delete(Owned("Pod", runner.name, runner.uid, runner.attempt), "its job is being deleted"))
    return actions


def _delete_stray_groups(observation: Observation) -> list[Action]:
    """dask-kubernetes gives a group its owner only after it was made, and its cluster may have gone before."""
    if observation.attempt.cluster is not None:
        return []
    attempt = observation.job.status.attempt or 0
    strays = [group for group in observation.attempt.groups.values() if not group.adopted]
    return [Delete(Owned("DaskWorkerGroup", each.name, each.uid, attempt), "its cluster is gone") for each in strays]


def _overdue(observation: Observation) -> bool:
    attempt = observation.job.status.current
    ended = from_text(attempt.completion_time) if attempt is not None else None
    return ended is not None and observation.now >= ended + RUNNER_GRACE


def is_clean(observation: Observation) -> bool:
    """Whether nothing is left of the job but its ended runner and its reports."""
    return _is_clean(observation, fenced=False)


def is_over(observation: Observation) -> bool:
    """Whether nothing of earlier attempts can act any more: gone, or on a node that does not answer, with a cluster
    and a report that are gone or not listened to."""
    return _is_clean(observation, fenced=True)


def lingers(observation: Observation) -> bool:
    """Whether what is left of an attempt that has ended may be gone by now, and its end have been missed: a watch that
    was broken begins again with a list, and a list tells of no end."""
    status = observation.job.status
    ended = from_text(status.current.completion_time) if status.current is not None else None
    if status.open is not None or ended is None or is_clean(observation):
        return False
    return observation.now >= max(ended, observation.last_live_read or ended) + LINGERING


def fenced_at(observation: Observation) -> datetime | None:
    """When the first of the pods that are to be gone will count as fenced."""
    pods: tuple[Pod | Owned, ...] = (*observation.attempt.pods, *observation.stale_objects)
    moments = [each.deletion_deadline + NODE_PATIENCE for each in pods if each.deletion_deadline is not None]
    return min((moment for moment in moments if moment > observation.now), default=None)


def is_fenced(observation: Observation, deletion_deadline: datetime | None) -> bool:
    """Whether a pod that was to be gone by then is on a node that does not answer; None: it was not to go."""
    return deletion_deadline is not None and observation.now >= deletion_deadline + NODE_PATIENCE


def _is_clean(observation: Observation, fenced: bool) -> bool:
    def gone(deletion_deadline: datetime | None) -> bool:
        return fenced and is_fenced(observation, deletion_deadline)

    attempt = observation.attempt
    runner = attempt.runner
    return (
        attempt.cluster is None
        and not attempt.groups
        and not attempt.deployments
        and all(gone(each.deletion_deadline) for each in (*attempt.schedulers, *attempt.workers))
        and all(gone(each.deletion_deadline) for each in observation.stale_objects)
        and (runner is None or runner.ended or gone(runner.deletion_deadline))
    )
