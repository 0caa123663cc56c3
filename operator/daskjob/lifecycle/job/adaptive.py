"""The size of an adaptive cluster, from what the runner asks for, within the job's bounds.

dask-kubernetes' own DaskAutoscaler asks the scheduler over plain HTTP or TCP, which TLS rules out. The runner has a
connection, asks Dask's scheduler for its target and retires workers itself; the operator only makes and removes pods.
"""

from __future__ import annotations

from daskjob.lifecycle.job.actions import Action, Delete, Scale
from daskjob.lifecycle.job.observation import Observation, Owned
from daskjob.lifecycle.job.progress import has_started, report_of


def scale(observation: Observation) -> list[Action]:
    """Deletes retired workers first, then sets the number: so dask-kubernetes never picks one to remove itself."""
    bounds = observation.job.spec.cluster.workers.adaptive
    if bounds is None or observation.group is None or not has_started(observation):
        return []
    said = report_of(observation).get("workers") or {}
    retired = set(said.get("retired") or ())
    workers = [each for each in observation.deployments if each.component == "worker"]
    gone = [each for each in workers if each.name in retired]
    left = len(workers) - len(gone)
    if left < bounds.minimum:
        gone = gone[: max(len(workers) - bounds.minimum, 0)]
        left = len(workers) - len(gone)
    attempt = observation.job.status.attempt or 0
    actions: list[Action] = [
        Delete(Owned("Deployment", each.name, each.uid, attempt), "its worker was retired") for each in gone
    ]
    wanted = said.get("wanted")
    target = max(left, min(wanted, bounds.maximum)) if isinstance(wanted, int) else left
    target = max(target, bounds.minimum)
    if gone and target == observation.group.replicas:
        # dask-kubernetes acts on a number that changes: first the number that is left, then the one that is wanted.
        target = left
    settled = observation.group.replicas == len(workers)
    if target != observation.group.replicas and (gone or settled):
        actions.append(Scale(observation.group.name, target))
    return actions
