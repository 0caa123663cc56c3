"""A git server: `git http-backend` behind Python's HTTP server, with paths that misbehave.

Tests have it on the loopback; in a pod it runs as a program, with one repository.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USER, PASSWORD = "reader", "s3cret-t0ken"
_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in (("NAME", "a"), ("EMAIL", "a@b"))
    },
}


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    environment = {**os.environ, **_ENVIRONMENT}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str], message: str = "change") -> str:
    """Writes files into a work tree, and commits them. Returns the commit."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def new_repository(root: Path, name: str, files: dict[str, str]) -> Path:
    """A repository with one commit on its branch main. The server has it as `/NAME`."""
    folder = root / name
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, files)
    return folder


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    root: Path
    #: Set at the end: what answers slowly is to end then.
    over: threading.Event
    requests: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        self.server.requests.append(self.path)
        first, _, rest = self.path.lstrip("/").partition("/")
        match first:
            case "move":
                commit(self.server.root / rest, {"jobs/value.py": "VALUE = 'moved'\n"})
                self.send_response(204)
                self.end_headers()
            case "silent":
                self.server.over.wait(60)
            case "dripping":
                self._drip()
            case "stalling":
                self._serve(f"/{rest}", stalls=True)
            case "busy" | "broken":
                self.send_error(503)
            case "forbidden":
                self.send_error(403)
            case "moved":
                self._redirect(f"/{rest}")
            case "metadata":
                self._redirect("http://169.254.169.254/latest")
            case "mapped":
                self._redirect("http://[::ffff:169.254.169.254]/latest")
            case "round":
                self._redirect(self.path)
            case "local":
                self._redirect("file:///etc/passwd")
            case "private" if self.headers.get("Authorization") != _BASIC:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "private":
                self._serve(f"/{rest}")
            case _:
                self._serve(self.path)

    def _redirect(self, place: str) -> None:
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self) -> None:
        """A header that never ends, of which something comes all the time."""
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: ")
        while not self.server.over.wait(0.1):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                return

    def _serve(self, path: str, stalls: bool = False) -> None:
        """`stalls`: sends the beginning of a pack, and no more."""
        path, _, query = path.partition("?")
        size = int(self.headers.get("Content-Length") or 0)
        environment = {
            **os.environ,
            **_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(size),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        command = ["git", "-c", "safe.directory=*", "http-backend"]
        done = subprocess.run(command, input=self.rfile.read(size), env=environment, capture_output=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(each.split(": ", 1) for each in head.decode().split("\r\n") if ": " in each)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        begin, pack, _ = body.partition(b"PACK") if stalls else (body, b"", b"")
        # Who only looks whether there is a repository reads no further.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(begin + pack)
        if pack:
            self.wfile.flush()
            self.server.over.wait(60)


_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class GitServer:
    """`url`: without a path; `root`: the folder of its repositories; `requests`: the paths that were asked for."""

    def __init__(self, server: _Server) -> None:
        scheme = "https" if isinstance(server.socket, ssl.SSLSocket) else "http"
        self.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        self.root = server.root
        self.requests = server.requests


@contextmanager
def serve(
    root: Path, place: tuple[str, int] = ("127.0.0.1", 0), tls: ssl.SSLContext | None = None
) -> Iterator[GitServer]:
    server = _Server(place, _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.root, server.over, server.requests = root, threading.Event(), []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield GitServer(server)
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    repositories = Path(os.environ["REPOSITORIES"])
    new_repository(repositories, "code", json.loads(os.environ["FILES"]))
    with serve(repositories, ("", 8080)):
        threading.Event().wait()
