"""What keeps an attempt from starting, with the message of the component that refused: kubelet, scheduler, API
server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.constants import ConditionType, Reason
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job.container_trouble import trouble_of
from daskjob.lifecycle.job.observation import AttemptObservation, Observation
from daskjob.lifecycle.job.silence import is_silent, read_warning
from daskjob.lifecycle.pods import Pod
from daskjob.wire import FETCH_REASONS


def find_blocker(observation: Observation) -> Blocker | None:
    """The blocker of the attempt that explains most: one that is there now, else the last one that was, until it is
    overcome. None if nothing keeps the attempt from starting."""
    return next(_blockers(observation), None) or _remembered(observation)


def _blockers(observation: Observation) -> Iterator[Blocker]:
    attempt = observation.attempt
    for reference in observation.missing_references:
        yield Blocker(reference.reason, reference.missing_in(observation.job.namespace))
    if attempt.refusal is not None:
        yield attempt.refusal
    yield from (_about(component, refusal) for component, refusal in refused_dask_pods(attempt))
    yield from _troubles(observation)
    for pod in attempt.pods:
        if pod.unschedulable is not None:
            yield Blocker(Reason.UNSCHEDULABLE, f"pod {pod.name} ({pod.component}): {pod.unschedulable}")
        elif pod.scheduler and is_silent(pod, observation.now) and not pod.node:
            yield Blocker(
                Reason.UNSCHEDULABLE,
                f"pod {pod.name} ({pod.component}): no scheduler {pod.scheduler!r} says anything of it: correct "
                "schedulerName in its template, or see that a scheduler of that name runs",
            )
    yield from map(read_warning, attempt.warnings)
    for pod in attempt.pods:
        if pod.claims and not pod.node and is_silent(pod, observation.now):
            # Kubernetes' scheduler says nothing of a pod before its claims exist.
            words = f"waits for its resource claims: {', '.join(pod.claims)}. See whether they exist"
            yield Blocker(
                Reason.UNSCHEDULABLE, f"pod {pod.name} ({pod.component}): {words} (kubectl get resourceclaims)"
            )


def refused_dask_pods(attempt: AttemptObservation) -> Iterator[tuple[str, Blocker]]:
    """Component and refusal of what the Dask controller could not create, and what is still missing: pods, or the group
    of the workers."""
    if attempt.scheduler_refusal is not None and not attempt.schedulers:
        yield "scheduler", attempt.scheduler_refusal
    if attempt.group_refusal is not None and DEFAULT_GROUP not in attempt.groups:
        yield "workers", attempt.group_refusal
    for group in attempt.groups.values():
        # What was refused earlier does not count when all workers are there.
        if group.refusal is not None and attempt.lacks_workers(group):
            yield "worker", group.refusal


def _about(component: str, refusal: Blocker) -> Blocker:
    return replace(refusal, message=f"{component}: {refusal.message}")


def _troubles(observation: Observation) -> Iterator[Blocker]:
    """What the pods' containers show, the permanent first."""
    attempt, report = observation.attempt, observation.attempt.runner_report
    joined = {
        "scheduler": report.timings.connected is not None,
        "worker": report.computing or report.timings.first_worker is not None,
    }
    found = [(pod, trouble_of(pod, joined.get(pod.component, False))) for pod in attempt.pods]
    troubles = [(pod, trouble) for pod, trouble in found if trouble is not None]
    hopeless = [pod.group for pod, trouble in troubles if trouble.permanent and pod.component == "worker"]
    spared = {key for key in attempt.groups if _spares(observation, key, hopeless.count(key))}
    for pod, trouble in sorted(troubles, key=lambda each: not each[1].permanent):
        spares = pod.component == "worker" and pod.group in spared
        explained = replace(trouble, message=f"{trouble.message}{attempt.words_on(pod)}")
        yield replace(explained, permanent=False) if spares else explained


