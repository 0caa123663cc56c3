"""The client against a real HTTP server that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client as kubernetes_client

from daskjob.api.resource import CONFIG_MAPS, DASK_JOBS, PODS, POLICIES, SERVICES
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube import client as module
from daskjob.kube.client import KubeClient

from ..support.fake_api import FakeApi

POD = {"metadata": {"namespace": "team", "name": "p"}}


class Server:
    """Answers each request with the next of `answers`, and remembers it."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.over = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        seen = {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "type": request.headers.get("Content-Type", ""),
            "agent": request.headers.get("User-Agent"),
            "authorization": request.headers.get("Authorization"),
            "body": json.loads(text) if text else None,
        }
        self.requests.append(seen)
        answer = self.answers.pop(0)
        if isinstance(answer, web.StreamResponse):
            return answer
        if answer == "hang":
            await self.over.wait()
        if answer == "cut":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return web.json_response(answer)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[KubeClient]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    configuration = kubernetes_client.Configuration()
    configuration.host = f"http://{host}:{port}"
    configuration.api_key = {"BearerToken": "Bearer secret"}
    configuration.retries = None
    client = KubeClient(kubernetes_client.ApiClient(configuration))
    yield client
    server.over.set()
    await client.close()
    await runner.cleanup()


def refusal(code: int, reason: str, message: str, **headers: str) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}
    return web.json_response(body, status=code, headers=headers)


PATHS = [
    (PODS.path("team"), "/api/v1/namespaces/team/pods"),
    (PODS.path(None), "/api/v1/pods"),
    (CONFIG_MAPS.path("team", "c"), "/api/v1/namespaces/team/configmaps/c"),
    (DASK_JOBS.path("team", "j", "status"), "/apis/daskjob.io/v1alpha1/namespaces/team/daskjobs/j/status"),
    (
        POLICIES.path(None, "p"),
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/p",
    ),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_paths(path: str, expected: str) -> None:
    assert path == expected


async def test_get(client: KubeClient, server: Server) -> None:
    server.answers = [POD, refusal(404, "NotFound", 'pods "p" not found')]
    assert await client.get(PODS, "team", "p") == {**POD, "kind": "Pod", "apiVersion": "v1"}
    assert await client.get(PODS, "team", "p") is None
    seen = server.requests[0]
    assert (seen["method"], seen["path"]) == ("GET", "/api/v1/namespaces/team/pods/p")
    assert seen["agent"] == "daskjob-operator"
    assert seen["authorization"] == "Bearer secret"


async def test_an_unread_object_is_changed_only_if_it_has_the_owner(client: KubeClient, server: Server) -> None:
    server.answers = [POD, refusal(422, "Invalid", "the server rejected our request due to an error in our request")]
    changes = {"/spec/selector": {"a": "b"}}
    assert await client.patch_owned(SERVICES, "team", "s", "uid-1", changes)
    assert not await client.patch_owned(SERVICES, "team", "s", "uid-1", changes)
    seen = server.requests[0]
    assert (seen["method"], seen["path"]) == ("PATCH", "/api/v1/namespaces/team/services/s")
    assert seen["type"] == "application/json-patch+json"
    assert seen["body"] == [
        {"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": "uid-1"},
        {"op": "add", "path": "/spec/selector", "value": {"a": "b"}},
    ]
    server.answers = [refusal(404, "NotFound", 'services "s" not found')]
    with pytest.raises(ApiError) as caught:
        await client.patch_owned(SERVICES, "team", "s", "uid-1", changes)
    assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (201, "", []),
        (400, 'strict decoding error: unknown field "spec.x", unknown field "spec.y"', ["spec.x", "spec.y"]),
        (422, 'Pod "p" is invalid: spec.containers: Required value', []),
        (403, "exceeded quota: q", []),
        (404, "namespaces not found", []),
    ],
)
async def test_fields_are_asked_about_without_creating_anything(
    client: KubeClient, server: Server, status: int, message: str, expected: list[str]
) -> None:
    server.answers = [web.json_response({"kind": "Status", "message": message}, status=status)]
    assert list(await client.unknown_fields(PODS, POD)) == expected
    [request] = server.requests
    assert (request["method"], request["query"]) == ("POST", {"dryRun": "All", "fieldValidation": "Strict"})


