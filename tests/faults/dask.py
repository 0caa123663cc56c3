"""dask-kubernetes' controller as the launcher runs it, played: its own builders, its order of requests, and its gaps
between them.

What it makes is what the real one makes: no Service, which is the operator's, and a worker group that has its owner
from the start. A cluster that is deleted meanwhile does not stop it, as it would not the real one.
"""

from __future__ import annotations

from typing import Any

from dask_kubernetes.operator.controller.controller import (
    build_default_worker_group_spec,
    build_scheduler_deployment_spec,
    build_worker_deployment_spec,
)

from .api import Body
from .namespace_view import NamespaceView, attempt_of


async def make_cluster(view: NamespaceView, cluster: Body) -> None:
    """The scheduler's Deployment, then the worker group."""
    metadata, spec = cluster["metadata"], cluster["spec"]
    name = metadata["name"]
    await view.pause(f"cluster {attempt_of(cluster)}")
    scheduler, worker = spec["scheduler"], spec["worker"]
    labels, annotations = _described(cluster, scheduler)
    deployment = build_scheduler_deployment_spec(name, scheduler["spec"], annotations, labels)
    await _make(view, deployment, cluster)
    await view.pause(f"group {attempt_of(cluster)}")
    labels, annotations = _described(cluster, worker)
    group = build_default_worker_group_spec(name, worker, annotations, labels)
    await _make(view, group, cluster)


async def make_workers(view: NamespaceView, group: Body) -> None:
    """A Deployment for each worker. Nobody asks whether the cluster still exists."""
    name, namespace = group["metadata"]["name"], group["metadata"]["namespace"]
    cluster_name = group["spec"]["cluster"]
    await view.pause(f"workers {attempt_of(group)}")
    worker = group["spec"]["worker"]
    labels, annotations = _described(group, worker)
    for number in range(worker["replicas"]):
        deployment = build_worker_deployment_spec(
            worker_group_name=name,
            namespace=namespace,
            cluster_name=cluster_name,
            uuid=f"{number:010x}",
            pod_spec=worker["spec"],
            annotations=annotations,
            labels=labels,
        )
        await _make(view, deployment, group)


def _described(body: Body, component: Body) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations: the object's own, and those of the template over them."""
    metadata, template = body["metadata"], component.get("metadata") or {}
    return (
        {**(metadata.get("labels") or {}), **(template.get("labels") or {})},
        {**(metadata.get("annotations") or {}), **(template.get("annotations") or {})},
    )


async def _make(view: NamespaceView, body: Body, owner: Body) -> None:
    metadata = {**body["metadata"], "namespace": view.namespace, "ownerReferences": [_reference(owner)]}
    await view.api.create({**body, "metadata": metadata})


def _reference(owner: Body) -> dict[str, Any]:
    """As kopf's `adopt` writes it."""
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
