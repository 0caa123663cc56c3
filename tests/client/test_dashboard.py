"""The dashboard on a port of this machine: whose it is, when its URL is named, when it ends."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from daskjob.client import dashboard as module
from daskjob.client.dashboard import Dashboard
from daskjob.client.job_end import End
from daskjob.client.problems import Forbidden, port_problem

from .conftest import Connected
from .played import Answer, Asked, Body, Stream, event, job, listed


def running(pod: str = "one-1-scheduler", **more: Any) -> Body:
    words = f"kubectl -n team port-forward pod/{pod} 8787:8787"
    return job(phase="Running", cluster={"name": "one-1", "dashboard": words}, **more)


def scheduler(name: str = "one-1-scheduler", uid: str = "u1", component: str = "scheduler") -> Answer:
    labels = {"daskjob.io/job-uid": uid, "dask.org/component": component}
    return Answer({"metadata": {"name": name, "namespace": "team", "uid": "p1", "labels": labels}})


@dataclass
class Pods:
    """A web server that stands for all pods, and which of them somebody connected to."""

    port: int
    connected: list[str] = field(default_factory=list)
    refuse: int = 0


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pods]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None: ...

        def do_GET(self) -> None:
            content = self.path.encode() * 10_000
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    found = Pods(server.server_port)

    def port(self: object, namespace: str, pod: str, number: int) -> Any:
        assert (namespace, number) == ("team", 8787)
        found.connected.append(pod)
        left, right = socket.socketpair()
        if len(found.connected) <= found.refuse:
            # As when nothing listens in the pod yet: the API server closes the connection.
            right.close()
            return left
        remote = socket.create_connection(("127.0.0.1", found.port))
        left.close()
        right.close()
        return remote

    monkeypatch.setattr("daskjob.client.transport.Transport.port", port)
    monkeypatch.setattr(module, "LOOK", 0.01)
    yield found
    server.shutdown()
    server.server_close()


class Watched:
    """A watch of which the test says when it goes on."""

    def __init__(self, *events: bytes) -> None:
        self.events = events
        self.go_on = threading.Event()

    def __call__(self, asked: Asked) -> Stream:
        return Stream(self._chunks(), "stays")  # type: ignore[arg-type]

    def _chunks(self) -> Iterator[bytes]:
        for each in self.events:
            assert self.go_on.wait(60)
            self.go_on.clear()
            yield each


def test_the_dashboard_until_the_jobs_end(connected: Connected, pods: Pods) -> None:
    """Its URL is named when it answers, and again for the scheduler of the next attempt; then it is that one's."""
    second = event("MODIFIED", running("one-2-scheduler", version="2"))
    watched = Watched(event("MODIFIED", running()), second, event("MODIFIED", job(version="3", ended="Complete")))
    _, client = connected(
        {
            "list daskjobs": [listed(job(phase="Starting"))],
            "watch daskjobs": [watched],
            "get pods/one-1-scheduler": [scheduler()],
            "get pods/one-2-scheduler": [scheduler("one-2-scheduler")],
        }
    )
    pods.refuse = 2
    urls: list[str] = []
    pages: list[bytes] = []

    def ready(url: str) -> None:
        urls.append(url)
        with urllib.request.urlopen(url) as answer:
            pages.append(answer.read())
        watched.go_on.set()

    watched.go_on.set()
    shown = Dashboard(client, job(phase="Starting"), ready=ready)
    end, last = shown.serve()
    assert (end, last["metadata"]["resourceVersion"]) == (End.SUCCEEDED, "3")
    assert urls == [f"http://127.0.0.1:{shown.port}/status"] * 2
    assert pages == [b"/status" * 10_000] * 2
    # Twice refused, then an answer and the page; then those of the second attempt.
    assert pods.connected == ["one-1-scheduler"] * 4 + ["one-2-scheduler"] * 2
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", shown.port))


@pytest.mark.parametrize(
    "pod", [scheduler(uid="u2"), scheduler(component="worker")], ids=["of another job", "a worker"]
)
def test_a_pod_that_is_not_the_jobs_scheduler(connected: Connected, pods: Pods, pod: Answer) -> None:
    """Nobody is connected to it, whatever its name is."""
    watched = Watched(event("DELETED", running(version="9")))
    _, client = connected(
        {"list daskjobs": [listed(running())], "watch daskjobs": [watched], "get pods/one-1-scheduler": [pod]}
    )
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        watched.go_on.set()

    end, _ = Dashboard(client, running(), note=note).serve()
    assert end is End.DELETED
    assert "a pod that is not this job's has that name" in notes[0]
    assert pods.connected == []


def test_a_job_made_anew_is_another_one(connected: Connected, pods: Pods) -> None:
    _, client = connected({"list daskjobs": [listed(running(uid="u2"))], "watch daskjobs": [Stream([], "stays")]})
    assert Dashboard(client, running()).serve()[0] is End.DELETED
    assert pods.connected == []


def test_without_the_right_to_forward_ports(connected: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    def port(self: object, namespace: str, pod: str, number: int) -> Any:
        raise port_problem(OSError("Handshake status 403 Forbidden"), namespace, pod)

    monkeypatch.setattr("daskjob.client.transport.Transport.port", port)
    _, client = connected(
        {
            "list daskjobs": [listed(running())],
            "watch daskjobs": [Stream([], "stays")],
            "get pods/one-1-scheduler": [scheduler()],
        }
    )
    with pytest.raises(Forbidden, match="you may not create pods/portforward in namespace team"):
        Dashboard(client, running()).serve()


def test_a_port_that_is_taken(connected: Connected) -> None:
    _, client = connected({})
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        Dashboard(client, running(), port=other.getsockname()[1])
