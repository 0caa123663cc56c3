"""Ports for servers that have to be told theirs: chosen first, bound later, and nobody else's meanwhile."""

from __future__ import annotations

import socket


def reserved_port() -> int:
    """A port of the loopback at which nobody listens.

    A connection of it rests in TIME_WAIT, for a minute: so long, the kernel gives the port to nobody who asks for any.
    A server that asks for this one gets it, as servers reuse addresses. A port that was only looked at and closed could
    be another process's by then.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port: int = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server, _ = listener.accept()
            # Who closes first is the one that waits.
            server.close()
            assert client.recv(1) == b""
    return port
