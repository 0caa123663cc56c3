"""API server, etcd, controllers, the node's programs and our rights are taken away for a while and given back.

Jobs go on meanwhile, and their ends are told as soon as somebody can be told. Comes late: the whole cluster is the
victim, and the operator, which cannot renew its lease, ends and is started again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ..support.containers import children, main_process, runs, touch
from ..support.jobs import apply, condition, manifest, result_of
from ..support.kube import Kube, KubectlFailed
from ..support.machine import Machine
from ..support.operator import processes
from ..support.platform import SYSTEM, Release
from ..support.sources import COUNT, GO, SLEEP, WAITS, computing, in_phase
from ..support.waiting import wait_for

ROLE, RUNNERS = "daskjob-operator", "daskjob-operator-runner"


@pytest.fixture(autouse=True)
def goes_on(release: Release) -> Iterator[None]:
    """Operator and Dask controller come to rest, each started again once at most."""
    before = processes(release)
    yield
    system = release.kube.within(SYSTEM)

    def resting() -> bool:
        return all(
            each["status"].get("readyReplicas") == each["spec"]["replicas"] for each in system.list("deployments")
        )

    wait_for("operator and Dask controller to be ready", resting, bool, 60)
    after = processes(release)
    restarts = {name: count - before[name] for name, count in after.items() if name in before}
    assert all(count <= 1 for count in restarts.values()), restarts


@pytest.fixture
def machine(release: Release) -> Machine:
    return Machine.of(release.kube)


def test_api_server_killed(machine: Machine, kube: Kube) -> None:
    """It is away while one job computes and another one ends: both results are there when it is back."""
    goes_on = apply(kube, manifest("goes-on", COUNT, [25]))
    goes_on.reaches("a task done", computing, 60)
    ends = apply(kube, manifest("ends", WAITS, [8]))
    ends.reaches("Running", in_phase("Running"), 60)
    runner, worker = main_process(ends.pod("runner")), goes_on.pod("worker")
    with machine.killed("kube-apiserver"):
        touch(runner, GO)
        # The supervisor stays, and tries to tell of the end.
        wait_for("user code to end", lambda: children(runner), lambda found: not found, 30)
        assert runs(runner)
    for job, result in ((ends, 8), (goes_on, sum(range(25)))):
        status = job.end(90)
        assert result_of(status) == result
        assert len(status["attempts"]) == 1
        assert not condition(status, "ReportingDegraded"), "the runner was to wait until it could report"
        job.is_clean(60)
    assert worker["status"]["containerStatuses"][0]["restartCount"] == 0


def test_etcd_hangs(release: Release, machine: Machine, kube: Kube) -> None:
    """Every request hangs, amid the making of a job, until the operator gives itself up: nothing is made twice."""
    [operator] = release.pods("operator")
    process = main_process(operator)
    job = apply(kube, manifest("slow", SLEEP, [3]))
    job.reaches("an attempt", lambda status: status.get("attempts"), 30)
    with machine.frozen("etcd"):
        wait_for("the operator to end", lambda: runs(process), lambda it: not it, 60)
    status = job.end(120)
    assert result_of(status) == 3
    assert [each["number"] for each in status["attempts"]] == [1]
    job.is_clean(60)
    made = {event["involvedObject"]["uid"] for event in kube.list("events") if is_runner(event)}
    assert len(made) <= 1, "the graph must run once"


def is_runner(event: dict[str, Any]) -> bool:
    involved = event["involvedObject"]
    return involved["kind"] == "Pod" and involved["name"].endswith("-runner")


def test_controllers_killed_at_the_end(machine: Machine, kube: Kube) -> None:
    """Without Kubernetes' garbage collector the cluster stays; the job says so until it is gone."""
    job = apply(kube, manifest("litter", WAITS, [2]))
    job.reaches("Running", in_phase("Running"), 60)
    with machine.killed("kube-controller-manager"):
        job.let_go()
        assert result_of(job.end()) == 2
        assert job.remains()
        assert not job.condition("CleanedUp")
    job.is_clean(60)
    job.says_that_it_is_clean()


