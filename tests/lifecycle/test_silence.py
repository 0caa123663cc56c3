"""Which pods are silent, and what Kubernetes' events say about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daskjob.lifecycle.job.silence import explanation, next_question, next_silence, silent_pods
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import NOW, a_job, a_pod, ago, running, waiting

CREATING = Container("runner", waiting=("ContainerCreating", ""))
INIT, ENDED = Container("init", initial=True), Termination(0, "Completed", "")
MESH = Container("mesh", initial=True, sidecar=True, running_since=ago(9))
PODS = {
    "no word about its container": (a_pod("runner"), True),
    "its container is being created": (a_pod("runner", containers=(CREATING,)), True),
    "young": (a_pod("runner", created=ago(4)), False),
    "of unknown age": (a_pod("runner", created=None), False),
    "unschedulable says why": (a_pod("runner", unschedulable="0/3 nodes"), False),
    "an image says why": (waiting("runner", "ErrImagePull", "no such image"), False),
    "runs": (running("runner"), False),
    "is going": (a_pod("runner", deleting=True), False),
    "an init container runs": (a_pod("runner", containers=(replace(INIT, running_since=ago(9)), CREATING)), False),
    "an init container waits": (
        a_pod("runner", containers=(replace(INIT, waiting=("PodInitializing", "")), CREATING)),
        True,
    ),
    "an init container has ended": (a_pod("runner", containers=(replace(INIT, terminated=ENDED), CREATING)), False),
    "a native sidecar is not ready": (a_pod("runner", containers=(MESH, CREATING)), True),
    "a native sidecar is ready": (a_pod("runner", containers=(replace(MESH, ready=True), CREATING)), False),
}


@pytest.mark.parametrize(("pod", "silent"), PODS.values(), ids=PODS)
def test_who_is_silent(pod: Pod, silent: bool) -> None:
    observation = a_job().accepted().cluster().runner(pod).observe()
    assert silent_pods(observation) == ([pod.name] if silent else [])


def test_the_first_three_are_asked_about() -> None:
    pods = tuple(a_pod("worker", number) for number in range(1, 6))
    observation = a_job().accepted().cluster().schedulers(a_pod("scheduler")).workers(*pods).observe()
    assert len(silent_pods(observation)) == 3
    assert silent_pods(observation)[0].endswith("-scheduler")


@pytest.mark.parametrize(("since", "pause"), [(0, 5), (5, 5), (10, 10), (300, 300)])
def test_the_longer_a_pod_is_silent_the_seldomer_it_is_asked_about(since: int, pause: int) -> None:
    assert next_question(ago(since), NOW) == NOW + timedelta(seconds=pause)


@pytest.mark.parametrize(("age", "due"), [(0, 5), (4, 5), (5, 10), (9, 10), (10, 20), (79, 80), (80, 160)])
def test_a_pass_looks_at_a_silent_pod_when_its_age_has_doubled(age: int, due: int) -> None:
    quiet = a_pod("worker", created=ago(age))
    scene = a_job().started().workers(running("worker", 1), quiet)
    assert next_silence(scene.observe()) == NOW + timedelta(seconds=due - age)
    assert (scene.decide().requeue_after or timedelta.max) <= timedelta(seconds=due - age), "also while the graph runs"
    assert next_silence(a_job().started().observe()) is None


def event(reason: str, at: str, field: str = "lastTimestamp") -> dict[str, Any]:
    return {"reason": reason, "message": f"at {at}", field: at}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([event("BackOff", "1")], None),
        ([event("FailedMount", "1")], "pod p: FailedMount: at 1"),
        (
            [event("FailedMount", "1"), event("FailedAttachVolume", "2"), event("BackOff", "3")],
            "pod p: FailedAttachVolume: at 2",
        ),
        ([event("FailedMount", "2", "eventTime"), event("FailedMount", "1")], "pod p: FailedMount: at 2"),
        ([{"reason": None}], None),
    ],
)
def test_the_last_failure_explains(events: list[dict[str, Any]], expected: str | None) -> None:
    assert explanation("p", events) == expected
