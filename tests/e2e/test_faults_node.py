"""A node that vanishes and comes back, is short of memory, has no room for two. Last of all: the cluster changes.

The node is one of our own, `tests/cluster/node`. Pods come to it that ask for it, and another node will do as well.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ..support.jobs import Job, apply, manifest, result_of
from ..support.kube import Kube, Manifest
from ..support.machine import Machine
from ..support.operator import unharmed
from ..support.platform import Release, load_images
from ..support.programs import script
from ..support.sources import COUNT, ENDLESS_AT_FIRST, computing
from ..support.waiting import wait_for

NODE, LINK = "node2", "cni2"
HERE = {
    "tolerations": [{"key": f"daskjob-tests/{NODE}", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "preference": {
                        "matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]
                    },
                }
            ]
        }
    },
}
#: For a component of a job whose pod shall come to that node.
THERE = {"template": {"spec": HERE}}
GONE = "daskjob-tests/gone"
SEAT, URGENT = "daskjob-tests/seat", "daskjob-tests-urgent"
RETRIED = {"infrastructureRetries": 1, "backoff": {"initialSeconds": 1}}


@pytest.fixture(scope="module")
def node(release: Release) -> Iterator[Machine]:
    """The node, as long as the tests of this file run."""
    folder = script("node", "up", load_images(release.kube)["dask-new"]).strip()
    machine = Machine.of(release.kube)
    with unharmed(release):
        yield replace(machine, folder=machine.folder / folder)
    script("node", "down")
    machine.is_well()


def set_ready(kube: Kube, value: str) -> None:
    """What Kubernetes' own controllers conclude when a kubelet has been silent for 50 s."""
    node = kube.get("node", NODE)
    assert node is not None
    conditions = [{**each, "status": value, "reason": "NodeStatusUnknown"} for each in node["status"]["conditions"]]
    kube.patch("node", NODE, {"status": {"conditions": conditions}}, subresource="status")


@contextmanager
def vanished(node: Machine) -> Iterator[None]:
    """Nothing is heard of the node any more, nor of what runs on it; and what runs on it hears nothing."""
    kubelet = node.pid("kubelet")
    os.kill(kubelet, signal.SIGSTOP)
    subprocess.run(["ip", "link", "set", LINK, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", LINK, "up"], check=True)
        os.kill(kubelet, signal.SIGCONT)
        node.is_well()


def on(node: str, job: Job, component: str) -> list[Manifest]:
    return [pod for pod in job.pods(component) if pod["spec"].get("nodeName") == node]


@contextmanager
def emptied(kube: Kube) -> Iterator[None]:
    """Its pods are deleted, as 60 s after the controllers' conclusion: that is how long they tolerate it."""
    kube.kubectl("taint", "node", NODE, f"{GONE}=:NoExecute")
    try:
        yield
    finally:
        kube.kubectl("taint", "node", NODE, f"{GONE}-")


def test_node_vanishes(node: Machine, kube: Kube) -> None:
    """With one job's workers, another one's scheduler, another one's runner; and it comes back after they have ended.

    The workers are replaced elsewhere. The other two have an attempt that is lost, and a next one that does not wait
    for what cannot be removed from a node that does not answer. What that node still runs, when it is back, is removed.
    """
    scheduler = apply(kube, manifest("scheduler", ENDLESS_AT_FIRST, cluster={"scheduler": THERE}, **RETRIED))
    runner = apply(kube, manifest("runner", ENDLESS_AT_FIRST, runner=THERE, **RETRIED))
    for job in (scheduler, runner):
        job.reaches("a task done", computing, 60)
    # Last, as it ends by itself.
    workers = apply(kube, manifest("workers", COUNT, [12], cluster={"workers": {"replicas": 2, **THERE}}))
    workers.reaches("a task done", computing, 60)
    jobs = (workers, scheduler, runner)
    assert len(on(NODE, workers, "worker")) == 2
    assert len(on(NODE, scheduler, "scheduler")) == len(on(NODE, runner, "runner")) == 1
    with vanished(node):
        # The runner knows before Kubernetes does.
        wait_for("a runner to miss its scheduler", lambda: outcome(scheduler), bool, 60)
        set_ready(kube, "Unknown")
        with emptied(kube):
            assert result_of(workers.end(90)) == sum(range(12))
            assert len(workers.status()["attempts"]) == 1
            is_retried(scheduler, {"SchedulerLost"})
            is_retried(runner, {"RunnerLost", "RunnerDisrupted"})
            assert on(NODE, runner, "runner"), "the lost pod cannot be gone, for nobody could ask its node"
    for job in jobs:
        job.is_clean(60)
        assert not on(NODE, job, "runner"), "what the node still ran must go"


def outcome(job: Job) -> str | None:
    """What the runner of the first attempt said last, if it has."""
    report = job.kube.get("daskjobreports", job.status()["attempts"][0]["name"])
    return ((report or {}).get("status") or {}).get("outcome")


def is_retried(job: Job, reasons: set[str]) -> None:
    """The first attempt was the infrastructure's failure; the second one has the result."""
    status = job.end(120)
    first, *others = status["attempts"]
    assert first["reason"] in reasons, first
    assert first["class"] == "Infrastructure", first
    assert result_of(status) == 6
    assert [each["outcome"] for each in others] == ["Succeeded"]


def test_node_short_of_memory(node: Machine, kube: Kube) -> None:
    """The kubelet evicts what it must, and the next attempt is made where there is room."""
    # With a request: a kubelet that starts under pressure does not even take pods that have none.
    needs = {"requests": {"memory": "16Mi"}}
    job = apply(kube, manifest("pressed", ENDLESS_AT_FIRST, runner={**THERE, "resources": needs}, **RETRIED))
    job.reaches("a task done", computing, 60)
    assert on(NODE, job, "runner")
    with node.started_with("kubelet", "--eviction-hard=memory.available<99%"):
        is_retried(job, {"RunnerDisrupted"})
        assert "memory" in job.status()["attempts"][0]["message"]
        assert on("node1", job, "runner")
    job.is_clean(45)


@pytest.fixture
def seat(release: Release) -> Iterator[dict[str, Any]]:
    """A request for something of which there is one, on that node; and a class of pods that go first."""
    urgent = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": URGENT},
        "value": 1000,
    }
    release.kube.apply(urgent)
    release.kube.patch("node", NODE, {"status": {"capacity": {SEAT: "1"}}}, subresource="status")
    yield {"limits": {SEAT: "1"}}
    release.kube.patch("node", NODE, {"status": {"capacity": {SEAT: None}}}, subresource="status")
    release.kube.delete("priorityclass", URGENT)


def test_runner_preempted(node: Machine, kube: Kube, seat: dict[str, Any]) -> None:
    """A pod of a higher priority takes its place; the next attempt is made when that one leaves."""
    job = apply(kube, manifest("outranked", ENDLESS_AT_FIRST, runner={**THERE, "resources": seat}, **RETRIED))
    job.reaches("a task done", computing, 60)
    container = {"name": "main", "image": "localhost/local/pause:1", "resources": seat}
    spec = {**HERE, "priorityClassName": URGENT, "containers": [container], "terminationGracePeriodSeconds": 1}
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "urgent"}, "spec": spec})
    wait_for(
        "the other pod to run", lambda: kube.get("pod", "urgent"), lambda it: it["status"]["phase"] == "Running", 60
    )
    job.reaches("a second attempt", lambda status: status.get("attempt") == 2, 60)
    kube.delete("pod", "urgent")
    is_retried(job, {"RunnerDisrupted"})
    assert "reempt" in job.status()["attempts"][0]["message"]
    job.is_clean(45)
