"""Which objects to delete. Every pass derives them from what exists, and not only the pass that ends an attempt."""

from __future__ import annotations

from datetime import datetime, timedelta

from daskjob.api.times import from_text
from daskjob.lifecycle.job.actions import Action, Cancel, Delete, DeleteAll, EndSidecars
from daskjob.lifecycle.job.observation import Observation, Owned
from daskjob.lifecycle.job.report_saved import runner_grace
from daskjob.lifecycle.pods import Pod

#: A pod that exists for so long after its deletion deadline counts as fenced: its node does not answer.
NODE_PATIENCE = timedelta(seconds=60)
#: How long the cache may show objects of an ended attempt before a live read asks whether they still exist; after
#: that, as long again as the removal has taken, up to the second value.
LINGERING, MOST_LINGERING = timedelta(seconds=10), timedelta(minutes=5)
#: The same while the watches have brought every change since the attempt ended: pods of a busy node take their time.
FOLLOWED_LINGERING = timedelta(seconds=60)


def delete_stale_objects(observation: Observation) -> list[Action]:
    """Deletes the objects of earlier attempts."""
    return [Delete(each, "it belongs to an earlier attempt") for each in observation.stale_objects if not each.deleting]


def tear_down(observation: Observation, why: str, keep_cluster: bool = False) -> list[Action]:
    """Deletes what is left after the outcome of the last attempt is recorded. A runner pod that ends by itself stays
    for its logs. `why`: for the log; `keep_cluster`: a user wants to look at the cluster (`spec.cleanup`)."""
    actions = [*delete_stale_objects(observation), *remove_resolver(observation, why)]
    if not keep_cluster:
        actions += remove_cluster(observation, why)
    runner, report = observation.attempt.runner, observation.attempt.report
    if runner is not None and not runner.ended and not runner.deleting:
        pod = Owned("Pod", runner.name, runner.uid, runner.attempt)
        # The runner can report before the kubelet reports that the runner's container runs.
        if not runner.started and not observation.attempt.reporting:
            actions.append(Delete(pod, f"{why} and its runner never started"))
        elif _overdue(observation):
            actions.append(Delete(pod, f"{why} and its runner has not"))
        elif report is not None and not report.sealed and not report.cancel:
            actions.append(Cancel(report.name))
    if runner is not None and runner.goes_on:
        actions.append(EndSidecars(runner.name, runner.uid))
    return actions


def remove_all(observation: Observation) -> list[Action]:
    """Deletes all that runs of a job that is being deleted."""
    why = "its job is being deleted"
    actions = [
        *delete_stale_objects(observation),
        *remove_resolver(observation, why),
        *remove_cluster(observation, why),
    ]
    runner = observation.attempt.runner
    if runner is not None and not runner.all_ended and not runner.deleting:
        actions.append(Delete(Owned("Pod", runner.name, runner.uid, runner.attempt), why))
    return actions


def remove_resolver(observation: Observation, why: str) -> list[Action]:
    """Deletes the pod that finds the commit of the code."""
    pod = observation.attempt.resolver
    return [Delete(Owned("Pod", pod.name, pod.uid, pod.attempt), why)] if pod is not None and not pod.deleting else []


def remove_cluster(observation: Observation, why: str) -> list[Action]:
    """Deletes the cluster and what runs of it. The pods come first: nothing makes others, and the garbage collector,
    which owner references lead to the same objects, passes over those that are being deleted. It deletes no more than
    some twenty objects a second of a whole Kubernetes cluster.
    """
    attempt, status = observation.attempt, observation.job.status
    number = status.attempt or 0
    pods = [each for each in (*attempt.schedulers, *attempt.workers) if not each.deleting]
    groups = [each for each in attempt.groups.values() if not each.deleting]
    # Pods of Deployments, which dask-kubernetes' own operator makes, are left to these: they would be made anew.
    of_cluster = [Owned("Pod", each.name, each.uid, number) for each in pods if each.of_cluster]
    # A request by labels would reach pods of others that have them.
    at_once = status.current is not None and len(of_cluster) == len(pods) and not observation.has_strangers
    name = status.current.name if status.current is not None and at_once else None
    return [
        *_delete_at_once(of_cluster, name, why),
        *(Delete(Owned("DaskWorkerGroup", each.name, each.uid, number), why) for each in groups),
        *(Delete(each, why) for each in (attempt.cluster,) if each is not None and not each.deleting),
    ]


