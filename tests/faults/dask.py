"""dask-kubernetes' controller, played: its own builders, its order of requests, and its gaps between them.

What it makes is what the real one makes. A cluster that is deleted meanwhile does not stop it, as it would not the
real one, and a worker group gets its owner only after it was made.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dask_kubernetes.operator.controller.controller import (
    build_default_worker_group_spec,
    build_scheduler_deployment_spec,
    build_scheduler_service_spec,
    build_worker_deployment_spec,
)

from .api import Body
from .namespace_view import NamespaceView, attempt_of

#: kopf's pause after an error of a handler (the real one's is 5 s).
RETRY = 0.5


async def make_cluster(view: NamespaceView, cluster: Body) -> None:
    """Deployment and Service of the scheduler, then the worker group."""
    metadata, spec = cluster["metadata"], cluster["spec"]
    name, namespace = metadata["name"], metadata["namespace"]
    await view.pause(f"cluster {attempt_of(cluster)}")
    scheduler, worker = spec["scheduler"], spec["worker"]
    labels, annotations = _described(cluster, scheduler)
    deployment = build_scheduler_deployment_spec(name, scheduler["spec"], annotations, labels)
    await _make(view, deployment, cluster)
    service = build_scheduler_service_spec(name, scheduler["service"], annotations, labels)
    await _make(view, service, cluster)
    await view.pause(f"group {attempt_of(cluster)}")
    labels, annotations = _described(cluster, worker)
    group = build_default_worker_group_spec(name, worker, annotations, labels)
    group["metadata"]["namespace"] = namespace
    await view.api.create(group)


async def make_workers(view: NamespaceView, group: Body) -> None:
    """The group gets its owner, and then a Deployment for each worker."""
    name, namespace = group["metadata"]["name"], group["metadata"]["namespace"]
    cluster_name = group["spec"]["cluster"]
    await view.pause(f"adopt {attempt_of(group)}")
    while (cluster := await view.api.get("DaskCluster", namespace, cluster_name)) is None:
        if await view.api.get("DaskWorkerGroup", namespace, name) is None:
            return
        await asyncio.sleep(RETRY)
    owner = _reference({**cluster, "kind": "DaskCluster"})
    if await view.api.merge(group, {"metadata": {"ownerReferences": [owner]}}) is None:
        return
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
