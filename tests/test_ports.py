"""A port that is chosen before it is bound is nobody else's meanwhile."""

from __future__ import annotations

import socket

import pytest

from .support.ports import reserved_port


def test_a_reserved_port_is_for_the_server_that_asks_for_it() -> None:
    port = reserved_port()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with socket.socket() as anybody, pytest.raises(OSError, match="in use"):
        anybody.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port
        socket.create_connection(("127.0.0.1", port)).close()