async def test_no_answer_about_fields_is_no_answer(client: KubeClient, server: Server) -> None:
    server.answers = [web.json_response({"kind": "Status", "message": "away"}, status=503)]
    with pytest.raises(ApiError):
        await client.unknown_fields(PODS, POD)


async def test_list_reads_all_pages(client: KubeClient, server: Server) -> None:
    server.answers = [
        {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]},
        {"metadata": {}, "items": [{"metadata": {"name": "b"}}]},
    ]
    found = await client.list(PODS, None, labels="a=b", fields="c=d")
    assert [(each["metadata"]["name"], each["kind"], each["apiVersion"]) for each in found] == [
        ("a", "Pod", "v1"),
        ("b", "Pod", "v1"),
    ]
    assert server.requests[0]["query"] == {"labelSelector": "a=b", "fieldSelector": "c=d", "limit": "50"}
    assert server.requests[1]["query"]["continue"] == "more"


@pytest.mark.parametrize("answer", [{}, {"items": None}, {"metadata": {}, "items": []}])
async def test_an_empty_list(client: KubeClient, server: Server, answer: Any) -> None:
    server.answers = [answer]
    assert await client.list(PODS, "team") == []


async def test_writes(client: KubeClient, server: Server) -> None:
    server.answers = [POD] * 3 + [{"kind": "Status", "status": "Success"}]
    await client.create(PODS, POD)
    await client.apply_status(DASK_JOBS, {"metadata": POD["metadata"], "status": {"phase": "Pending"}})
    await client.patch(PODS, "team", "p", {"spec": {"x": None}})
    assert await client.delete(PODS, "team", "p", "uid-1")
    create, apply, patch, delete = server.requests
    assert (create["method"], create["path"], create["body"]) == ("POST", "/api/v1/namespaces/team/pods", POD)
    assert (apply["method"], apply["type"]) == ("PATCH", "application/apply-patch+yaml")
    assert apply["path"] == "/apis/daskjob.io/v1alpha1/namespaces/team/daskjobs/p/status"
    assert apply["query"] == {"fieldManager": "daskjob-operator", "force": "true"}
    assert (patch["type"], patch["body"]) == ("application/merge-patch+json", {"spec": {"x": None}})
    assert delete["body"] == {"propagationPolicy": "Background", "preconditions": {"uid": "uid-1"}}


async def test_all_of_a_namespace_that_have_the_labels_are_deleted_in_one_request(
    client: KubeClient, server: Server
) -> None:
    server.answers = [{"kind": "PodList", "items": [POD]}]
    await client.delete_all(PODS, "team", "a=b,c=d")
    (request,) = server.requests
    assert (request["method"], request["path"]) == ("DELETE", "/api/v1/namespaces/team/pods")
    assert request["query"] == {"labelSelector": "a=b,c=d"}
    assert request["body"] == {"propagationPolicy": "Background"}


@pytest.mark.parametrize(
    "answer",
    [refusal(404, "NotFound", "gone"), refusal(409, "Conflict", "Precondition failed: UID in precondition: 1")],
)
async def test_what_is_gone_need_not_be_deleted(client: KubeClient, server: Server, answer: web.Response) -> None:
    server.answers = [answer]
    assert not await client.delete(PODS, "team", "p", "1")


async def test_a_conflict_that_says_nothing_of_the_object_is_no_end(client: KubeClient, server: Server) -> None:
    """Taken for one, the object would be forgotten, and stay."""
    server.answers = [refusal(409, "Conflict", "Operation cannot be fulfilled: the object has been modified")]
    with pytest.raises(ApiError) as caught:
        await client.delete(PODS, "team", "p", "1")
    assert caught.value.kind is ErrorKind.CONFLICT


async def test_a_read_is_repeated(client: KubeClient, server: Server) -> None:
    """A look at a job takes a dozen of them; each that fails would make all of it in vain."""
    server.answers = [refusal(503, "ServiceUnavailable", "busy"), "cut", POD]
    assert await client.get(PODS, "team", "p") == {**POD, "kind": "Pod", "apiVersion": "v1"}
    assert len(server.requests) == 3


