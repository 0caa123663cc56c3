"""A pod where dask-kubernetes creates a Deployment of one.

Each Deployment costs a ReplicaSet, four status updates and two events beside its pod, all by two controllers of
Kubernetes that send 20 requests a second for a whole Kubernetes cluster: enough for two small jobs a second. The
kubelet starts a container of a pod again as it does in a Deployment's. The operator, which watches the pods, asks for
other workers in place of pods that are gone (`replacement`). A scheduler is never replaced: its state goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: The names, in the API's paths, of what dask-kubernetes asks for, and of what it gets.
DEPLOYMENTS, PODS = "deployments", "pods"


def pod_of(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The pod that the Deployment's ReplicaSet would create, with the Deployment's name and owner."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": dict(deployment["metadata"]),
        "spec": deployment["spec"]["template"]["spec"],
    }


def acting(pods: Iterable[Mapping[str, Any]], group: str) -> list[Mapping[str, Any]]:
    """Of the pods, from the JSON of a list, those of the worker group with that name that have not ended and are not
    being deleted. A label makes no pod a worker: anybody may give it to one of his own, which would then count instead
    of a worker that is missing."""
    return [
        pod
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        and [owner_of(pod).get(key) for key in ("kind", "name")] == ["DaskWorkerGroup", group]
    ]


def owner_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner reference of a pod's cluster or worker group; empty if it has none."""
    owners = body["metadata"].get("ownerReferences") or ()
    return next((each for each in owners if each.get("controller")), {})
