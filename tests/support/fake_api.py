"""A Kubernetes API server as far as watches, lists and one Lease go, that behaves as it is told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

#: group/version -> plurals and kinds: what discovery tells.
RESOURCES = {
    "v1": {"pods": "Pod", "events": "Event", "namespaces": "Namespace"},
    "apps/v1": {"deployments": "Deployment"},
    "daskjob.io/v1alpha1": {"daskjobs": "DaskJob", "daskjobreports": "DaskJobReport", "daskcronjobs": "DaskCronJob"},
    "kubernetes.dask.org/v1": {"daskclusters": "DaskCluster", "daskworkergroups": "DaskWorkerGroup"},
    "apiextensions.k8s.io/v1": {"customresourcedefinitions": "CustomResourceDefinition"},
}
VERBS = ["get", "list", "watch", "create", "patch", "delete"]
EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
BOOKMARK = {"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "2"}}}


class FakeApi:
    """`mood`: how watches of a resource are answered, by its plural.

    bookmarks   one every 50 ms (the default)
    silent      taken, and then nothing
    deaf        not answered at all
    ended       taken and ended in order, after 50 ms
    refused     HTTP 403, for lists too
    expired     taken and ended with an event of error 410: the version from which to go on is too old
    """

    def __init__(self) -> None:
        self.mood: dict[str, str] = {}
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.asked: Counter[str] = Counter()
        #: Set when a watch has begun anew.
        self.listed_again = asyncio.Event()
        self.lease: dict[str, Any] | None = None
        self.missing: set[str] = set()
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Up, or up again, always at the same port."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def kubeconfig(self, folder: Path) -> Path:
        path = folder / "kubeconfig"
        content = {
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "fake", "user": {"token": "secret"}}],
        }
        path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **content}))
        return path

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if "leases" in parts:
            return await self._lease(request)
        path = request.path.rstrip("/")
        if path == "/version":
            return web.json_response({"major": "1", "minor": "35", "gitVersion": "v1.35.4"})
        if path in ("/api", "/apis"):
            return web.json_response(_versions() if path == "/api" else _groups())
        version = "/".join(parts[1:2] if parts[0] == "api" else parts[1:3])
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if version not in RESOURCES:
            return web.json_response({"code": 404, "reason": "NotFound", "message": "not found"}, status=404)
        if not rest:
            return web.json_response(self._resources(version))
        return await self._objects(request, rest[2] if rest[0] == "namespaces" else rest[0])

    async def _objects(self, request: web.Request, plural: str) -> web.StreamResponse:
        watch = request.query.get("watch") == "true"
        self.asked[f"{'watch' if watch else 'list'} {plural}"] += 1
        if not watch and self.asked[f"list {plural}"] > 1:
            self.listed_again.set()
        mood = self.mood.get(plural, "bookmarks")
        if mood == "refused":
            return web.json_response({"code": 403, "reason": "Forbidden", "message": "no right"}, status=403)
        if not watch:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": self.items.get(plural, [])})
        if mood == "deaf":
            await asyncio.Event().wait()
        stream = web.StreamResponse()
        await stream.prepare(request)
        # Until the mood changes: kopf is to ask anew then.
        while mood == self.mood.get(plural, "bookmarks") and not _gone(request):
            await asyncio.sleep(0.05)
            if mood == "expired":
                await stream.write(json.dumps(EXPIRED).encode() + b"\n")
            if mood in ("ended", "expired"):
                break
            if mood == "bookmarks" and not _gone(request):
                await stream.write(json.dumps(BOOKMARK).encode() + b"\n")
        return stream

    async def _lease(self, request: web.Request) -> web.Response:
        if request.method == "GET" and self.lease is None:
            return web.json_response({"code": 404, "reason": "NotFound", "message": "no lease"}, status=404)
        if request.method != "GET":
            body = json.loads(await request.text())
            known = self.lease or {"metadata": body["metadata"]}
            self.lease = {**known, "spec": {**known.get("spec", {}), **body["spec"]}}
        return web.json_response(self.lease)

    def _resources(self, version: str) -> dict[str, Any]:
        found = [
            {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": True, "verbs": VERBS}
            for plural, kind in RESOURCES[version].items()
            if plural not in self.missing
        ]
        return {"kind": "APIResourceList", "groupVersion": version, "resources": found}


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _versions() -> dict[str, Any]:
    return {"kind": "APIVersions", "versions": ["v1"]}


def _groups() -> dict[str, Any]:
    groups = []
    for each in RESOURCES:
        group, _, version = each.rpartition("/")
        if group:
            served = {"groupVersion": each, "version": version}
            groups.append({"name": group, "versions": [served], "preferredVersion": served})
    return {"kind": "APIGroupList", "groups": groups}
