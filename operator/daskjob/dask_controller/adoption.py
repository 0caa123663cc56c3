"""A worker group that has its owner from the start.

dask-kubernetes creates a worker group without an owner, asks for the group's cluster twice, and then gives the group
its owner by a patch: four requests of each job, one after the other. What they bring is known when the group is
created.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Container
from typing import Any

import kopf

OBJECTS = "dask_kubernetes.operator._objects"
#: The function of dask-kubernetes' controller that builds a cluster's worker group.
BUILDER = "build_default_worker_group_spec"


class KnownClusters:
    """The UIDs of the clusters that exist, by kopf's watches, which remove those that are deleted. kopf calls no
    handler before it has listed all clusters and worker groups."""

    def __init__(self) -> None:
        self._by_uid: Collection[str] = ()
        #: Of the clusters whose worker group exists.
        self.with_group: Collection[str] = ()

    def index_in(self, registry: kopf.OperatorRegistry) -> None:
        """Makes kopf keep them, when it starts to run `registry`."""

        @kopf.index("daskcluster.kubernetes.dask.org", registry=registry, id="clusters_by_uid")
        def clusters_by_uid(uid: str, **_: Any) -> dict[str, None]:
            return {uid: None}

        @kopf.index("daskworkergroup.kubernetes.dask.org", registry=registry, id="clusters_with_group")
        def clusters_with_group(name: str, meta: Any, spec: Any, **_: Any) -> dict[str, None] | None:
            owner = _owner(meta, spec.get("cluster"))
            return {owner["uid"]: None} if owner is not None and name == f"{owner['name']}-default" else None

        @kopf.on.startup(registry=registry, id="known_clusters")
        def begin(**arguments: Any) -> None:
            self._by_uid, self.with_group = arguments["clusters_by_uid"], arguments["clusters_with_group"]

    def __contains__(self, uid: object) -> bool:
        return uid in self._by_uid


def adopt_from_the_start(controller: Any, known: Container[str]) -> None:
    """Replaces what dask-kubernetes' controller module and its classes do about the owner of a worker group. `known`:
    the UIDs of the clusters that exist; the API server is asked about another one. Raises `RuntimeError` if module or
    classes lack what is replaced."""
    objects = importlib.import_module(OBJECTS)
    cluster, group = objects.DaskCluster, objects.DaskWorkerGroup
    if not hasattr(controller, BUILDER) or not hasattr(cluster, "adopt") or not hasattr(group, "cluster"):
        raise RuntimeError(f"{controller.__name__} differs: install the dask-kubernetes of pyproject.toml")
    build, ask, adopt = getattr(controller, BUILDER), group.cluster, cluster.adopt

    def build_adopted(*arguments: Any) -> dict[str, Any]:
        """The worker group, owned by the cluster whose handler calls this."""
        body: dict[str, Any] = build(*arguments)
        kopf.adopt(body)
        return body

    async def cluster_of(self: Any) -> Any:
        """The group's cluster. The handlers read name, UID and labels of it; the group has them all. They make no
        workers if it is gone."""
        owner = _owner(self.metadata, self.spec.cluster)
        if owner is None or owner["uid"] not in known:
            return await ask(self)
        metadata = {"name": owner["name"], "namespace": self.namespace, "uid": owner["uid"], "labels": self.labels}
        return await cluster({"metadata": metadata}, namespace=self.namespace)

    async def adopt_if_needed(self: Any, child: Any) -> None:
        owner = _owner(child.metadata, child.spec.cluster)
        if owner is None or owner["uid"] != self.metadata.uid:
            await adopt(self, child)

    setattr(controller, BUILDER, build_adopted)
    group.cluster, cluster.adopt = cluster_of, adopt_if_needed


def _owner(metadata: Any, cluster: Any) -> Any:
    """The owner reference of a worker group to its cluster, which it names; None: it has none."""
    owners = metadata.get("ownerReferences") or ()
    return next((each for each in owners if (each["kind"], each["name"]) == ("DaskCluster", cluster)), None)