def test_node_programs_killed(machine: Machine, kube: Kube) -> None:
    """The kubelet and containerd are updated in place: what runs in the containers does not notice."""
    job = apply(kube, manifest("updated", COUNT, [8]))
    job.reaches("a task done", computing, 60)
    pods = {pod["metadata"]["uid"] for component in ("runner", "scheduler", "worker") for pod in job.pods(component)}
    # In this order: a kubelet does not start without containerd.
    for program in ("containerd", "kubelet"):
        with machine.killed(program):
            pass
    left = {pod["metadata"]["uid"] for component in ("runner", "scheduler", "worker") for pod in job.pods(component)}
    assert left == pods
    status = job.end()
    assert result_of(status) == sum(range(8))
    assert len(status["attempts"]) == 1
    job.is_clean()


def test_dask_controller_killed(release: Release, kube: Kube) -> None:
    """It makes the cluster's pods: another one goes on where it was."""
    job = apply(kube, manifest("controlled", SLEEP, [0]))
    job.reaches("an attempt", lambda status: status.get("attempts"), 30)
    names = [pod["metadata"]["name"] for pod in release.pods("dask-controller")]
    release.kube.within(SYSTEM).delete("pod", *names, now=True)
    status = job.end()
    assert result_of(status) == 0
    assert len(status["attempts"]) == 1
    job.is_clean()


@contextmanager
def withdrawn(kube: Kube, resource: str) -> Iterator[None]:
    """The operator's right to make these is taken away."""
    role = kube.get("clusterrole", ROLE)
    assert role is not None
    less = [
        {**rule, "resources": [each for each in rule["resources"] if each != resource]}
        for rule in role["rules"]
        if rule["resources"] != [resource]
    ]
    kube.patch("clusterrole", ROLE, {"rules": less})
    try:
        wait_for("the right to be gone", lambda: may_create(kube, resource), lambda it: not it, 20)
        yield
    finally:
        kube.patch("clusterrole", ROLE, {"rules": role["rules"]})


def may_create(kube: Kube, resource: str) -> bool:
    account = f"system:serviceaccount:{SYSTEM}:{ROLE}"
    try:
        return kube.kubectl("auth", "can-i", "create", resource, f"--as={account}").strip() == "yes"
    except KubectlFailed:
        return False


def test_operator_loses_a_right(kube: Kube) -> None:
    """The job says which one, waits, and goes on when the right is given back."""
    with withdrawn(kube, "secrets"):
        job = apply(kube, manifest("forbidden", SLEEP, [0]))
        status = job.reaches(
            "OperatorForbidden", lambda it: condition(it, "ClusterReady").get("reason") == "OperatorForbidden", 45
        )
        assert 'cannot create resource "secrets"' in condition(status, "ClusterReady")["message"]
    status = job.end(120)
    assert result_of(status) == 0
    job.is_clean()


@pytest.fixture
def runners_without_rights(release: Release) -> Iterator[None]:
    binding = release.kube.get("clusterrolebinding", RUNNERS)
    assert binding is not None
    release.kube.delete("clusterrolebinding", RUNNERS, wait=True)
    yield
    made_anew = {name: binding["metadata"][name] for name in ("name", "labels", "annotations")}
    release.kube.apply({**binding, "metadata": made_anew})


@pytest.mark.usefixtures("runners_without_rights")
def test_runner_cannot_report(kube: Kube) -> None:
    """The job has its result all the same, from the pod's termination message, and says that there was no report."""
    job = apply(kube, manifest("silent", SLEEP, [1]))
    status = job.end(180)
    assert result_of(status) == 1
    degraded = condition(status, "ReportingDegraded")
    assert degraded["status"] == "True"
    assert "termination message" in degraded["message"]
    job.is_clean()
