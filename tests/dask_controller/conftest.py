"""The API server as the launcher reaches it, played by a small HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kr8s.asyncio.objects import Deployment

from daskjob.dask_controller import connection

GROUP = f"/apis/{connection.GROUP_VERSION}"
PODS = "/api/v1/namespaces/n/pods"
EXISTS = 409, {"reason": "AlreadyExists", "message": "already exists"}


class Server:
    """Answers like an API server with no groups; `resources` are those of kubernetes.dask.org/v1, None: 404."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.resources: list[str] | None = ["daskclusters", "daskworkergroups"]
        #: How many questions for worker groups are still to be answered with 403.
        self.forbidden = 0
        #: Status and body of the answers to POST, the last for all that follow; with 201, what was sent comes back.
        self.posted: list[tuple[int, dict[str, Any]]] = [(201, {})]
        #: Status of the answer to a PATCH, and the paths and bodies of all.
        self.patched = 200
        self.patches: list[tuple[str, dict[str, Any]]] = []
        #: Answers to questions for these paths, without their queries.
        self.found: dict[str, dict[str, Any]] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.rstrip("/")
                server.asked.append(path)
                answer: Any = {"versions": ["v1"], "groups": [], "resources": [], "items": []}
                status = 200
                if path == "/version":
                    answer = {"gitVersion": "v1.35.0"}
                elif path == GROUP:
                    status = 404 if server.resources is None else 200
                    answer = {"message": "not found", "resources": [{"name": name} for name in server.resources or []]}
                elif path.startswith(f"{GROUP}/") and server.forbidden:
                    server.forbidden -= 1
                    status, answer = 403, {"message": "no"}
                self.answer(status, json.dumps(server.found.get(path.split("?")[0], answer)).encode())

            def do_POST(self) -> None:
                path = self.path.rstrip("/")
                server.asked.append(f"POST {path}")
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = server.posted.pop(0) if len(server.posted) > 1 else server.posted[0]
                self.answer(status, body if status == 201 else json.dumps(answer).encode())

            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.headers["Content-Type"] == "application/merge-patch+json"
                server.patches.append((self.path, body))
                self.answer(server.patched, json.dumps({"message": "no such object"}).encode())

            def answer(self, status: int, data: bytes) -> None:
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


@pytest.fixture(autouse=True)
def clusters_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """All clusters are the operator's: `test_origin` has others."""

    async def no_problem(*_: Any) -> str:
        return ""

    monkeypatch.setattr(connection.Origin, "problem", no_problem)


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


async def deployment(name: str = "a", owner: str = "DaskWorkerGroup", uid: str = "1") -> Any:
    """As dask-kubernetes is about to create it."""
    reference = {"kind": owner, "name": "owner", "uid": uid, "controller": True}
    metadata = {"name": name, "ownerReferences": [reference] if owner else []}
    template = {"spec": {"containers": [{"name": "worker"}]}}
    return await Deployment({"metadata": metadata, "spec": {"template": template}}, namespace="n")
