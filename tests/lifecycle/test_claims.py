"""What a runner claims of its end, and what the pods say to that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daskjob import wire
from daskjob.api.constants import FailureClass
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import Delete
from daskjob.lifecycle.job.claims import NODE_SETTLE, SETTLE
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import (
    Scene,
    a_job,
    a_pod,
    ago,
    end_of,
    ended,
    failed_with,
    looping,
    message,
    restarted,
    running,
    sealed,
    text,
)

A, B = FailureClass.APPLICATION, FailureClass.INFRASTRUCTURE
SEVEN = {"type": "int", "value": "7", "size": 1}

OOM_WORKER = restarted("worker", 137, "OOMKilled")
CLAIMS = {
    "workers killed, one for its memory": ("WorkersKilled", {"workers": (OOM_WORKER,)}, "WorkerOOMKilled", A),
    "workers killed, no word why": ("WorkersKilled", {"workers": (restarted("worker", 1),)}, "WorkersKilled", A),
    "scheduler killed for its memory": (
        "SchedulerLost",
        {"schedulers": (restarted("scheduler", 137, "OOMKilled"),)},
        "SchedulerOOMKilled",
        A,
    ),
    "scheduler lost": ("SchedulerLost", {"schedulers": (ended("scheduler", 1),)}, "SchedulerLost", B),
    "scheduler on a node that does not answer": (
        "SchedulerLost",
        {"schedulers": (running("scheduler", unreachable=True),)},
        "SchedulerLost",
        B,
    ),
    "scheduler there": ("SchedulerLost", {"schedulers": (running("scheduler"),)}, "SchedulerLost", A),
    "another one": ("SchedulerLost", {"schedulers": (running("scheduler", created=ago(9)),)}, "SchedulerLost", B),
    "no workers, and all are there": ("NoWorkers", {}, "NoWorkers", A),
    "no workers, and none is there yet": ("NoWorkers", {"workers": ()}, "NoWorkers", A),
    "no workers, and the runner has ended": ("NoWorkers", {"runner": ended("runner", 1)}, "NoWorkers", A),
    "no workers, one ends by an exit code that pretends": (
        "NoWorkers",
        {"workers": (restarted("worker", 143),)},
        "NoWorkers",
        A,
    ),
    "no workers, one taken": ("NoWorkers", {"workers": (a_pod("worker", disrupted=True),)}, "NoWorkers", B),
    "no workers, one on a node that does not answer": (
        "NoWorkers",
        {"workers": (running("worker", unreachable=True),)},
        "NoWorkers",
        B,
    ),
    "no workers, and one keeps ending": (
        "NoWorkers",
        {"workers": (looping("worker", 1, "no distributed"),)},
        "ContainerStartFailed",
        A,
    ),
    "no workers, for want of a node": (
        "NoWorkers",
        {"workers": (a_pod("worker", unschedulable="0/1 nodes"),)},
        "Unschedulable",
        A,
    ),
    "workers killed, one evicted": (
        "WorkersKilled",
        {"workers": (running("worker", disrupted=True, message="node was low on memory"),)},
        "WorkersDisrupted",
        B,
    ),
    "told to stop, drained": ("Cancelled", {"runner": running("runner", disrupted=True)}, "RunnerDisrupted", B),
    "told to stop, deleted": ("Cancelled", {"runner": running("runner", deleting=True)}, "RunnerLost", B),
    "told to stop, deleted and gone": ("Cancelled", {"runner": None}, "RunnerLost", B),
    "told to stop, evicted": (
        "Cancelled",
        {"runner": a_pod("runner", phase="Failed", reason="Evicted", message="used too much")},
        "RunnerEvicted",
        A,
    ),
    "told to stop, nobody knows why": ("Cancelled", {}, "RunnerStopped", A),
    "scheduler not reached, and it runs": ("SchedulerUnreachable", {}, "SchedulerUnreachable", A),
    "scheduler not reached, and not there yet": (
        "SchedulerUnreachable",
        {"schedulers": (a_pod("scheduler"),)},
        "SchedulerUnreachable",
        A,
    ),
    "scheduler not reached, its node does not answer": (
        "SchedulerUnreachable",
        {"schedulers": (running("scheduler", unreachable=True),)},
        "SchedulerUnreachable",
        B,
    ),
    "scheduler not reached, it keeps ending": (
        "SchedulerUnreachable",
        {"schedulers": (looping("scheduler", 1, "no distributed"),)},
        "ContainerStartFailed",
        A,
    ),
}


@pytest.mark.parametrize(("claim", "seen", "reason", "kind"), CLAIMS.values(), ids=CLAIMS)
def test_pods_have_the_last_word(claim: str, seen: dict[str, Any], reason: str, kind: FailureClass) -> None:
    assert end_of(failed_with(claim).sees(**seen)) == (reason, kind)


@pytest.mark.parametrize("reason", wire.REASONS)
def test_while_all_pods_stand_no_claim_is_the_infrastructures_fault(reason: str) -> None:
    assert end_of(failed_with(reason).with_spec(infrastructureRetries=9))[1] == A


@pytest.mark.parametrize(("claim", "pods"), [("NoWorkers", "workers"), ("SchedulerUnreachable", "schedulers")])
@pytest.mark.parametrize(("seconds_ago", "kind"), [(599, A), (600, B)])
def test_pods_that_are_not_there_prove_it_when_the_runner_may_have_waited_for_them(
    claim: str, pods: str, seconds_ago: int, kind: FailureClass
) -> None:
    began = a_job().started().status.attempts[0]
    scene = failed_with(claim).sees(**{pods: ()})
    scene = scene.with_status(attempts=(replace(began, start_time=to_seconds_text(ago(seconds_ago))),))
    assert end_of(scene) == (claim, kind)


@pytest.mark.parametrize("code", [137, 143])
def test_a_task_that_ends_its_worker_with_any_exit_code_proves_nothing(code: int) -> None:
    once = Container("worker", waiting=("CrashLoopBackOff", ""), last_terminated=Termination(code, "Error", ""))
    began = replace(a_job().started().status.attempts[0], start_time=to_seconds_text(ago(9000)))
    scene = failed_with("NoWorkers").with_status(attempts=(began,))
    assert end_of(scene.workers(a_pod("worker", phase="Running", containers=(once,)))) == ("NoWorkers", A)


DEAD = {
    "a segmentation fault": (restarted("worker", 139, message="Fatal Python error"), 139, "SIGSEGV", "Fatal Python"),
    "an exit code": (restarted("worker", 1, message="bye"), 1, "exit code 1", "bye"),
    "waits for its next start": (looping("worker", 134, "abort"), 134, "SIGABRT", "abort"),
    "killed by somebody": (restarted("worker", 137), 137, "SIGKILL", ""),
}


@pytest.mark.parametrize(("worker", "code", "how", "words"), DEAD.values(), ids=DEAD)
def test_workers_that_died_are_told_by_how_they_did(worker: Pod, code: int, how: str, words: str) -> None:
    scene = sealed("Failed", failure={"reason": "WorkersKilled", "message": "want of memory", "taskKey": "crash-1"})
    failure = scene.workers(running("worker", 2), worker).decide().status.failure
    assert failure is not None
    assert (failure.reason, failure.failure_class, failure.exit_code) == ("WorkersKilled", A, code)
    message = failure.message or ""
    assert message.startswith("the workers that ran task crash-1 died: worker pod sum-3f2a9-1-worker ended with")
    assert how in message
    assert words in message
    assert "memory" not in message


def test_of_several_ends_the_last_is_told() -> None:
    def worker(number: int, code: int, seconds_ago: float) -> Pod:
        end = Termination(code, "Error", "", finished=ago(seconds_ago))
        again = Container("worker", restarts=1, running_since=ago(1), last_terminated=end)
        return a_pod("worker", number, phase="Running", containers=(again,))

    scene = failed_with("WorkersKilled").workers(worker(1, 1, 30), worker(2, 139, 2), worker(3, 2, 20))
    failure = scene.decide().status.failure
    assert failure is not None
    assert failure.exit_code == 139


@pytest.mark.parametrize(
    ("code", "seconds_ago", "pod", "reason"),
    [
        (137, 1, ended("runner", 1, "OOMKilled"), "RunnerOOMKilled"),
        (137, 1, running("runner"), ""),
        (137, 5, running("runner"), "Signal"),
        (139, 1, running("runner"), "Signal"),
    ],
)
def test_a_process_that_was_killed_may_have_been_for_its_memory(
    code: int, seconds_ago: int, pod: Pod, reason: str
) -> None:
    failure = {"reason": "Signal", "message": "killed", "exitCode": code}
    scene = sealed("Failed", failure=failure, heartbeatTime=text(seconds_ago))
    assert end_of(scene.runner(pod))[0] == reason


def test_a_failure_is_believed_only_after_asking() -> None:
    """Of which class it is, and for what reason, is for good; a success needs no pod's word."""
    scene = failed_with("TaskFailed").sees(live=False)
    assert scene.decide() == Decision(scene.status, needs_live_read=True)
    assert end_of(sealed(result=SEVEN).sees(live=False))[0] == "Succeeded"


