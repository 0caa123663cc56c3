"""The API server as the launcher reaches it, played by a small HTTP server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kopf
import kr8s
import pytest
from kr8s.asyncio.objects import Deployment, Service

from daskjob.dask_controller import connection

GROUP = f"/apis/{connection.GROUP_VERSION}"


class Server:
    """Answers like an API server with no groups; `resources` are those of kubernetes.dask.org/v1, None: 404."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.resources: list[str] | None = ["daskclusters", "daskworkergroups"]
        self.forbidden = 0
        #: Status and body of the answer to a POST; with 201, what was sent comes back.
        self.posted: tuple[int, dict[str, Any]] = (201, {})
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.rstrip("/")
                server.asked.append(path)
                answer: Any = {"versions": ["v1"], "groups": [], "resources": []}
                status = 200
                if path == "/version":
                    answer = {"gitVersion": "v1.35.0"}
                elif path == GROUP:
                    status = 404 if server.resources is None else 200
                    answer = {"message": "not found", "resources": [{"name": name} for name in server.resources or []]}
                elif path.startswith("/apis/apps") and server.forbidden:
                    server.forbidden -= 1
                    status, answer = 403, {"message": "exceeded quota"}
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                path = self.path.rstrip("/")
                server.asked.append(f"POST {path}")
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = server.posted
                data = body if status == 201 else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server that KUBECONFIG names."""
    server = Server()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": {"server": server.url}}],
        "users": [{"name": "a", "user": {"token": "t"}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    yield server
    server.close()


async def closed(api: connection.SharedApi) -> None:
    if api._session:
        await api._session.aclose()


async def test_one_login_and_one_version_for_many_objects(server: Server) -> None:
    api = await connection.open_api()
    begun = len(server.asked)
    for name in "abc":
        deployment = await Deployment({"metadata": {"name": name}}, namespace="n")
        assert deployment.api is api
        await deployment.create()
    assert server.asked[begun:] == ["POST /apis/apps/v1/namespaces/n/deployments"] * 3
    assert server.asked.count("/version") == 1
    await closed(api)


async def test_whether_an_object_exists_is_not_asked_before_its_creation(server: Server) -> None:
    """The Service is the operator's: it is there, or on its way."""
    api = await connection.open_api()
    begun = len(server.asked)
    group = kr8s.asyncio.objects.new_class("DaskWorkerGroup", connection.GROUP_VERSION)
    assert [
        await (await each({"metadata": {"name": "a"}}, namespace="n")).exists() for each in (Deployment, group)
    ] == [
        False,
        False,
    ]
    assert await (await Service({"metadata": {"name": "a"}}, namespace="n")).exists()
    assert server.asked[begun:] == []
    await closed(api)


async def test_discovery_is_done_before_the_first_job(server: Server) -> None:
    api = await connection.open_api()
    begun = len(server.asked)
    await api.api_resources()
    assert server.asked[begun:] == []
    await closed(api)


async def test_a_quota_that_is_exceeded_does_not_close_other_requests(server: Server) -> None:
    """kr8s logs in again after a 403, and its new session would close the one in use."""
    api = await connection.open_api()
    session = api._session
    server.forbidden = 2
    deployment = await Deployment({"metadata": {"name": "a"}}, namespace="n")
    await deployment.refresh()
    assert server.forbidden == 0
    assert api._session is session
    await closed(api)


async def test_what_somebody_else_created_meanwhile_is_as_good(server: Server) -> None:
    """Else the handler fails, and the job waits for its retry."""
    api = await connection.open_api()
    begun = len(server.asked)
    server.posted = 409, {"reason": "AlreadyExists", "message": "already exists"}
    deployment = await Deployment({"metadata": {"name": "a"}}, namespace="n")
    await deployment.create()
    path = "/apis/apps/v1/namespaces/n/deployments"
    assert server.asked[begun:] == [f"POST {path}", f"{path}/a"]
    await closed(api)