def _delete_at_once(targets: list[Owned], cluster: str | None, why: str) -> list[Action]:
    """Deletes objects of one kind: several of a cluster in one request, by its labels; None: each by its UID."""
    if cluster is None or len(targets) < 2:
        return [Delete(each, why) for each in targets]
    return [DeleteAll(targets[0].kind, cluster, tuple(targets), why)]


def _overdue(observation: Observation) -> bool:
    ended = _ended_at(observation)
    return ended is not None and observation.now >= ended + runner_grace(observation.job.spec)


def is_clean(observation: Observation) -> bool:
    """Whether nothing is left of the job but ended runner pods and reports."""
    return _is_clean(observation, fenced=False)


def is_over(observation: Observation) -> bool:
    """Whether nothing of earlier attempts can act any more: cluster and pods are gone, or the pods are fenced."""
    return _is_clean(observation, fenced=True)


def lingers(observation: Observation) -> bool:
    """Whether the cache shows objects of an ended attempt for so long that they may be gone: a watch that broke begins
    again with a list, and a list has no deletions."""
    status = observation.job.status
    if status.open is not None or is_clean(observation):
        return False
    due = lingering_until(observation)
    return due is not None and observation.now >= due


def lingering_until(observation: Observation) -> datetime | None:
    """When a live read asks next whether the objects of the ended attempt still exist; None: no attempt has ended."""
    ended = _ended_at(observation)
    if ended is None:
        return None
    asked = max(ended, observation.last_live_read or ended)
    first = FOLLOWED_LINGERING if _is_followed(observation, ended) else LINGERING
    return asked + min(max(first, asked - ended), MOST_LINGERING)


def next_check(observation: Observation) -> timedelta:
    """How soon the next pass runs while the removal goes on, if no watch event brings it earlier."""
    ended, now = _ended_at(observation), observation.now
    pause = (lingering_until(observation) or now) - now
    if ended is not None and _is_followed(observation, ended):
        # A watch may break until then.
        pause = min(pause, now - ended)
    return max(pause, LINGERING)


def _ended_at(observation: Observation) -> datetime | None:
    current = observation.job.status.current
    return from_text(current.completion_time) if current is not None else None


def _is_followed(observation: Observation, ended: datetime) -> bool:
    """Whether the watches have brought every deletion since the attempt ended."""
    return observation.followed_since is not None and observation.followed_since <= ended


def fenced_at(observation: Observation) -> datetime | None:
    """When the next pod that is being deleted will count as fenced; None if no such pod will."""
    pods: tuple[Pod | Owned, ...] = (*observation.attempt.pods, *observation.stale_objects)
    moments = [each.deletion_deadline + NODE_PATIENCE for each in pods if each.deletion_deadline is not None]
    return min((moment for moment in moments if moment > observation.now), default=None)


def is_fenced(deletion_deadline: datetime | None, now: datetime) -> bool:
    """Whether a pod with that deletion deadline counts as fenced; None: it is not being deleted."""
    return deletion_deadline is not None and now >= deletion_deadline + NODE_PATIENCE


def _is_clean(observation: Observation, fenced: bool) -> bool:
    def gone(deletion_deadline: datetime | None) -> bool:
        return fenced and is_fenced(deletion_deadline, observation.now)

    def is_going_group(each: Owned) -> bool:
        return each.kind == "DaskWorkerGroup" and each.deleting

    def rests(pod: Pod) -> bool:
        # The kubelet gives a pod its last phase a moment before it goes: for that the job's last word waits.
        ended = pod.deleting and pod.all_ended
        return gone(pod.deletion_deadline) or (ended and (fenced or is_fenced(pod.deletion_deadline, observation.now)))

    attempt = observation.attempt
    runner, resolver = attempt.runner, attempt.resolver
    # Another attempt waits for the last container; that a job is clean, only for the request that ends it. A pod that
    # has ended and is being deleted may stay for as long as somebody's finalizer keeps it.
    asked = runner is not None and (runner.deleting or (runner.outlived and not runner.goes_on))
    outlived = runner is not None and not fenced and runner.ended and asked
    return (
        attempt.cluster is None
        and (resolver is None or gone(resolver.deletion_deadline))
        # Nobody creates workers for a group that is being deleted; whoever put a finalizer on it, or on a pod that has
        # ended, holds up nobody.
        and all(each.deleting for each in attempt.groups.values())
        and all(map(rests, (*attempt.schedulers, *attempt.workers)))
        and all(gone(each.deletion_deadline) for each in observation.stale_objects if not is_going_group(each))
        and (runner is None or runner.all_ended or outlived or gone(runner.deletion_deadline))
    )