def test_the_memory_limit_is_named() -> None:
    scene = failed_with("WorkersKilled").with_workers(replicas=2, resources={"limits": {"memory": "2Gi"}})
    failure = scene.workers(OOM_WORKER).decide().status.failure
    assert failure is not None
    assert "memory limit of 2Gi" in (failure.message or "")
    assert "spec.cluster.workers.resources.limits.memory" in (failure.message or "")
    assert (failure.message or "").endswith("boom")


@pytest.mark.parametrize(("claim", "settle"), [("WorkersKilled", SETTLE), ("SchedulerLost", NODE_SETTLE)])
def test_the_kubelet_gets_a_moment_to_say_what_it_saw(claim: str, settle: timedelta) -> None:
    def scene(seconds_ago: float) -> Scene:
        return failed_with(claim, heartbeatTime=text(seconds_ago)).workers(running("worker"))

    last_words = message("Failed", failure={"reason": claim, "message": "boom"})
    unsealed = scene(1).report().runner(ended("runner", 1, message=last_words, finished=ago(1)))
    assert unsealed.decide().requeue_after == scene(1).decide().requeue_after
    waits = scene(1).decide()
    assert not waits.status.finished
    assert waits.requeue_after == settle - timedelta(seconds=1)
    assert not any(isinstance(each, Delete) for each in waits.actions)
    assert end_of(scene(settle.total_seconds())) == (claim, A)
    assert end_of(scene(-60)) == (claim, A), "a clock that is ahead is not waited for"
    assert scene(-60).sees(last_report_at=ago(1)).decide().requeue_after == waits.requeue_after, "ours is right"
    assert end_of(scene(1).workers(OOM_WORKER).schedulers(ended("scheduler", 1)))[0] in (
        "WorkerOOMKilled",
        "SchedulerLost",
    )


@pytest.mark.parametrize(
    ("scheduler", "runner", "settle"),
    [
        ({"node": "a"}, {"node": "a"}, SETTLE),
        ({"node": "a"}, {"node": "b"}, NODE_SETTLE),
        ({"node": ""}, {"node": ""}, NODE_SETTLE),
        ({"node": "a", "ready": False}, {"node": "a"}, NODE_SETTLE),
    ],
)
def test_a_lost_scheduler_that_stands_on_a_node_that_answers_is_not_waited_for(
    scheduler: dict[str, Any], runner: dict[str, Any], settle: timedelta
) -> None:
    """That the runner has ended is what the kubelet says after the claim: the scheduler's node is there."""

    def scene(seconds_ago: float, pod: Pod) -> Scene:
        claim = failed_with("SchedulerLost", heartbeatTime=text(seconds_ago))
        return claim.schedulers(running("scheduler", **scheduler)).runner(pod)

    done = ended("runner", 1, **runner)
    assert scene(1, done).decide().requeue_after == settle - timedelta(seconds=1)
    assert end_of(scene(settle.total_seconds(), done)) == ("SchedulerLost", A)
    assert scene(1, running("runner", **runner)).decide().requeue_after == NODE_SETTLE - timedelta(seconds=1)
