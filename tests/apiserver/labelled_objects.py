"""Objects of each kind that a job consists of, or that Kubernetes makes pods of, with any name and labels."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from daskjob.api import constants as c

from .dask_clusters import dask_cluster

Body = dict[str, Any]

MANAGED = {c.MANAGED_BY_LABEL: c.MANAGER}
CONTAINER = {"name": "a", "image": "localhost/none:test"}


def a_pod(name: str, labels: dict[str, str]) -> Body:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [CONTAINER]}}


def plain(version: str, kind: str, **fields: Any) -> Callable[[str, dict[str, str]], Body]:
    return lambda name, labels: {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        **copy.deepcopy(fields),
    }


def workload(version: str, kind: str, given: dict[str, str] | None = None) -> Callable[[str, dict[str, str]], Body]:
    """With these labels in its template of pods, beside its own."""
    labels = {"app": "a", **(given or {})}
    restart = {"restartPolicy": "Never"} if kind == "Job" else {}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER], **restart}}
    selector = {} if kind == "Job" else {"selector": {"matchLabels": {"app": "a"}}}
    more = {"serviceName": "a"} if kind == "StatefulSet" else {}
    return plain(version, kind, spec={**selector, "template": template, **more})


def a_report(name: str, labels: dict[str, str]) -> Body:
    return plain("daskjob.io/v1alpha1", "DaskJobReport", spec={"job": "sum", "jobUID": "u", "attempt": 1})(name, labels)


#: Path of the collection, with {} for the namespace, and a manifest by name and labels.
KINDS: dict[str, tuple[str, Callable[[str, dict[str, str]], Body]]] = {
    "Pod": ("/api/v1/namespaces/{}/pods", a_pod),
    "ConfigMap": ("/api/v1/namespaces/{}/configmaps", plain("v1", "ConfigMap", data={"a": "b"})),
    "Secret": ("/api/v1/namespaces/{}/secrets", plain("v1", "Secret", stringData={"a": "b"})),
    "Service": ("/api/v1/namespaces/{}/services", plain("v1", "Service", spec={"ports": [{"port": 1}]})),
    "Deployment": ("/apis/apps/v1/namespaces/{}/deployments", workload("apps/v1", "Deployment")),
    "ReplicaSet": ("/apis/apps/v1/namespaces/{}/replicasets", workload("apps/v1", "ReplicaSet")),
    "NetworkPolicy": (
        "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
        plain("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}}),
    ),
    "DaskCluster": ("/apis/kubernetes.dask.org/v1/namespaces/{}/daskclusters", dask_cluster),
    "DaskWorkerGroup": (
        "/apis/kubernetes.dask.org/v1/namespaces/{}/daskworkergroups",
        plain(
            "kubernetes.dask.org/v1",
            "DaskWorkerGroup",
            spec={"cluster": "a", "worker": {"replicas": 1, "spec": {"containers": [CONTAINER]}}},
        ),
    ),
    "DaskJobReport": ("/apis/daskjob.io/v1alpha1/namespaces/{}/daskjobreports", a_report),
}
