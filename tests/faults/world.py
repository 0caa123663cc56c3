"""The cluster around the operator: watches all of it, keeps its history, and sets everybody to work.

Real: API server, garbage collector, Deployments, ReplicaSets (see `plane`). Played, each in its module: the scheduler
and kubelet of pods, dask-kubernetes' controller, and the runners.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..apiserver.server import Server
from . import dask, kubelet
from .api import Api, Body
from .place import Place

WATCHED = (
    "DaskJob",
    "DaskJobReport",
    "DaskCluster",
    "DaskWorkerGroup",
    "Deployment",
    "Pod",
    "Service",
    "Secret",
    "ConfigMap",
)


class World:
    def __init__(self, api: Api) -> None:
        self.api = api
        self.places: dict[str, Place] = {}

    async def settle(self, title: str, seed: str = "0", **more: object) -> Place:
        """A new namespace, with the service account that every namespace has."""
        name = f"{title}-{uuid.uuid4().hex[:6]}"
        place = self.places[name] = Place(self.api, name, seed, **more)  # type: ignore[arg-type]
        await self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        await self.api.create(account)
        return place

    def leave(self, place: Place) -> None:
        """Nobody acts there any more, and nothing is kept of it."""
        place.close()
        self.places.pop(place.namespace, None)

    async def follow(self, kind: str) -> None:
        """Until cancelled."""
        async for event, body in self.api.watch(kind):
            place = self.places.get(body["metadata"].get("namespace", ""))
            if place is not None:
                place.take(event, body)
                self.act(place, event, body)

    def act(self, place: Place, event: str, body: Body) -> None:
        kind, uid = body["kind"], body["metadata"]["uid"]
        if kind == "Pod":
            if event == "DELETED":
                place.dismiss(uid)
            elif event == "ADDED":
                place.spawn(uid, kubelet.run(place, body))
        elif kind == "DaskCluster" and event == "ADDED":
            place.spawn(uid, dask.make_cluster(place, body))
        elif kind == "DaskWorkerGroup" and event == "ADDED":
            place.spawn(uid, dask.make_workers(place, body))


@asynccontextmanager
async def running_world(server: Server) -> AsyncIterator[World]:
    """Raises what the watches raise."""
    async with Api(server) as api:
        world = World(api)
        try:
            async with asyncio.TaskGroup() as group:
                watches = [group.create_task(world.follow(kind)) for kind in WATCHED]
                yield world
                for watch in watches:
                    watch.cancel()
        finally:
            for place in list(world.places.values()):
                world.leave(place)
