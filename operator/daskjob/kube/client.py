"""The few requests that the operator sends to the API server, through the `kubernetes` package's asyncio client.

Arguments and answers are plain JSON. Every returned object has `kind` and `apiVersion`, also an item of a list. Every
request has a time limit, and every failure raises `ApiError`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config

from daskjob.api import constants as c
from daskjob.api.resource import Resource
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.refusal import classify, unknown_fields
from daskjob.streams.shallow_json import ListPage, parse, slices

#: Seconds until a write, and one try of a read, times out. The client tries a read three times, a write once.
TIMEOUT, READ_TIMEOUT = 30.0, 10.0
#: Seconds until the API server ends a watch of one object, and until one from which nothing comes, not even the
#: bookmark of each minute, counts as broken.
WATCH, WATCH_SILENCE = 300, 90.0
#: Objects that a page of a list has: one may be as large as 1.5 MB.
PAGE = 50
#: The longest pause, in seconds, before the second and the third try of a read.
READ_PAUSES = (0.2, 0.4)
READS = ("get", "list")
#: The HTTP method of a Kubernetes verb.
METHODS = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "apply": "PATCH",
    "patch": "PATCH",
    "json-patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
CONTENT_TYPES = {
    "apply": "application/apply-patch+yaml",
    "patch": "application/merge-patch+json",
    "json-patch": "application/json-patch+json",
}

Body = dict[str, Any]
#: An object, or the operations of a JSON patch.
Sent = Body | list[Body]


@dataclass
class Request:
    """A request that is being sent. `status`: the HTTP status of its answer; None: no answer (yet)."""

    status: int | None = None


Measure = Callable[[str, str], AbstractContextManager[Request]]
"""The client calls it with verb and plural of every request, runs the request in the returned context, and sets the
answer's status in the `Request`."""


@contextmanager
def unmeasured(verb: str, resource: str) -> Iterator[Request]:
    """Measures nothing, for a process that counts no requests."""
    yield Request()


