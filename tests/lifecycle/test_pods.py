"""What is read from a pod's JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.lifecycle.pods import read_attempt, read_pod


def a_body(status: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "uid": "u", "creationTimestamp": "2026-03-01T12:00:00Z", "labels": labels},
        "spec": {"containers": [{"name": "ours"}, {"name": "sidecar"}]},
        "status": status,
    }


def ours(**state: Any) -> dict[str, Any]:
    return {"phase": "Running", "containerStatuses": [{"name": "sidecar", "ready": True}, {"name": "ours", **state}]}


def test_a_pod_without_a_status_is_pending() -> None:
    pod = read_pod(a_body({}))
    assert (pod.phase, pod.main, pod.started, pod.ended, pod.ready) == ("Pending", None, False, False, False)


def test_the_first_container_is_ours_whatever_the_order_of_their_states() -> None:
    pod = read_pod(a_body(ours(ready=True, restartCount=2, state={"running": {"startedAt": "2026-03-01T12:00:05Z"}})))
    assert pod.main is not None
    assert pod.main.name == "ours"
    assert (pod.ready, pod.started, pod.restarts) == (True, True, 2)
    assert str(pod.running_since) == "2026-03-01 12:00:05+00:00"


def test_a_sidecar_does_not_make_a_pod_ready() -> None:
    assert not read_pod(a_body(ours(ready=False))).ready


def test_how_a_container_ended() -> None:
    end = {"exitCode": 137, "reason": "OOMKilled", "message": "m", "signal": 9, "finishedAt": "2026-03-01T12:00:05Z"}
    for state in ({"state": {"terminated": end}}, {"lastState": {"terminated": end}}):
        pod = read_pod(a_body(ours(**state)))
        assert pod.main is not None
        assert pod.oom_killed
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


@given(st.text() | st.integers(-5, 10**12))
def test_an_attempt_is_a_plain_number_or_none(label: object) -> None:
    number = read_attempt({c.ATTEMPT_LABEL: label})
    assert number == 0 or str(number) == str(label).lstrip("0")
