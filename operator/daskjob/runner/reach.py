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
#: Seconds that TLS's handshake may take, which a busy scheduler answers late.
HANDSHAKE = 3.0
#: Seconds between attempts.
PAUSE = 0.05


def reach(address: str, context: Optional[ssl.SSLContext] = None, seconds: float = 1.0) -> None:
    """Returns as soon as the scheduler accepts a connection, which is closed again: TLS's handshake included, if there
    is a `context`, or the scheduler would log a warning. Tries for about that many `seconds`, with the addresses that
    the name has at first. Raises OSError, the last one, if no attempt succeeds."""
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
                        context.wrap_socket(plain).close()
                return
            except OSError as problem:
                error = problem
        if time.monotonic() >= until:
            raise error
        time.sleep(PAUSE)
