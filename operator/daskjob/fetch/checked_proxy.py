"""A proxy on the loopback for a program that follows links and redirects by itself: each host that it asks for is
looked at before anything is sent there."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from typing import Any, List, Optional, Tuple
from urllib.parse import urlsplit, urlunsplit

from daskjob.fetch.addresses import addresses_of
from daskjob.fetch.fetch_problem import REFUSED, FetchProblem

#: Seconds within which a server takes a connection, and without a byte after which one ends.
CONNECT, SILENCE = 20.0, 60.0
_LONGEST_LINE = 64 * 1024
_MOST_HEADERS = 100


class CheckedProxy:
    """Runs while it is entered. `url`: for `http_proxy` and `https_proxy`; `problem`: the first host that was
    refused. `field`: of the spec, for its message."""

    def __init__(self, field: str) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.field = field
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def problem(self) -> Optional[FetchProblem]:
        return self._server.problem

    def check(self) -> None:
        """Raises FetchProblem if a host was refused."""
        if self.problem is not None:
            raise self.problem

    def __enter__(self) -> "CheckedProxy":
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    field = ""
    problem: Optional[FetchProblem] = None

    def handle_error(self, *_: Any) -> None:
        # A connection that broke: the program that asked says what it means.
        pass


class _Handler(socketserver.StreamRequestHandler):
    # Nothing is read beyond the head: what follows is passed on as it comes.
    rbufsize = 0
    timeout = SILENCE
    server: _Server

    def handle(self) -> None:
        method, target, headers = self._head()
        tunnel = method == "CONNECT"
        parts = urlsplit(f"//{target}" if tunnel else target)
        host, port = parts.hostname or "", parts.port or 80
        try:
            addresses = addresses_of(host, port, self.server.field)
        except FetchProblem as problem:
            if problem.reason == REFUSED:
                self.server.problem = self.server.problem or problem
            self._answer("403 Forbidden" if problem.reason == REFUSED else "502 Bad Gateway")
            return
        remote = _connect(addresses, port)
        if remote is None:
            self._answer("502 Bad Gateway")
            return
        with contextlib.closing(remote):
            if tunnel:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                # One request, one connection: the next may be to another host.
                path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
                lines = [f"{method} {path} HTTP/1.1", *headers, "Connection: close", "", ""]
                remote.sendall("\r\n".join(lines).encode("latin-1"))
            _pass_on(self.connection, remote)

    def _head(self) -> Tuple[str, str, List[str]]:
        """Method and target of a request, and its headers but for those between the program and its proxy."""
        lines: List[str] = []
        while len(lines) <= _MOST_HEADERS:
            line = self.rfile.readline(_LONGEST_LINE).decode("latin-1").rstrip("\r\n")
            if not line:
                break
            lines.append(line)
        method, target, _ = lines[0].split(" ", 2)
        own = ("connection:", "proxy-")
        return method, target, [each for each in lines[1:] if not each.lower().startswith(own)]

    def _answer(self, status: str) -> None:
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def _connect(addresses: List[str], port: int) -> Optional[socket.socket]:
    for address in addresses:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), CONNECT)
    return None


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Passes bytes on, both ways, until one side ends."""
    while True:
        ready, _, _ = select.select([one, other], [], [], SILENCE)
        if not ready:
            return
        for each in ready:
            data = each.recv(65536)
            if not data:
                return
            (other if each is one else one).sendall(data)
