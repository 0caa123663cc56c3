"""The Dask controller, played: dask-kubernetes' own builders, its order of requests, and its gaps between them.

What it makes is what the real one makes: pods in place of Deployments, no Service, which is the operator's, and a
worker group that has its owner from the start. A cluster that is deleted meanwhile does not stop it, as it would not
the real one.
"""

from __future__ import annotations

import uuid
from typing import Any

from dask_kubernetes.operator.controller.controller import (
    build_default_worker_group_spec,
    build_scheduler_deployment_spec,
    build_worker_deployment_spec,
)

from daskjob.api import constants as c
from daskjob.dask_controller.bare_pods import acting, pod_of
from daskjob.dask_controller.behaviour import NOT_COPIED

from .api import Body
from .namespace_view import NamespaceView, attempt_of, labels_of


async def make_cluster(view: NamespaceView, cluster: Body) -> None:
    """The scheduler's pod, then the worker group."""
    metadata, spec = cluster["metadata"], cluster["spec"]
    name = metadata["name"]
    await view.pause(f"cluster {attempt_of(cluster)}")
    scheduler, worker = spec["scheduler"], spec["worker"]
    labels, annotations = _described(cluster, scheduler)
    deployment = build_scheduler_deployment_spec(name, scheduler["spec"], annotations, labels)
    await _make(view, pod_of(deployment), cluster)
    await view.pause(f"group {attempt_of(cluster)}")
    labels, annotations = _described(cluster, worker)
    group = build_default_worker_group_spec(name, worker, annotations, labels)
    await _make(view, group, cluster)


def is_asked(before: Body | None, group: Body) -> bool:
    """Whether a worker group is new, or its change asks for the workers that are missing."""
    return before is None or _request(before) != _request(group)


async def make_workers(view: NamespaceView, group: Body) -> None:
    """A pod for each worker that is missing. Nobody asks whether the cluster still exists."""
    name, namespace = group["metadata"]["name"], group["metadata"]["namespace"]
    await view.pause(f"workers {attempt_of(group)}")
    worker = group["spec"]["worker"]
    labels, annotations = _described(group, worker)
    # One request at a time: each counts what the one before it has made.
    async with view.lock(group["metadata"]["uid"]):
        pods = await view.api.list("Pod", namespace)
        mine = [each for each in pods if labels_of(each).get(c.DASK_GROUP_LABEL) == name]
        for _ in range(worker["replicas"] - len(acting(mine, name))):
            deployment = build_worker_deployment_spec(
                worker_group_name=name,
                namespace=namespace,
                cluster_name=group["spec"]["cluster"],
                uuid=uuid.uuid4().hex[:10],
                pod_spec=worker["spec"],
                annotations=annotations,
                labels=labels,
            )
            await _make(view, pod_of(deployment), group)


def _request(group: Body) -> tuple[str, int, str | None]:
    metadata = group["metadata"]
    annotations = metadata.get("annotations") or {}
    return metadata["uid"], group["spec"]["worker"]["replicas"], annotations.get(c.REPLACE_ANNOTATION)


def _described(body: Body, component: Body) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations: the object's own, but for `NOT_COPIED`, and those of the template over them."""
    metadata, template = body["metadata"], component.get("metadata") or {}
    own = {key: text for key, text in (metadata.get("annotations") or {}).items() if key not in NOT_COPIED}
    return (
        {**(metadata.get("labels") or {}), **(template.get("labels") or {})},
        {**own, **(template.get("annotations") or {})},
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
