"""When an attempt has lost its scheduler. A scheduler has its state in memory only, so the attempt cannot go on.

Nothing replaces a scheduler's pod. One whose container ends before the runner has reached it is not lost: the kubelet
starts it again, and meanwhile it keeps the attempt from starting (`blockers`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from daskjob.api.constants import Reason
from daskjob.api.times import to_shortest_text
from daskjob.lifecycle.job.attempt_end import AttemptEnd, failed, infrastructure
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.progress import markers_of
from daskjob.lifecycle.pods import Pod

GONE = "the scheduler's pod is gone, and with it the state of the graph"
#: In the messages of ends that prove nothing.
BY_ITSELF = "its container ended with"
#: The Dask controller creates the scheduler's pod before the worker group. So long after the group, a pod that is not
#: there was deleted.
LATEST = timedelta(seconds=10)


def scheduler_died(observation: Observation) -> AttemptEnd | None:
    """The scheduler's pod has ended or is being deleted; or its container ended after the runner had reached it."""
    if not observation.attempt.begun:
        return None
    reached = _reached(observation) is not None
    dead = next((pod for pod in observation.attempt.schedulers if not pod.acting or (reached and _died(pod))), None)
    return _lost(observation, dead, reached) if dead is not None else None


def scheduler_replaced(observation: Observation) -> AttemptEnd | None:
    """A scheduler runs that is not the one that the runner reached, or none is there any more."""
    if not observation.attempt.begun:
        return None
    alive, reached = _alive(observation), _reached(observation) is not None
    # The kubelet gives both times: the rule compares no clock with another.
    markers = markers_of(observation.job.status)
    first = markers.scheduler_started if reached and markers.connected else None
    replaced = [pod for pod in alive if first and pod.running_since and to_shortest_text(pod.running_since) != first]
    # Before it takes an absence for true, the operator asks the API server.
    gone = not alive and (reached or _was_created(observation))
    return infrastructure(Reason.SCHEDULER_LOST, GONE) if replaced or gone else None


def confirm_scheduler_lost(observation: Observation) -> AttemptEnd | None:
    """The end by a lost scheduler if pods corroborate the runner's claim; None if they do not.

    With the claim, two more observations count than in the two rules above. A node does not answer: without the claim
    that proves nothing, because the node may come back and its scheduler go on. And a scheduler is younger than the
    runner's connection: without the claim that proves nothing either, because only the runner reports the connection.
    """
    reached = _reached(observation)
    if reached is None:
        return None
    for pod in observation.attempt.schedulers:
        if _died(pod) or pod.unreachable:
            return _lost(observation, pod, True)
    if _could_connect(observation, reached) and any(
        pod.created and pod.created > reached for pod in _alive(observation)
    ):
        return infrastructure(Reason.SCHEDULER_LOST, GONE)
    return scheduler_replaced(observation)


def _reached(observation: Observation) -> datetime | None:
    """When the runner reached the scheduler, by its report; None: it has not."""
    return observation.attempt.runner_report.timings.connected


def _could_connect(observation: Observation, reached: datetime) -> bool:
    """Whether the runner's container ran when its report says that it reached the scheduler: user code may write any
    time there, one before there was a scheduler, too."""
    runner = observation.attempt.runner
    if runner is None:
        return False
    ends = (each.started for each in runner.terminations)
    began = runner.running_since or next(ends, None)
    return began is not None and began <= reached


def _was_created(observation: Observation) -> bool:
    """Whether the Dask controller must have created the scheduler's pod."""
    groups = observation.attempt.groups.values()
    return any(each.created is not None and each.created + LATEST <= observation.now for each in groups)


def _alive(observation: Observation) -> list[Pod]:
    return [pod for pod in observation.attempt.schedulers if pod.acting]


def _died(pod: Pod) -> bool:
    return not pod.acting or bool(pod.terminations) or pod.restarts > 0


def _lost(observation: Observation, pod: Pod, reached: bool) -> AttemptEnd:
    if pod.oom_killed:
        return failed(
            Reason.SCHEDULER_OOM_KILLED,
            f"scheduler pod {pod.name} was killed for exceeding its memory limit; raise "
            "spec.cluster.scheduler.resources.limits.memory or build a smaller graph",
        )
    probe = observation.attempt.words_on(pod)
    how, proven = _how(pod, probe)
    when = "while the graph ran" if reached else "before the runner reached it"
    message = f"scheduler pod {pod.name} was lost {when}: {how}"
    if pod.own_end or probe:
        return failed(Reason.SCHEDULER_LOST, message)
    before = _unproven_before(observation) if not proven else None
    if before is None:
        return infrastructure(Reason.SCHEDULER_LOST, message)
    return failed(
        Reason.SCHEDULER_LOST, f"{message}; attempt {before} ended like this, too, and no pod shows a cause outside"
    )


def _how(pod: Pod, probe: str) -> tuple[str, bool]:
    """How the pod was lost, and whether that is proven to come from outside. `probe`: what Kubernetes says of a probe
    that ended its container.

    A container that ended proves nothing: user code in a task, or run on the scheduler, may end its process with any
    exit code, or kill it. What Kubernetes writes into the pod, it cannot forge.
    """
    ends = pod.terminations
    if pod.unreachable:
        return "its node does not answer", True
    if pod.own_end:
        return pod.own_end, False
    if pod.disrupted or pod.deleting:
        how = "Kubernetes took it away" if pod.disrupted else "it was deleted"
        words = pod.message or pod.reason
        return f"{how}: {words}" if words else how, True
    if ends and ends[0].lost:
        return f"its node lost its container ({ends[0].reason})", True
    if ends:
        return f"{BY_ITSELF} {ends[0].how}{probe}{ends[0].words}", False
    how = pod.reason or "it was removed"
    return f"{how}: {pod.message}" if pod.message else how, True


def _unproven_before(observation: Observation) -> int | None:
    """The number of an earlier attempt of the run whose scheduler's container ended without a cause outside; None:
    there is none.

    Once, the infrastructure gets the benefit of the doubt. When a node kills the pod's sandbox, or its kernel a process
    for want of memory of the node (cgroup v1), the kubelet ends or restarts the container and writes nothing else into
    the pod: exit code 0, 137 or 143, as user code can choose them. Such ends cannot be told apart."""
    current, *earlier = reversed(observation.job.status.attempts)
    ends = (each for each in earlier if each.run == current.run and each.reason == Reason.SCHEDULER_LOST)
    return next((each.number for each in ends if BY_ITSELF in (each.message or "")), None)