async def test_a_read_is_repeated_twice_at_most(client: KubeClient, server: Server) -> None:
    server.answers = [refusal(503, "ServiceUnavailable", "busy") for _ in range(3)]
    with pytest.raises(ApiError) as caught:
        await client.list(PODS, "team")
    assert caught.value.kind is ErrorKind.TRANSIENT
    assert len(server.requests) == 3


async def test_a_read_that_is_to_wait_for_long_is_not_repeated(client: KubeClient, server: Server) -> None:
    server.answers = [refusal(429, "TooManyRequests", "busy", **{"Retry-After": "30"})]
    with pytest.raises(ApiError) as caught:
        await client.get(PODS, "team", "p")
    assert caught.value.retry_after == 30.0


REFUSALS = {
    "exists": (refusal(409, "AlreadyExists", "there"), ErrorKind.EXISTS),
    "conflict": (refusal(409, "Conflict", "modified"), ErrorKind.CONFLICT),
    "quota": (refusal(403, "Forbidden", "exceeded quota"), ErrorKind.FORBIDDEN),
    "too large for etcd": (refusal(500, "", "etcdserver: request is too large"), ErrorKind.INVALID),
    "broken": (web.Response(status=502, text="<html>bad gateway"), ErrorKind.TRANSIENT),
    "not JSON": (web.Response(text="hello"), ErrorKind.TRANSIENT),
    "no object": (web.Response(text="[]"), ErrorKind.TRANSIENT),
    "not UTF-8": (web.Response(body=b'{"a": "\xff"'), ErrorKind.TRANSIENT),
    "cut off": ("cut", ErrorKind.TRANSIENT),
}


@pytest.mark.parametrize(("answer", "kind"), REFUSALS.values(), ids=REFUSALS)
async def test_every_failure_has_its_kind(client: KubeClient, server: Server, answer: Any, kind: ErrorKind) -> None:
    server.answers = [answer]
    with pytest.raises(ApiError) as caught:
        await client.create(PODS, POD)
    assert caught.value.kind is kind
    assert len(server.requests) == 1, "a request that may have done something is not repeated behind one's back"


async def test_the_server_says_how_long_to_wait(client: KubeClient, server: Server) -> None:
    server.answers = [refusal(429, "TooManyRequests", "later", **{"Retry-After": "3"})]
    with pytest.raises(ApiError) as caught:
        await client.get(PODS, "team", "p")
    assert (caught.value.kind, caught.value.retry_after) == (ErrorKind.TRANSIENT, 3.0)


async def test_no_answer_in_time(client: KubeClient, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    server.answers = ["hang"]
    with pytest.raises(ApiError) as caught:
        await client.create(PODS, POD)
    assert (caught.value.kind, caught.value.status) == (ErrorKind.TRANSIENT, 0)


async def test_a_read_that_is_not_answered_is_repeated(
    client: KubeClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.3)
    server.answers = ["hang", POD]
    assert await client.get(PODS, "team", "p") == {**POD, "kind": "Pod", "apiVersion": "v1"}


async def test_nobody_there() -> None:
    configuration = kubernetes_client.Configuration()
    configuration.host = "http://127.0.0.1:1"
    client = KubeClient(kubernetes_client.ApiClient(configuration))
    with pytest.raises(ApiError) as caught:
        await client.get(PODS, "team", "p")
    assert caught.value.kind is ErrorKind.TRANSIENT
    await client.close()


@pytest.mark.parametrize("proxy", ["", "http://198.18.0.1:3128"])
async def test_the_environment_is_asked_for_a_proxy_and_otherwise_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """With `trust_env` aiohttp looks for a .netrc file at every request."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    path = str(FakeApi().kubeconfig(tmp_path))
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", path)
    client = await KubeClient.connect()
    with pytest.raises(ApiError):
        await client.create(PODS, {"metadata": {"namespace": "team", "name": "p"}})
    assert client.api.rest_client.pool_manager.trust_env == bool(proxy)
    await client.close()
