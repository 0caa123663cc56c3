"""Which places code may come from: not what leads into the machine itself, or to a cloud's metadata."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any
from urllib.parse import SplitResult, urlsplit

from daskjob.fetch.fetch_problem import REFUSED, UNREACHABLE, FetchProblem

GIT_SCHEMES = ("https", "http", "ssh")
WEB_SCHEMES = ("https", "http")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]+")
#: Beside the link-local ones: metadata of clouds that is elsewhere (AWS over IPv6, Alibaba).
_METADATA = tuple(ipaddress.ip_network(each) for each in ("fd00:ec2::/32", "100.100.100.200/32"))
#: Addresses of IPv6 that stand for one of IPv4, which is in their last 32 bits.
_CARRIES_IPV4 = ipaddress.ip_network("64:ff9b::/96")
PORTS = {"https": 443, "http": 80, "ssh": 22}


def check_url(url: str, field: str, schemes: tuple[str, ...]) -> SplitResult:
    """The parts of a URL. Raises FetchProblem, which begins with `field`, for one that is not of these schemes, has a
    password in it, or a host that no host is called."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise FetchProblem(REFUSED, f"{field}: {error}") from None
    if url.startswith("-") or not url.isprintable() or " " in url or "\\" in url:
        raise FetchProblem(REFUSED, f"{field}: is no URL: write {schemes[0]}://host/path without blanks")
    if not url.isascii():
        raise FetchProblem(REFUSED, f"{field}: write letters beyond ASCII as %XX, as browsers show copied addresses")
    if parts.scheme not in schemes:
        names = ", ".join(f"{each}://" for each in schemes)
        # Not the URL itself: what stands before the host may be a password.
        raise FetchProblem(REFUSED, f"{field}: only {names} are taken, not {(parts.scheme or 'none')[:40]}")
    user = (parts.username or "").startswith("-") or (parts.username and parts.scheme != "ssh")
    if parts.password is not None or user:
        raise FetchProblem(REFUSED, f"{field}: has a user or password in it: put them into a Secret (secretRef)")
    if not _HOST.fullmatch(host) or (port is not None and not 0 < port < 65536):
        raise FetchProblem(REFUSED, f"{field}: {host[:80]!r} is no host")
    return parts


def is_refused(address: str) -> bool:
    """Whether an IP address is one from which no code is fetched: link-local, unspecified or multicast, or a cloud's
    metadata, also where IPv6 carries such an address of IPv4."""
    found: Any = ipaddress.ip_address(address.partition("%")[0])
    if found.version == 6:
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _CARRIES_IPV4:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        found = inner or found
    listed = any(found.version == each.version and found in each for each in _METADATA)
    return bool(listed or found.is_link_local or found.is_unspecified or found.is_multicast)


def addresses_of(host: str, port: int, field: str) -> list[str]:
    """The addresses of a host. Raises FetchProblem if one of them is refused, or if it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchProblem(UNREACHABLE, f"{field}: the name {host} cannot be resolved: {error}") from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    for address in addresses:
        if is_refused(address):
            raise FetchProblem(
                REFUSED, f"{field}: {host} leads to {address}, an address from which no code is fetched (link-local)"
            )
    return addresses
