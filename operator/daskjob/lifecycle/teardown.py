"""What must not exist now, from what exists: on every pass, not only when a job ends."""

from __future__ import annotations

from datetime import timedelta

from daskjob.api.times import from_text
from daskjob.lifecycle.actions import Action, Cancel, Delete
from daskjob.lifecycle.observation import Observation, Owned

#: How long a runner that is told to stop, or has reported, may take to end by itself (its logs stay then).
RUNNER_GRACE = timedelta(seconds=30)


def delete_leftovers(observation: Observation) -> list[Action]:
    """Objects of attempts other than the current one."""
    return [Delete(each, "it belongs to an earlier attempt") for each in observation.leftovers if not each.deleting]


def tear_down(observation: Observation) -> list[Action]:
    """What to remove once the outcome is recorded. The runner's pod stays, for its logs, if it ends."""
    actions = delete_leftovers(observation)
    cluster, runner, report = observation.cluster, observation.runner, observation.report
    if cluster is not None and not cluster.deleting:
        actions.append(Delete(cluster, "the job has ended"))
    group = observation.group
    if cluster is None and group is not None and not group.adopted:
        # dask-kubernetes gives a group its owner only after it was made: this one was left without.
        owned = Owned("DaskWorkerGroup", group.name, group.uid, observation.job.status.attempt or 0)
        actions.append(Delete(owned, "its cluster is gone"))
    if runner is not None and not runner.ended and not runner.deleting:
        pod = Owned("Pod", runner.name, runner.uid, runner.attempt)
        # A report can be ahead of the kubelet's word that its writer runs.
        heard = report is not None and bool(report.status)
        if not runner.started and not heard:
            actions.append(Delete(pod, "the job has ended and its runner never started"))
        elif _overdue(observation):
            actions.append(Delete(pod, "the job has ended and its runner has not"))
        elif report is not None and not report.sealed and not report.cancel:
            actions.append(Cancel(report.name))
    return actions


def _overdue(observation: Observation) -> bool:
    ended = from_text(observation.job.status.completion_time)
    return ended is not None and observation.now >= ended + RUNNER_GRACE


def is_clean(observation: Observation) -> bool:
    """Whether nothing is left of the job but its ended runner and its reports."""
    return (
        observation.cluster is None
        and observation.group is None
        and not observation.schedulers
        and not observation.workers
        and not observation.deployments
        and not observation.leftovers
        and (observation.runner is None or observation.runner.ended)
    )
