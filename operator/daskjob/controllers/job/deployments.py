"""Whose the pods of Deployments are.

dask-kubernetes' own operator, which the chart's Dask controller stands in for, creates a Deployment where that creates
a pod. No watch follows Deployments and ReplicaSets, so the API server is asked once about each ReplicaSet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from daskjob.api.resource import DEPLOYMENTS, REPLICA_SETS, Resource
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.client import Body, KubeClient
from daskjob.lifecycle.job.proof import controller_of
from daskjob.streams.bounded_dict import BoundedDict

#: Of how many ReplicaSets the answer is remembered; about the eldest of more, the API server is asked again.
MOST_KNOWN = 10_000


class Deployments:
    """The owners of Deployments, by the UIDs of their ReplicaSets."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        #: The owner's UID; empty: there is none, or the operator may not ask.
        self._known: BoundedDict[str, str] = BoundedDict(MOST_KNOWN)

    async def owners(self, namespace: str, bodies: Iterable[Body]) -> Mapping[str, str]:
        """The UIDs of the objects that own the Deployments of these pods, by the UIDs of the pods' ReplicaSets. Raises
        ApiError."""
        found = {}
        for body in bodies:
            controller = controller_of(body)
            if body["kind"] == "Pod" and controller.get("kind") == REPLICA_SETS.kind:
                uid = controller["uid"]
                if uid not in self._known:
                    self._known[uid] = await self._ask(namespace, controller)
                found[uid] = self._known[uid]
        return found

    async def _ask(self, namespace: str, controller: Mapping[str, str]) -> str:
        replica_set = await self._get(REPLICA_SETS, namespace, controller)
        owner = controller_of(replica_set) if replica_set is not None else {}
        deployment = await self._get(DEPLOYMENTS, namespace, owner) if owner.get("kind") == DEPLOYMENTS.kind else None
        return str(controller_of(deployment).get("uid", "")) if deployment is not None else ""

    async def _get(self, resource: Resource, namespace: str, owner: Mapping[str, str]) -> Body | None:
        """The object that an owner reference names."""
        try:
            found = await self._client.get(resource, namespace, owner["name"])
        except ApiError as error:
            if error.kind is not ErrorKind.FORBIDDEN:
                raise
            # With the chart's Dask controller, no pod of a job is a Deployment's.
            return None
        return found if found is not None and found["metadata"]["uid"] == owner["uid"] else None
