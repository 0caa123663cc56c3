"""When an attempt has lost its scheduler. A scheduler has its state in memory only, so the attempt cannot go on.

A scheduler that ends before the runner has reached it is not lost: it keeps the attempt from starting (`blockers`).
"""

from __future__ import annotations

from datetime import datetime

from daskjob.api.constants import Reason
from daskjob.api.times import to_shortest_text
from daskjob.lifecycle.job.attempt_end import AttemptEnd, failed, infrastructure
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.progress import markers_of
from daskjob.lifecycle.pods import Pod

GONE = "the scheduler's pod is gone, and with it the state of the graph"


def scheduler_died(observation: Observation) -> AttemptEnd | None:
    """The scheduler that the runner reached has ended, was started again, or is being deleted."""
    dead = next((pod for pod in observation.attempt.schedulers if _died(pod)), None)
    return _lost(dead) if dead is not None and _reached(observation) is not None else None


def scheduler_replaced(observation: Observation) -> AttemptEnd | None:
    """A scheduler runs that is not the one that the runner reached, or (by a live read) none does."""
    if _reached(observation) is None:
        return None
    alive = _alive(observation)
    # The kubelet gives both times: the rule compares no clock with another.
    markers = markers_of(observation.job.status)
    first = markers.scheduler_started if markers.connected else None
    replaced = [pod for pod in alive if first and pod.running_since and to_shortest_text(pod.running_since) != first]
    if replaced or (not alive and observation.live):
        return infrastructure(Reason.SCHEDULER_LOST, GONE)
    return None


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
            return _lost(pod)
    if any(pod.created and pod.created > reached for pod in _alive(observation)):
        return infrastructure(Reason.SCHEDULER_LOST, GONE)
    return scheduler_replaced(observation)


def _reached(observation: Observation) -> datetime | None:
    """When the runner reached the scheduler, by its report; None: it has not."""
    return observation.attempt.runner_report.timings.connected


def _alive(observation: Observation) -> list[Pod]:
    return [pod for pod in observation.attempt.schedulers if not pod.deleting and not pod.ended]


def _died(pod: Pod) -> bool:
    return pod.deleting or pod.ended or pod.restarts > 0 or any(each.terminated for each in pod.containers)


def _lost(pod: Pod) -> AttemptEnd:
    if pod.oom_killed:
        return failed(
            Reason.SCHEDULER_OOM_KILLED,
            f"scheduler pod {pod.name} was killed for exceeding its memory limit; raise "
            "spec.cluster.scheduler.resources.limits.memory or build a smaller graph",
        )
    ends = [end for each in pod.containers for end in each.terminations]
    how = f"its container ended with exit code {ends[0].exit_code}" if ends else pod.reason or "it was removed"
    if pod.unreachable:
        how = "its node does not answer"
    return infrastructure(Reason.SCHEDULER_LOST, f"scheduler pod {pod.name} was lost while the graph ran: {how}")
