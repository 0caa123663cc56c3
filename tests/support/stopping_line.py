"""A way to a server that carries so many bytes of its answers, and then nothing more, without closing anything."""

from __future__ import annotations

import socket
import threading


class StoppingLine:
    """While it is entered: `address` leads to a server of this machine. `bytes`: of answers, after which it stops."""

    def __init__(self, address: str, bytes: int) -> None:
        host, _, port = address.rpartition("/")[2].rpartition(":")
        self._server = (host, int(port))
        self._left = bytes
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._door.getsockname()[1]}"

    def __enter__(self) -> StoppingLine:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for each in (self._door, *self._open):
                each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            with self._lock:
                self._open += [client, server]
            for source, target, counted in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._carry, args=(source, target, counted), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(65536):
                if counted:
                    with self._lock:
                        data = data[: self._left]
                        self._left -= len(data)
                target.sendall(data)
        except OSError:
            return
