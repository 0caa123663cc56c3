"""The cluster around the operator: watches all of it, keeps its history, and sets everybody to work.

Real: API server, garbage collector (see `control_plane`). Played, each in its module: the scheduler and kubelet of
pods, the Dask controller, and the runners.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..apiserver.server import Server
from . import dask, kubelet
from .api import Api, Body
from .namespace_view import NamespaceView, labels_of

WATCHED = (
    "DaskJob",
    "DaskJobReport",
    "DaskCluster",
    "DaskWorkerGroup",
    "Pod",
    "Service",
    "Secret",
    "ConfigMap",
)

#: A label of objects that nobody acts on.
STRANGER = "strangers.test/stranger"


class World:
    def __init__(self, api: Api) -> None:
        self.api = api
        self.views: dict[str, NamespaceView] = {}

    async def settle(self, title: str, seed: str = "0", **more: object) -> NamespaceView:
        """A new namespace, with the service account that every namespace has."""
        name = f"{title}-{uuid.uuid4().hex[:6]}"
        view = self.views[name] = NamespaceView(self.api, name, seed, **more)  # type: ignore[arg-type]
        await self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        await self.api.create(account)
        return view

    def leave(self, view: NamespaceView) -> None:
        """Nobody acts there any more, and nothing is kept of it."""
        view.close()
        self.views.pop(view.namespace, None)

    async def follow(self, kind: str) -> None:
        """Until cancelled."""
        async for event, body in self.api.watch(kind):
            view = self.views.get(body["metadata"].get("namespace", ""))
            if view is not None:
                before = view.find(kind, body["metadata"]["name"])
                view.take(event, body)
                self.act(view, event, body, before)

    def act(self, view: NamespaceView, event: str, body: Body, before: Body | None) -> None:
        """`before`: the object of that name as it was known until now."""
        kind, uid = body["kind"], body["metadata"]["uid"]
        if STRANGER in labels_of(body):
            return
        if kind == "Pod":
            if event == "DELETED":
                view.dismiss(uid)
            elif event == "ADDED":
                view.spawn(uid, kubelet.run(view, body))
        elif kind == "DaskCluster" and event == "ADDED":
            view.spawn(uid, dask.make_cluster(view, body))
        elif kind == "DaskWorkerGroup" and event != "DELETED" and dask.is_asked(before, body):
            view.spawn(uid, dask.make_workers(view, body))


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
            for view in list(world.views.values()):
                world.leave(view)
