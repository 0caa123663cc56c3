"""Direct requests to the API server, as its admin: how the world around the operator acts, without any fault."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp

from daskjob.streams.shallow_json import parse

from ..apiserver.server import Server

Body = dict[str, Any]

#: Where the API has each kind.
PLACES = {
    "Namespace": ("/api/v1", "namespaces"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Pod": ("/api/v1", "pods"),
    "Service": ("/api/v1", "services"),
    "Secret": ("/api/v1", "secrets"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "DaskCluster": ("/apis/kubernetes.dask.org/v1", "daskclusters"),
    "DaskWorkerGroup": ("/apis/kubernetes.dask.org/v1", "daskworkergroups"),
    "DaskJob": ("/apis/daskjob.io/v1alpha1", "daskjobs"),
    "DaskJobReport": ("/apis/daskjob.io/v1alpha1", "daskjobreports"),
    "DaskCronJob": ("/apis/daskjob.io/v1alpha1", "daskcronjobs"),
}
#: What may be gone, or in the way, when somebody else acts too.
EXPECTED = (404, 409)


class Refused(AssertionError):
    """The API server did not take what the test's world wrote."""


@dataclass
class Api:
    """One connection pool. Use as an asynchronous context manager."""

    server: Server

    async def __aenter__(self) -> Api:
        context = ssl.create_default_context(cafile=str(self.server.certificate))
        context.check_hostname = False
        self.session = aiohttp.ClientSession(
            f"https://127.0.0.1:{self.server.port}",
            connector=aiohttp.TCPConnector(limit=0, ssl=context),
            headers={"Authorization": f"Bearer {self.server.admin.token}"},
            timeout=aiohttp.ClientTimeout(total=60),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()
        # The event loop needs a moment to close what is encrypted.
        await asyncio.sleep(0.1)

    async def request(
        self, method: str, path: str, body: Body | None = None, kind: str = "application/json"
    ) -> Body | None:
        """The answer; None if the object is gone or its name is taken. Raises Refused for anything else."""
        data = json.dumps(body) if body is not None else None
        async with self.session.request(method, path, data=data, headers={"Content-Type": kind}) as response:
            answer: Body = parse(await response.read())
        if response.status in EXPECTED:
            return None
        if response.status >= 400:
            raise Refused(f"{method} {path}: {response.status} {answer.get('message')}")
        return answer

    async def create(self, body: Body) -> Body | None:
        """None if there is one of that name."""
        return await self.request("POST", path(body["kind"], body["metadata"].get("namespace")), body)

    async def get(self, kind: str, namespace: str, name: str) -> Body | None:
        return await self.request("GET", path(kind, namespace, name))

    async def list(self, kind: str, namespace: str) -> list[Body]:
        answer = await self.request("GET", path(kind, namespace))
        return [{**each, "kind": kind} for each in (answer or {}).get("items") or ()]

    async def merge(self, body: Body, changes: Body, part: str | None = None) -> Body | None:
        """Changes that very object; None if it is gone."""
        metadata = body["metadata"]
        where = path(body["kind"], metadata["namespace"], metadata["name"], part)
        guarded = {**changes, "metadata": {"uid": metadata["uid"], **changes.get("metadata", {})}}
        return await self.request("PATCH", where, guarded, "application/merge-patch+json")

    async def delete(self, body: Body, **options: Any) -> None:
        """Deletes that very object, in the background unless the options say otherwise."""
        metadata = body["metadata"]
        where = path(body["kind"], metadata["namespace"], metadata["name"])
        preconditions = {"propagationPolicy": "Background", "preconditions": {"uid": metadata["uid"]}}
        await self.request("DELETE", where, {**preconditions, **options})

    async def watch(self, kind: str) -> AsyncIterator[tuple[str, Body]]:
        """All there is (as ADDED), then every change, of all namespaces; never ends by itself."""
        listed = await self.request("GET", path(kind))
        assert listed is not None
        for each in listed.get("items") or ():
            yield "ADDED", {**each, "kind": kind}
        version = listed["metadata"]["resourceVersion"]
        while True:
            query = f"?watch=true&allowWatchBookmarks=true&timeoutSeconds=3000&resourceVersion={version}"
            async with self.session.get(
                path(kind) + query, timeout=aiohttp.ClientTimeout(total=None), read_bufsize=1 << 22
            ) as stream:
                async for line in stream.content:
                    event = parse(line, around=1)
                    body = event["object"]
                    if event["type"] == "ERROR":
                        raise Refused(f"the watch of {kind} broke: {body}")
                    version = body["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], {**body, "kind": kind}


def path(kind: str, namespace: str | None = None, name: str | None = None, part: str | None = None) -> str:
    root, plural = PLACES[kind]
    parts = [root, f"namespaces/{namespace}" if namespace else "", plural, name or "", part or ""]
    return "/".join(each for each in parts if each)
