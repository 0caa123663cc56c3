"""When a scheduler counts as reached."""

from __future__ import annotations

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daskjob.manifests.tls import key_pair
from daskjob.runner import reach as module
from daskjob.runner.reach import reach

from ..support.ports import reserved_port


class Speaks:
    """A connection at whose other end somebody sends a byte."""

    def __init__(self, plain: socket.socket) -> None:
        self.plain = plain

    def __enter__(self) -> Speaks:
        return self

    def __exit__(self, *_: object) -> None:
        self.plain.close()

    def recv(self, count: int) -> bytes:
        return bytes(count)


class Handshakes:
    """TLS whose handshake fails the first few times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.timeouts: list[float | None] = []

    def wrap_socket(self, plain: socket.socket) -> Speaks:
        self.timeouts.append(plain.gettimeout())
        if len(self.timeouts) <= self.failures:
            raise ssl.SSLError("no handshake")
        return Speaks(plain)


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_scheduler_that_listens(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach(f"{scheme}://localhost:{server.getsockname()[1]}", seconds=0)


def test_a_scheduler_at_an_ipv6_address() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        reach(f"tcp://[::1]:{server.getsockname()[1]}", seconds=0)


def test_nobody_listens() -> None:
    with pytest.raises(ConnectionRefusedError):
        reach(f"tcp://127.0.0.1:{reserved_port()}", seconds=0)


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(socket.gaierror):
        reach("tcp://no-such-name.invalid:8786", seconds=0)


def test_a_scheduler_that_listens_only_after_the_first_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    port, servers, looked = reserved_port(), [], threading.Event()

    def sleep(seconds: float) -> None:
        if not looked.is_set():
            looked.set()
            servers.append(socket.create_server(("127.0.0.1", port)))

    monkeypatch.setattr(module.time, "sleep", sleep)
    reach(f"tcp://127.0.0.1:{port}", seconds=30)
    assert looked.is_set()
    servers[0].close()


def test_a_handshake_has_more_time_than_a_connection_and_is_tried_again() -> None:
    handshakes: Any = Handshakes(failures=2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach(f"tls://127.0.0.1:{server.getsockname()[1]}", handshakes, seconds=30)
    assert handshakes.timeouts == [module.HANDSHAKE] * 3


def test_a_connection_is_closed_only_after_the_scheduler_has_sent_something(tmp_path: Path) -> None:
    pair = tmp_path / "pair.pem"
    pair.write_bytes(b"".join(key_pair(datetime.now(UTC))))
    scheduler, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    scheduler.load_cert_chain(pair)
    client.check_hostname = False
    client.load_verify_locations(pair)
    returned = threading.Event()

    def early(server: socket.socket) -> bool:
        with server.accept()[0] as plain, scheduler.wrap_socket(plain, server_side=True) as connection:
            was_early = returned.wait(0.3)
            connection.sendall(b"Dask's first message")
            return was_early

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(early, server)
        reach(f"tls://127.0.0.1:{server.getsockname()[1]}", client, seconds=0)
        returned.set()
        assert not answer.result(10)


def test_a_handshake_that_never_succeeds() -> None:
    handshakes: Any = Handshakes(failures=10)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(ssl.SSLError, match="no handshake"):
        reach(f"tls://127.0.0.1:{server.getsockname()[1]}", handshakes, seconds=0)
