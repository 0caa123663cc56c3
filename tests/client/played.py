"""An API server on loopback that plays what a test writes down: answers, streams, and connections that break."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

Body = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request. `what`: verb and object, such as `list daskjobs`, `watch pods`, `get daskjobs/one`, `log pods/one`,
    `list version`."""

    what: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """One JSON answer."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """Chunks, as they are; then the stream ends in order, is `cut`, or `stays` open until the test is over."""

    chunks: Sequence[bytes]
    end: str = "in order"


CLOSED = "closed"
"""Instead of an answer: the connection is closed at once."""

Reply = Answer | Stream | str
Play = Reply | Callable[[Asked], Reply]


class Played:
    """`plays`: for each request's `what` its answers, one after the other; the last one is repeated."""

    def __init__(self, plays: dict[str, list[Play]]) -> None:
        self.plays = {what: list(answers) for what, answers in plays.items()}
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        played = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: Any) -> None: ...

            def do_GET(self) -> None:
                played._serve(self)

            do_POST = do_PATCH = do_DELETE = do_GET

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def times(self, what: str) -> int:
        """How often that was asked for."""
        return sum(each.what == what for each in self.asked)

    def kubeconfig(self, folder: Path, user: Body | None = None, namespace: str = "team") -> Path:
        path = folder / "kubeconfig"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "played",
            "contexts": [{"name": "played", "context": {"cluster": "played", "user": "me", "namespace": namespace}}],
            "clusters": [{"name": "played", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": user or {"token": "secret"}}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        asked = _asked(handler)
        with self._lock:
            self.asked.append(asked)
            answers = self.plays.get(asked.what)
            play: Play = answers[0] if answers else not_found(asked.what)
            if answers and len(answers) > 1:
                del answers[0]
        reply = play(asked) if callable(play) else play
        if isinstance(reply, Stream):
            self._stream(handler, reply)
        elif isinstance(reply, Answer):
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            handler.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            # Whoever asked may have given up.
            with contextlib.suppress(OSError):
                handler.wfile.write(content)
        else:
            handler.close_connection = True

    def _stream(self, handler: BaseHTTPRequestHandler, stream: Stream) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            for chunk in stream.chunks:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                handler.wfile.flush()
            if stream.end == "in order":
                handler.wfile.write(b"0\r\n\r\n")
            elif stream.end == "stays":
                self.over.wait(60)
        except OSError:
            pass
        if stream.end != "in order":
            handler.close_connection = True


def _asked(handler: BaseHTTPRequestHandler) -> Asked:
    parts = urlsplit(handler.path)
    query = dict(parse_qsl(parts.query))
    path = parts.path.strip("/").split("/")
    rest = (path[2:] if path[0] == "api" else path[3:]) or path
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    verbs = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}
    verb = verbs.get(handler.command, "get" if len(rest) > 1 else "watch" if "watch" in query else "list")
    if rest[-1] == "log":
        verb, rest = "log", rest[:-1]
    length = int(handler.headers.get("Content-Length") or 0)
    body = json.loads(handler.rfile.read(length)) if length else None
    return Asked(f"{verb} {'/'.join(rest)}", query, {k.lower(): v for k, v in handler.headers.items()}, body)


def status(code: int, reason: str, message: str, **details: Any) -> Answer:
    """A `Status` of Kubernetes."""
    body = {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}
    return Answer({**body, "details": details}, code)


def not_found(what: str) -> Answer:
    plural, _, name = what.partition(" ")[2].partition("/")
    return status(404, "NotFound", f'{plural} "{name}" not found', name=name, kind=plural)


def forbidden(verb: str) -> Answer:
    message = f'daskjobs.daskjob.io is forbidden: User "me" cannot {verb} resource "daskjobs" in API group "daskjob.io"'
    return status(403, "Forbidden", message)


GONE = status(410, "Expired", "too old resource version")


def created(asked: Asked) -> Answer:
    """What was asked for, with a UID."""
    return Answer({**asked.body, "metadata": {**asked.body["metadata"], "uid": "u1"}}, 201)


def listed(*items: Body, version: str = "10") -> Answer:
    return Answer({"kind": "List", "metadata": {"resourceVersion": version}, "items": list(items)})


def event(kind: str, item: Body) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def job(name: str = "one", uid: str = "u1", version: str = "1", **status: Any) -> Body:
    """A DaskJob with that status; `ended`: Complete, Failed or a reason of a failure."""
    ended = status.pop("ended", None)
    annotations = status.pop("annotations", {})
    if ended is not None:
        kind = "Complete" if ended == "Complete" else "Failed"
        status["conditions"] = [{"type": kind, "status": "True", "reason": ended, "message": "words"}]
        status.setdefault("phase", "Succeeded" if kind == "Complete" else "Failed")
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": uid,
            "resourceVersion": version,
            "generation": 1,
            "annotations": annotations,
        },
        "spec": {"graph": {"entrypoint": "job:main"}},
        "status": {"observedGeneration": 1, **status},
    }
