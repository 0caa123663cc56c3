"""The size of an adaptive cluster, from what the runner asks for, within the job's bounds.

dask-kubernetes' own DaskAutoscaler asks the scheduler over plain HTTP or TCP, which TLS rules out. The runner has a
connection: it asks Dask's scheduler for its target and retires workers itself; the operator only
creates and removes their Deployments.
"""

from __future__ import annotations

from daskjob.api.spec import Adaptive
from daskjob.lifecycle.job.actions import Action, Delete, Scale
from daskjob.lifecycle.job.observation import Observation, Owned, WorkerGroup
from daskjob.lifecycle.job.progress import has_started


def scale(observation: Observation) -> list[Action]:
    """What brings each adaptive worker group to the size that the runner asks for."""
    if not has_started(observation):
        return []
    actions: list[Action] = []
    for key, workers in observation.job.spec.cluster.worker_groups.items():
        group = observation.attempt.groups.get(key)
        if workers.adaptive is not None and group is not None:
            actions += _scale(observation, key, group, workers.adaptive)
    return actions


def _scale(observation: Observation, key: str, group: WorkerGroup, bounds: Adaptive) -> list[Action]:
    """Deletes the Deployments of retired workers first, then sets the number: so dask-kubernetes never picks a worker
    to remove by itself."""
    reported = observation.attempt.runner_report.workers
    workers = [each for each in observation.attempt.deployments if each.component == "worker" and each.group == key]
    retired = [each for each in workers if each.name in reported.retired]
    left = len(workers) - len(retired)
    if left < bounds.minimum:
        retired = retired[: max(len(workers) - bounds.minimum, 0)]
        left = len(workers) - len(retired)
    attempt = observation.job.status.attempt or 0
    actions: list[Action] = [
        Delete(Owned("Deployment", each.name, each.uid, attempt), "its worker was retired") for each in retired
    ]
    target = max(left, min(reported.wanted, bounds.maximum)) if reported.wanted is not None else left
    target = max(target, bounds.minimum)
    if retired and target == group.replicas:
        # dask-kubernetes acts on a number that changes: set the number that is left first, then the one that is wanted.
        target = left
    settled = group.replicas == len(workers)
    if target != group.replicas and (retired or settled):
        actions.append(Scale(group.name, target))
    return actions