class KubeClient:
    """One connection pool to the API server."""

    def __init__(self, api: kubernetes_client.ApiClient, measure: Measure = unmeasured) -> None:
        self.api = api
        self._measure = measure
        api.user_agent = c.MANAGER

    @classmethod
    async def connect(cls, measure: Measure = unmeasured) -> KubeClient:
        """Connects as the pod's service account; outside a pod, with KUBECONFIG."""
        configuration = kubernetes_client.Configuration()
        try:
            kubernetes_config.load_incluster_config(client_configuration=configuration)
        except kubernetes_config.ConfigException:
            await kubernetes_config.load_kube_config(client_configuration=configuration)
        # Ten passes at a time, and the watches of single objects, which keep theirs.
        configuration.connection_pool_maxsize = 30
        # With it aiohttp also looks for a .netrc file, in a thread, at every request.
        configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
        return cls(kubernetes_client.ApiClient(configuration), measure)

    async def close(self) -> None:
        await self.api.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Body | None:
        """The object; None if it does not exist."""
        try:
            return resource.stamp(await self._request("get", resource, resource.path(namespace, name)))
        except ApiError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise

    async def list(
        self,
        resource: Resource,
        namespace: str | None,
        labels: str | None = None,
        fields: str | None = None,
        keep: Callable[[Body], Body] = dict,
    ) -> list[Body]:
        """All objects that match both selectors; `namespace`: of one, None: of all; `keep`: what to keep of an object,
        default all of it."""
        query = {"labelSelector": labels, "fieldSelector": fields, "limit": str(PAGE)}
        items: list[Body] = []

        def read(text: bytes) -> Body:
            return ListPage(lambda item: keep(resource.stamp(item))).read(slices(text))

        while True:
            answer = await self._request("list", resource, resource.path(namespace), query=query, read=read)
            items += answer.get("items") or []
            following = answer.get("metadata", {}).get("continue")
            if not following:
                break
            query["continue"] = following
        return items

    async def follow(self, resource: Resource, name: str) -> AsyncIterator[Body | None]:
        """The cluster-wide object of that name as it is now (None: there is none), and again after each change.

        It needs the rights to list and watch objects of that name only. Ends when the API server ends the watch, after
        `WATCH` seconds at most. Raises ApiError."""
        query = {"fieldSelector": f"metadata.name={name}"}
        listed = await self._request("list", resource, resource.path(None), query=query)
        items = listed.get("items") or []
        yield resource.stamp(items[0]) if items else None
        query |= {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str((listed.get("metadata") or {}).get("resourceVersion") or ""),
            "timeoutSeconds": str(WATCH),
        }
        async for line in self._lines(resource, query):
            try:
                event = json.loads(line)
                kind, body = event["type"], event["object"]
            except (ValueError, RecursionError, KeyError, TypeError) as error:
                raise ApiError(ErrorKind.TRANSIENT, 0, f"a watch event cannot be read: {error}") from None
            if kind == "ERROR":
                # The version is too old: a list brings a new one.
                return
            if kind != "BOOKMARK":
                yield resource.stamp(body) if kind != "DELETED" else None

    async def create(self, resource: Resource, body: Body) -> Body:
        """Creates the object, and returns it as created. Raises ApiError, of kind EXISTS if the name is taken."""
        path = resource.path(body["metadata"].get("namespace"))
        return resource.stamp(await self._request("create", resource, path, body=body))

    async def unknown_fields(self, resource: Resource, body: Body) -> Sequence[str]:
        """The fields of an object that the API server does not know, as it writes them: it reads the object, and
        creates nothing. Raises ApiError if it cannot say so now."""
        path = resource.path(body["metadata"].get("namespace"))
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        try:
            await self._request("create", resource, path, body=body, query=query)
        except ApiError as error:
            if error.kind is ErrorKind.TRANSIENT:
                raise
            # What else is wrong with the object, or that it is forbidden, shows when it is created.
            return unknown_fields(error.message)
        return ()

    async def apply_status(self, resource: Resource, body: Body) -> Body:
        """Writes the status by server-side apply: `body` has all fields that the operator owns. If it has a resource
        version and the object has another one by now, raises ApiError of kind CONFLICT."""
        path = resource.path(body["metadata"]["namespace"], body["metadata"]["name"], "status")
        query = {"fieldManager": c.MANAGER, "force": "true"}
        return resource.stamp(await self._request("apply", resource, path, body=body, query=query))

    async def patch(self, resource: Resource, namespace: str, name: str, body: Body) -> Body:
        """Changes the object by a JSON merge patch."""
        return resource.stamp(await self._request("patch", resource, resource.path(namespace, name), body=body))

    async def patch_owned(
        self, resource: Resource, namespace: str, name: str, owner: str, changes: Mapping[str, Any]
    ) -> bool:
        """Sets fields of an object, by their JSON pointers, if its first owner has the UID `owner`. Returns False if it
        has not. Nothing of the object need be known, nor read."""
        test = {"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": owner}
        operations = [test, *({"op": "add", "path": path, "value": value} for path, value in changes.items())]
        try:
            await self._request("json-patch", resource, resource.path(namespace, name), body=operations)
        except ApiError as error:
            if error.kind is ErrorKind.INVALID:
                return False
            raise
        return True

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str, version: str | None = None) -> bool:
        """Deletes the object with that UID, in the background; with a resource version, only if it still has that.
        Returns False if it is gone, if another object has its name, or (with a version) if it has changed."""
        conditions = {"uid": uid, "resourceVersion": version}
        body = {
            "propagationPolicy": "Background",
            "preconditions": {key: value for key, value in conditions.items() if value},
        }
        try:
            await self._request("delete", resource, resource.path(namespace, name), body=body)
        except ApiError as error:
            # Any other conflict does not show whether the object still exists.
            missed = error.kind is ErrorKind.CONFLICT and "precondition" in error.message.lower()
            if missed or error.kind is ErrorKind.NOT_FOUND:
                return False
            raise
        return True

    async def delete_all(self, resource: Resource, namespace: str, labels: str) -> None:
        """Deletes all objects of the namespace that match the label selector, in the background."""

        def read(_: bytes) -> Body:
            # The answer has all that was deleted.
            return {}

        body, query = {"propagationPolicy": "Background"}, {"labelSelector": labels}
        path = resource.path(namespace)
        await self._request("deletecollection", resource, path, body=body, query=query, read=read)

    async def _request(
        self,
        verb: str,
        resource: Resource,
        path: str,
        *,
        body: Sent | None = None,
        query: Mapping[str, str | None] | None = None,
        read: Callable[[bytes], Any] = parse,
    ) -> Body:
        if verb not in READS:
            # No second try of a write: the controller runs another pass first.
            return await self._once(verb, resource, path, body, query, read)
        # A pass takes a dozen reads, and one that fails makes the others vain: try again at once.
        for pause in READ_PAUSES:
            try:
                return await self._once(verb, resource, path, body, query, read)
            except ApiError as error:
                if not _passes(error):
                    raise
            await asyncio.sleep(random.uniform(0.0, pause))
        return await self._once(verb, resource, path, body, query, read)

    async def _once(
        self,
        verb: str,
        resource: Resource,
        path: str,
        body: Sent | None,
        query: Mapping[str, str | None] | None,
        read: Callable[[bytes], Any],
    ) -> Body:
        with self._measure(verb, resource.plural) as request:
            request.status, text, answered = await self._send(verb, path, body, query)
        if not request.status or request.status >= 400:
            raise classify(request.status or 0, text.decode("utf-8", "replace"), answered)
        try:
            answer = read(text)
        except ValueError as error:
            raise ApiError(ErrorKind.TRANSIENT, request.status, f"not JSON: {text[:200]!r}") from error
        if not isinstance(answer, dict):
            raise ApiError(ErrorKind.TRANSIENT, request.status, f"not an object: {text[:200]!r}")
        return answer

    async def _lines(self, resource: Resource, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The lines of a watch, as they come."""
        method, url, headers, _, _ = await self.api.param_serialize(
            "GET", resource.path(None), query_params=list(query.items()), auth_settings=["BearerToken"]
        )
        timeout = aiohttp.ClientTimeout(total=None, connect=READ_TIMEOUT, sock_read=WATCH_SILENCE)
        try:
            with self._measure("watch", resource.plural) as request:
                answer = await self.api.call_api(method, url, headers, None, _request_timeout=timeout)
                request.status = answer.status
            if answer.status >= 400:
                text = (await answer.read()).decode("utf-8", "replace")
                raise classify(answer.status, text, dict(answer.headers or {}))
            try:
                rest = b""
                async for chunk in answer.response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield line
            finally:
                _break_off(answer.response)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ApiError(ErrorKind.TRANSIENT, 0, f"{type(error).__name__}: {error}") from error

    async def _send(
        self, verb: str, path: str, body: Sent | None, query: Mapping[str, str | None] | None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Sends one request. Returns status, text and headers of the answer. Raises ApiError if there is none."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = CONTENT_TYPES.get(verb, "application/json")
        try:
            method, url, headers, _, _ = await self.api.param_serialize(
                METHODS[verb],
                path,
                query_params=[(key, value) for key, value in (query or {}).items() if value],
                header_params=headers,
                auth_settings=["BearerToken"],
            )
            timeout = READ_TIMEOUT if verb in READS else TIMEOUT
            # The body is plain JSON: nothing of it needs the client's conversion of models and dates.
            response = await self.api.call_api(method, url, headers, body, _request_timeout=timeout)
            text = await response.read()
        except kubernetes_client.ApiException as error:
            return error.status or 0, str(error.body or error.reason).encode(), dict(error.headers or {})
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ApiError(ErrorKind.TRANSIENT, 0, f"{type(error).__name__}: {error}") from error
        return response.status, text, dict(response.headers)


def _break_off(response: aiohttp.ClientResponse) -> None:
    """Ends a response of which more is to come, without the server's consent."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def _passes(error: ApiError) -> bool:
    """Whether a read may succeed a moment later. If the server asks for a longer pause, the caller makes it."""
    return error.kind is ErrorKind.TRANSIENT and not error.retry_after
