"""Finds out when a scheduler can be reached: in short attempts, close together, where Dask's own grow rare."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Optional
from urllib.parse import urlsplit

#: Seconds that an attempt to connect may take: a packet that is lost before the Service is routed is sent again only
#: after a second.
CONNECT = 0.15
#: Seconds that TLS's handshake and Dask's first message may take, which a busy scheduler sends late.
HANDSHAKE = 10.0
#: Seconds between attempts.
PAUSE = 0.05


def reach(address: str, context: Optional[ssl.SSLContext] = None, seconds: float = 1.0) -> None:
    """Returns as soon as the scheduler accepts a connection, which is closed again: TLS's handshake included, if there
    is a `context`, or the scheduler would log a warning. Tries for about that many `seconds`, with the addresses that
    the name has at first. Raises OSError, the last one, if no attempt succeeds.

    Dask's side speaks first, and its first byte is awaited: if the connection closes while OpenSSL (3.2 and later)
    sends its session tickets, which comes before, an error stays in its queue, and Python (3.13, for one) then closes
    another connection of the scheduler, such as that of user code's client."""
    place = urlsplit(address)
    until = time.monotonic() + seconds
    found = socket.getaddrinfo(place.hostname, place.port, type=socket.SOCK_STREAM)
    while True:
        for family, kind, protocol, _, where in found:
            try:
                with socket.socket(family, kind, protocol) as plain:
                    plain.settimeout(CONNECT)
                    plain.connect(where)
                    if context is not None:
                        plain.settimeout(HANDSHAKE)
                        with context.wrap_socket(plain) as encrypted:
                            encrypted.recv(1)
                return
            except OSError as problem:
                error = problem
        if time.monotonic() >= until:
            raise error
        time.sleep(PAUSE)
