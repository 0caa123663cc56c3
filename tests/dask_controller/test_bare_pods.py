"""The pod that is created in place of a Deployment, and which pods count as a group's workers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from dask_kubernetes.operator.controller.controller import build_scheduler_deployment_spec, build_worker_deployment_spec

from daskjob.dask_controller.bare_pods import acting, owner_of, pod_of

LABELS, ANNOTATIONS = {"daskjob.io/job": "sum"}, {"a.example/b": "c"}
OWNER = {"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskWorkerGroup", "name": "a-default", "uid": "1"}
CONTROLLING = OWNER | {"uid": "2", "controller": True}


def scheduler() -> dict[str, Any]:
    spec = {"containers": [{"name": "scheduler", "image": "i"}], "priorityClassName": "high"}
    return build_scheduler_deployment_spec("a", spec, ANNOTATIONS, LABELS)


def worker() -> dict[str, Any]:
    spec = {"containers": [{"name": "worker", "image": "i"}]}
    return build_worker_deployment_spec("a-default", "n", "a", "0123456789", spec, ANNOTATIONS, LABELS)


@pytest.mark.parametrize("build", [scheduler, worker])
def test_it_is_the_pod_of_the_deployments_template(build: Any) -> None:
    deployment = build()
    deployment["metadata"] |= {"namespace": "n", "ownerReferences": [OWNER | {"controller": True}]}
    before = copy.deepcopy(deployment)
    pod = pod_of(deployment)
    template = deployment["spec"]["template"]
    assert (pod["apiVersion"], pod["kind"], pod["spec"]) == ("v1", "Pod", template["spec"])
    assert pod["metadata"] == deployment["metadata"], "name and owner are the Deployment's"
    assert pod["metadata"].items() >= {"labels": template["metadata"]["labels"], "annotations": ANNOTATIONS}.items()
    assert deployment == before


def test_a_worker_has_the_name_of_its_pod() -> None:
    """The runner names retired workers by it."""
    pod = pod_of(worker())
    [container] = pod["spec"]["containers"]
    assert {"name": "DASK_WORKER_NAME", "value": pod["metadata"]["name"]} in container["env"]


def test_what_has_ended_or_is_being_deleted_does_not_act() -> None:
    pods: dict[str, dict[str, Any]] = {
        "just created": {"metadata": {}},
        "pending": {"metadata": {}, "status": {"phase": "Pending"}},
        "running": {"metadata": {}, "status": {"phase": "Running"}},
        "on a node that does not answer": {"metadata": {}, "status": {"phase": "Unknown"}},
        "evicted": {"metadata": {}, "status": {"phase": "Failed"}},
        "idle for too long": {"metadata": {}, "status": {"phase": "Succeeded"}},
        "being deleted": {"metadata": {"deletionTimestamp": "now"}, "status": {"phase": "Running"}},
        "without a status": {"metadata": {}, "status": None},
    }
    for pod in pods.values():
        pod["metadata"]["ownerReferences"] = [CONTROLLING]
    found = acting(pods.values(), "a-default")
    assert [name for name, pod in pods.items() if pod in found] == [
        "just created",
        "pending",
        "running",
        "on a node that does not answer",
        "without a status",
    ]


@pytest.mark.parametrize(
    "owners",
    [
        [],
        [CONTROLLING | {"controller": False}],
        [CONTROLLING | {"name": "b-default"}],
        [CONTROLLING | {"kind": "ReplicaSet"}],
    ],
    ids=["nobody's", "beside a controller", "another group's", "another controller's"],
)
def test_a_strangers_pod_with_the_groups_label_is_no_worker(owners: list[dict[str, Any]]) -> None:
    assert acting([{"metadata": {"ownerReferences": owners}}], "a-default") == []


@pytest.mark.parametrize(
    ("owners", "found"),
    [
        (None, {}),
        ([], {}),
        ([OWNER], {}),
        ([OWNER | {"controller": False}, CONTROLLING], CONTROLLING),
    ],
)
def test_the_owner_is_the_one_that_controls_it(owners: Any, found: dict[str, Any]) -> None:
    assert owner_of({"metadata": {"ownerReferences": owners}}) == found


def test_no_template_brings_a_pod_into_istios_mesh() -> None:
    """docs/service-meshes.md says so."""
    label, spec = "sidecar.istio.io/inject", {"containers": []}
    asked = {label: "true"}
    for built in (
        build_scheduler_deployment_spec("a", spec, ANNOTATIONS, asked),
        build_worker_deployment_spec("a-default", "n", "a", "0123456789", spec, ANNOTATIONS, asked),
    ):
        assert pod_of(built)["metadata"]["labels"][label] == "false"
