"""What is read from a pod's JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.lifecycle.pods import Termination, read_attempt, read_pod

WORKER = {c.DASK_COMPONENT_LABEL: "worker"}


def a_body(status: dict[str, Any], **labels: str) -> dict[str, Any]:
    """A pod in which the operator's container comes after another one: a webhook may put one before it."""
    first = [{"name": "init"}, {"name": "mesh", "restartPolicy": "Always"}]
    return {
        "metadata": {"name": "p", "uid": "u", "creationTimestamp": "2026-03-01T12:00:00Z", "labels": labels},
        "spec": {"initContainers": first, "containers": [{"name": "sidecar"}, {"name": "worker"}]},
        "status": status,
    }


def ours(sidecar: bool = True, mesh: bool = True, **state: Any) -> dict[str, Any]:
    """The states of a pod whose init container has ended: ours, and whether the others are ready."""
    done = {"name": "init", "ready": True, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    return {
        "phase": "Running",
        "initContainerStatuses": [done, {"name": "mesh", "ready": mesh}],
        "containerStatuses": [{"name": "worker", **state}, {"name": "sidecar", "ready": sidecar}],
    }


def test_a_pod_without_a_status_is_pending() -> None:
    pod = read_pod(a_body({}))
    assert (pod.phase, pod.main, pod.started, pod.ended, pod.ready) == ("Pending", None, False, False, False)


def test_the_container_with_the_name_of_the_component_is_ours() -> None:
    state = {"running": {"startedAt": "2026-03-01T12:00:05Z"}}
    pod = read_pod(a_body(ours(ready=True, restartCount=2, state=state), **WORKER))
    assert pod.main is not None
    assert pod.main.name == "worker"
    assert [(each.name, each.initial, each.sidecar) for each in pod.containers] == [
        ("init", True, False),
        ("mesh", True, True),
        ("sidecar", False, False),
        ("worker", False, False),
    ]
    assert (pod.ready, pod.started, pod.restarts) == (True, True, 2)
    assert str(pod.running_since) == "2026-03-01 12:00:05+00:00"


def test_a_sidecar_does_not_make_a_pod_ready() -> None:
    assert not read_pod(a_body(ours(ready=False), **WORKER)).ready


READY = {"conditions": [{"type": "Ready", "status": "False"}]}
UNREADY = {
    "all containers are ready: the node does not answer": ({"ready": True}, True),
    "ours is not ready": ({"ready": False}, False),
    "a container beside it is not ready": ({"ready": True, "sidecar": False}, False),
    "a native sidecar is not ready": ({"ready": True, "mesh": False}, False),
}


@pytest.mark.parametrize(("states", "unreachable"), UNREADY.values(), ids=UNREADY)
def test_a_container_that_is_not_ready_is_no_node_that_does_not_answer(
    states: dict[str, Any], unreachable: bool
) -> None:
    assert read_pod(a_body({**ours(**states), **READY}, **WORKER)).unreachable == unreachable


@pytest.mark.parametrize(("component", "ended"), [("runner", True), ("worker", False)])
def test_a_runners_pod_has_ended_with_the_runner_whatever_goes_on_beside_it(component: str, ended: bool) -> None:
    done = {"name": component, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    mesh = {"name": "mesh", "state": {"running": {"startedAt": "2026-03-01T12:00:05Z"}}}
    body = a_body({"phase": "Running", "containerStatuses": [mesh, done]}, **{c.COMPONENT_LABEL: component})
    body["spec"] = {"containers": [{"name": "mesh"}, {"name": component}]}
    pod = read_pod(body)
    assert (pod.ended, pod.all_ended, pod.goes_on) == (ended, False, ended)
    body["spec"]["activeDeadlineSeconds"] = 1
    assert not read_pod(body).goes_on, "they have been told to end"
    body["status"]["phase"] = "Succeeded"
    assert (read_pod(body).ended, read_pod(body).goes_on) == (True, False)


def test_a_runner_without_other_containers_that_run_does_not_go_on() -> None:
    """The kubelet says that the container has ended, and a moment later the phase."""
    done = {"name": "runner", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    mesh = {"name": "mesh", "state": {"running": {"startedAt": "2026-03-01T12:00:05Z"}}}
    status = {"phase": "Running", "containerStatuses": [done], "initContainerStatuses": [mesh]}
    body = a_body(status, **{c.COMPONENT_LABEL: "runner"})
    body["spec"]["containers"] = [{"name": "runner"}]
    pod = read_pod(body)
    assert (pod.ended, pod.goes_on) == (True, False)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", ""),
        (" bye \n", ": bye"),
        ("x" * 1000, ": " + "x" * 800),
        ("y" * 300 + "\n" + "x" * 700, ": " + "x" * 700),
        ("\n".join(["y" * 199] * 9), ": " + "\n".join(["y" * 199] * 4)),
        ("y" * 1000 + "\n", ": " + "y" * 800),
    ],
)
def test_last_words_begin_with_a_line(message: str, words: str) -> None:
    assert Termination(1, "Error", message).words == words


ENDS: dict[str, tuple[Termination, bool, str]] = {
    "an exit code": (Termination(3, "Error", ""), True, "exit code 3 (Error)"),
    "none": (Termination(0, "Completed", ""), True, "exit code 0 (Completed)"),
    "a segmentation fault": (Termination(139, "Error", ""), True, "exit code 139 (SIGSEGV)"),
    "abort": (Termination(134, "Error", ""), True, "exit code 134 (SIGABRT)"),
    "its memory": (Termination(137, "OOMKilled", ""), True, "exit code 137 (OOMKilled)"),
    "killed": (Termination(137, "Error", ""), False, "exit code 137 (SIGKILL)"),
    "stopped": (Termination(143, "Error", ""), False, "exit code 143 (SIGTERM)"),
    "lost": (Termination(137, "ContainerStatusUnknown", ""), False, "exit code 137 (ContainerStatusUnknown)"),
    "its node was restarted": (Termination(255, "Unknown", ""), False, "exit code 255 (Unknown)"),
    "beyond signals": (Termination(255, "Error", ""), True, "exit code 255 (Error)"),
}


@pytest.mark.parametrize(("end", "own", "how"), ENDS.values(), ids=ENDS)
def test_whose_doing_an_end_was(end: Termination, own: bool, how: str) -> None:
    assert (end.own_doing, end.how) == (own, how)


def test_how_a_container_ended() -> None:
    end = {"exitCode": 137, "reason": "OOMKilled", "message": "m", "signal": 9, "finishedAt": "2026-03-01T12:00:05Z"}
    for state in ({"state": {"terminated": end}}, {"lastState": {"terminated": end}}):
        pod = read_pod(a_body(ours(**state), **WORKER))
        assert pod.main is not None
        assert pod.oom_killed
        assert not read_pod(a_body(ours(**state), **{c.DASK_COMPONENT_LABEL: "scheduler"})).oom_killed, "not ours"
        assert pod.started
        assert [(each.exit_code, each.signal) for each in pod.main.terminations] == [(137, 9)]


@pytest.mark.parametrize(
    ("labels", "component"),
    [
        ({c.COMPONENT_LABEL: "runner"}, "runner"),
        ({c.DASK_COMPONENT_LABEL: "worker"}, "worker"),
        ({c.COMPONENT_LABEL: "runner", c.DASK_COMPONENT_LABEL: "worker"}, "runner"),
        ({}, ""),
    ],
)
def test_component(labels: dict[str, str], component: str) -> None:
    assert read_pod(a_body({}, **labels)).component == component


def test_why_it_has_no_node_and_who_took_it() -> None:
    conditions = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"},
        {"type": "DisruptionTarget", "status": "True"},
    ]
    pod = read_pod(a_body({"phase": "Failed", "reason": "Evicted", "message": "m", "conditions": conditions}))
    assert (pod.unschedulable, pod.disrupted, pod.reason, pod.message, pod.ended) == (
        "0/1 nodes",
        True,
        "Evicted",
        "m",
        True,
    )
    assert read_pod(a_body({"conditions": [{"type": "PodScheduled", "status": "True"}]})).unschedulable is None
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "non-empty gates"}
    assert read_pod(a_body({"conditions": [gated]})).unschedulable == "non-empty gates"


@given(st.text() | st.integers(-5, 10**12))
def test_an_attempt_is_a_plain_number_or_none(label: object) -> None:
    number = read_attempt({c.ATTEMPT_LABEL: label})
    assert number == 0 or str(number) == str(label).lstrip("0")
