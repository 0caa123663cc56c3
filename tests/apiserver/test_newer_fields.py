"""Fields that dask-kubernetes' own definitions do not know, on their way from a template to the pods."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import make_namespace
from .dask_clusters import LABELS, dask, dask_cluster
from .server import Server, with_definitions

DASK_CRDS = Path(__file__).resolve().parents[2] / "charts/daskjob-operator/files/dask-crds"
#: Of a pod and of its container: each came after Kubernetes 1.22, or was never in these definitions.
POD = {
    "hostUsers": False,
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "ScheduleAnyway", "nodeTaintsPolicy": "Honor"}
    ],
    "schedulingGates": [{"name": "a.example/b"}],
    "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one"}],
    "initContainers": [{"name": "side", "image": "localhost/side", "restartPolicy": "Always"}],
    "volumes": [{"name": "model", "image": {"reference": "localhost/model"}}],
}
CONTAINER = {
    "resizePolicy": [{"resourceName": "memory", "restartPolicy": "NotRequired"}],
    "securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}},
    "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
}
#: Of no Kubernetes yet.
TOMORROW = {"brandNew": {"deep": [1, "two"]}}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with with_definitions(DASK_CRDS) as started:
        yield started


def has(actual: Any, expected: Any) -> bool:
    """Whether all of `expected` is in `actual`, which may have more in its objects."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(has(actual.get(key), value) for key, value in expected.items())
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(has(one, other) for one, other in zip(actual, expected, strict=True))
        )
    return bool(actual == expected)


@pytest.mark.parametrize("component", ["scheduler", "worker"])
def test_they_are_kept_in_the_cluster(server: Server, component: str) -> None:
    namespace = make_namespace(server)
    manifest = copy.deepcopy(dask_cluster("a", LABELS))
    spec = manifest["spec"][component]["spec"]
    spec |= POD | TOMORROW
    spec["containers"][0] |= CONTAINER | TOMORROW
    stored = server.admin.create(dask(namespace, "daskclusters"), manifest).ok()
    assert stored["spec"][component]["spec"] == spec


def test_they_are_kept_in_a_worker_group(server: Server) -> None:
    namespace = make_namespace(server)
    spec = {**POD, **TOMORROW, "containers": [{"name": "worker", "image": "i", **CONTAINER}]}
    manifest = {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskWorkerGroup",
        "metadata": {"name": "a"},
        "spec": {"cluster": "a", "worker": {"replicas": 1, "spec": spec}},
    }
    assert server.admin.create(dask(namespace, "daskworkergroups"), manifest).ok()["spec"]["worker"]["spec"] == spec
