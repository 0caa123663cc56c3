"""The size of an adaptive cluster, from what the runner asks for, within the job's bounds.

dask-kubernetes' own DaskAutoscaler cannot ask a scheduler that speaks only TLS. The runner has a TLS connection: it
asks Dask's scheduler for the target and retires workers itself. The operator changes only the number of workers and
deletes the pods of retired ones.
"""

from __future__ import annotations

from daskjob.api.cluster_spec import Adaptive
from daskjob.lifecycle.job.actions import Action, Delete, Scale
from daskjob.lifecycle.job.observation import Observation, Owned, WorkerGroup
from daskjob.lifecycle.job.progress import has_started


def scale(observation: Observation) -> list[Action]:
    """The actions that bring the adaptive worker groups to the sizes that the runner asks for."""
    if not has_started(observation):
        return []
    actions: list[Action] = []
    for key, workers in observation.job.spec.cluster.groups.items():
        group = observation.attempt.groups.get(key)
        if workers.adaptive is not None and group is not None:
            actions += _scale(observation, group, workers.adaptive)
    return actions


def _scale(observation: Observation, group: WorkerGroup, bounds: Adaptive) -> list[Action]:
    """Deletes the pods of retired workers first and then sets the number, so that dask-kubernetes never chooses
    a worker to remove."""
    reported = observation.attempt.runner_report.workers
    wanted = reported.of_group(group.key, alone=not observation.job.spec.cluster.worker_groups).wanted
    workers = [each for each in observation.attempt.workers_of(group.key) if each.acting]
    retired = [each for each in workers if each.name in reported.retired]
    left = len(workers) - len(retired)
    if left < bounds.minimum:
        retired = retired[: max(len(workers) - bounds.minimum, 0)]
        left = len(workers) - len(retired)
    attempt = observation.job.status.attempt or 0
    actions: list[Action] = [
        Delete(Owned("Pod", each.name, each.uid, attempt), "its worker was retired") for each in retired
    ]
    target = max(left, min(wanted, bounds.maximum)) if wanted is not None else left
    target = max(target, bounds.minimum)
    if retired and target == group.replicas:
        # dask-kubernetes acts only when the number changes: this pass sets the number that is left, the next one the
        # number that the runner wants.
        target = left
    settled = group.replicas == len(workers)
    if target != group.replicas and (retired or settled):
        actions.append(Scale(group.name, target))
    return actions