def _spares(observation: Observation, key: str, hopeless: int) -> bool:
    """Whether a group gets on without so many workers: one that cannot start, on a bad node, say, does not matter while
    enough others may."""
    attempt, group = observation.attempt, observation.job.spec.cluster.groups.get(key)
    wanted = max(attempt.groups[key].replicas, len(attempt.workers_of(key)))
    return wanted - hopeless >= (group.least if group is not None else 0)


def hopeless_group(observation: Observation) -> Blocker | None:
    """Why no worker of a group will ever start, while the graph waits for one; None: it need not, or one may yet start.
    (Where waiting may help, Dask gives its tasks up after the startup deadline.)"""
    attempt, cluster = observation.attempt, observation.job.spec.cluster
    for key in cluster.groups:
        reported = attempt.runner_report.workers.of_group(key, alone=not cluster.worker_groups)
        if not reported.wanted or reported.connected != 0:
            continue
        pods = [each for each in attempt.workers_of(key) if each.acting]
        troubles = [trouble_of(each) if _never_worked(each) else None for each in pods]
        found = [each for each in troubles if each is not None and each.permanent]
        if found and len(found) == len(pods):
            return found[0]
    return None


def _never_worked(pod: Pod) -> bool:
    """Whether no task can have run in the pod: its worker has not begun, or always ended by what it found at its
    start."""
    ends = pod.terminations
    return not pod.started or (bool(ends) and all(each.own_reason is not None for each in ends))


def _remembered(observation: Observation) -> Blocker | None:
    """The blocker that the status has, if it is not overcome: its pod may be silent for a while, or another one be in
    its place."""
    recorded = observation.job.status.condition(ConditionType.CLUSTER_READY)
    if recorded is None or recorded.status != "False" or recorded.reason not in OVERCOME:
        return None
    reason = Reason(recorded.reason)
    return None if OVERCOME[reason](observation) else Blocker(reason, recorded.message)


def _is_made(observation: Observation) -> bool:
    """Whether the operator has created all objects of the attempt. What the Dask controller could not create stays on
    its objects."""
    return observation.attempt.report is not None


def _is_placed(observation: Observation) -> bool:
    return _all_pods(observation, lambda pod: bool(pod.node or pod.containers))


def _runs(observation: Observation) -> bool:
    return _all_pods(observation, lambda pod: pod.running_since is not None)


def _all_pods(observation: Observation, holds: Callable[[Pod], bool]) -> bool:
    """Whether the attempt has all pods that it wants, and this holds for each."""
    attempt = observation.attempt
    pods = [each for each in attempt.pods if each.acting]
    components = [each.component for each in pods if holds(each)]
    wanted = sum(each.replicas for each in attempt.groups.values())
    there = components.count("worker") >= wanted and {"scheduler", "runner"} <= {*components}
    return bool(attempt.groups) and there and len(components) == len(pods)


#: Reasons of blockers that the status keeps although nothing shows them any more, with what tells that they are
#: overcome. (A missing reference is looked for in every pass.)
OVERCOME: Mapping[str, Callable[[Observation], bool]] = {
    Reason.NAME_CONFLICT: _is_made,
    Reason.QUOTA_EXCEEDED: _is_made,
    Reason.POD_REJECTED: _is_made,
    Reason.SERVICE_ACCOUNT_NOT_FOUND: _is_made,
    Reason.OPERATOR_FORBIDDEN: _is_made,
    Reason.UNSCHEDULABLE: _is_placed,
    Reason.KUBERNETES_FAILED: _runs,
    Reason.VOLUME_MOUNT_FAILED: _runs,
    Reason.PAYLOAD_MISSING: _runs,
    Reason.IMAGE_PULL_FAILED: _runs,
    Reason.INIT_CONTAINER_FAILED: _runs,
    Reason.CONTAINER_START_FAILED: _runs,
    Reason.FILES_CHANGED: _runs,
    **dict.fromkeys(map(Reason, FETCH_REASONS), _runs),
    Reason.PRELOAD_FAILED: _runs,
    Reason.DASK_CUDA_MISSING: _runs,
    Reason.WRONG_GPU_COUNT: _runs,
    Reason.SCHEDULER_OOM_KILLED: _runs,
    Reason.WORKER_OOM_KILLED: _runs,
}