@pytest.mark.parametrize("posted", [(409, {"reason": "Conflict"}), (422, {"reason": "Invalid"})])
async def test_other_refusals_are_errors(server: Server, posted: tuple[int, dict[str, Any]]) -> None:
    api = await connection.open_api()
    server.posted = posted[0], posted[1] | {"message": "no"}
    deployment = await Deployment({"metadata": {"name": "a"}}, namespace="n")
    with pytest.raises(kr8s.ServerError, match="no"):
        await deployment.create()
    await closed(api)


async def test_creation_is_one_request(server: Server) -> None:
    api = await connection.open_api()
    begun = len(server.asked)
    deployment = await Deployment({"metadata": {"name": "a", "uid": "1"}}, namespace="n")
    await deployment.create()
    assert server.asked[begun:] == ["POST /apis/apps/v1/namespaces/n/deployments"]
    assert deployment.metadata.uid == "1"
    await closed(api)


@pytest.mark.parametrize("exists", [False, True], ids=["new", "of an earlier try"])
async def test_workers_of_a_new_group_are_not_counted_by_a_question(server: Server, exists: bool) -> None:
    api = await connection.open_api()
    if exists:
        server.posted = 409, {"reason": "AlreadyExists", "message": "already exists"}
    kind = kr8s.asyncio.objects.new_class("DaskWorkerGroup", connection.GROUP_VERSION)
    group = await kind({"metadata": {"name": "a-default"}}, namespace="n")
    await group.create()
    begun = len(server.asked)
    for expected in (exists, True):
        selector = {"dask.org/workergroup-name": "a-default"}
        assert [each async for each in kr8s.asyncio.get(Deployment, namespace="n", label_selector=selector)] == []
        asked = [path for path in server.asked[begun:] if "deployments?" in path]
        assert bool(asked) is expected
    await closed(api)


async def test_a_new_token_makes_a_new_session(server: Server) -> None:
    api = await connection.open_api()
    session = api._session
    api.auth.token = "another"
    await api._create_session()
    assert api._session is not session
    assert api._session.headers["Authorization"] == "Bearer another"
    await closed(api)


async def test_a_kr8s_that_does_not_share_clients_is_an_error(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def another() -> object:
        return object()

    monkeypatch.setattr(kr8s.asyncio, "api", another)
    with pytest.raises(RuntimeError, match="install the dask-kubernetes of pyproject"):
        await connection.open_api()


async def test_definitions_that_are_there(server: Server) -> None:
    api = await connection.open_api()
    await connection.wait_for_resources(api, 5)
    await closed(api)


async def test_definitions_that_come_later(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.resources = None
    api = await connection.open_api()
    paused = asyncio.Event()
    resumed = asyncio.Event()

    async def pause(_: float) -> None:
        paused.set()
        await resumed.wait()

    monkeypatch.setattr(connection.asyncio, "sleep", pause)
    waiting = asyncio.create_task(connection.wait_for_resources(api, 60))
    await paused.wait()
    server.resources = ["daskclusters", "daskclusters/scale", "daskworkergroups"]
    resumed.set()
    await asyncio.wait_for(waiting, 10)
    await closed(api)


@pytest.mark.parametrize(
    ("resources", "named"),
    [(None, "daskclusters and daskworkergroups of"), (["daskclusters"], "serve daskworkergroups of")],
)
async def test_definitions_that_do_not_come(server: Server, resources: list[str] | None, named: str) -> None:
    server.resources = resources
    api = await connection.open_api()
    with pytest.raises(kopf.PermanentError, match=rf"{named}.*daskController\.crds\.install=true"):
        await connection.wait_for_resources(api, -1)
    await closed(api)


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443")]
)
def test_login_in_a_pod_needs_no_dns(monkeypatch: pytest.MonkeyPatch, host: str, server: str) -> None:
    account = kopf.ConnectionInfo(server="https://kubernetes.default.svc", token="t")
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: account)
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"}
    info = connection.login(environ, settings=kopf.OperatorSettings())
    assert info is not None
    assert (info.server, info.token) == (server, "t")


def test_login_outside_of_a_pod(server: Server) -> None:
    info = connection.login({}, settings=kopf.OperatorSettings())
    assert info is not None
    assert (info.server, info.token) == (server.url, "t")
