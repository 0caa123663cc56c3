"""Requests over http and https: each address, and each redirect, is looked at before anything is sent there."""

from __future__ import annotations

import functools
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urljoin, urlsplit

from daskjob.fetch.addresses import PORTS, WEB_SCHEMES, addresses_of, check_url
from daskjob.fetch.fetch_problem import FORBIDDEN, NOT_FOUND, REFUSED, TIMED_OUT, UNREACHABLE, FetchProblem
from daskjob.fetch.source_secret import AUTHORITY, Credentials
from daskjob.results.opened_store import by_place

MOST_REDIRECTS = 5
#: Seconds without a byte after which a server counts as not answering.
SILENCE = 20.0
#: What OpenSSL says of a certificate that no authority would mend, and what to do.
_CLOCK = by_place("the clock of the pod's node", "this machine's clock")
_RENEW = f"whoever runs the server has to renew it, unless {_CLOCK} is wrong"
_NAMED = "correct the host in the URL, or whoever runs the server has to mend that"
_SERVERS_FAULTS = {9: _RENEW, 10: _RENEW, 62: _NAMED, 64: _NAMED}
_REDIRECTS = (301, 302, 303, 307, 308)


class Answer:
    """A server's answer, whose body is yet to be read. `url`: where it came from in the end; `addresses`: of its host,
    empty behind a proxy."""

    def __init__(self, url: str, response: Any, addresses: list[str], field: str, until: float) -> None:
        self.url = url
        self.addresses = addresses
        self.type = response.headers.get("Content-Type", "")
        self._response = response
        length = response.headers.get("Content-Length") or ""
        #: The bytes that are still to come; None: the server has not said how many.
        self._left = int(length) if length.isdecimal() and response.chunked is False else None
        self._field = field
        self._until = until

    def read(self, size: int) -> bytes:
        """At most so many bytes, empty at the end. Raises FetchProblem."""
        if time.monotonic() > self._until:
            raise FetchProblem(TIMED_OUT, f"{self._field}: the server was too slow")
        try:
            # read1 gives what has come: a slow server cannot hold one read up for ever.
            data = bytes(self._response.read1(size))
        except TimeoutError:
            raise FetchProblem(TIMED_OUT, f"{self._field}: the server sent nothing for {SILENCE:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise FetchProblem(UNREACHABLE, f"{self._field}: the connection broke: {error!r}") from None
        if self._left is not None:
            self._left -= len(data)
            if not data and self._left > 0:
                raise FetchProblem(
                    UNREACHABLE, f"{self._field}: the connection broke before the last {self._left} bytes had come"
                )
        return data

    def close(self) -> None:
        self._response.close()


def get(url: str, field: str, credentials: Credentials, until: float, headers: dict[str, str] | None = None) -> Answer:
    """Asks for a URL, and follows redirects. Raises FetchProblem, which begins with `field`.

    Credentials go to the host of `url` alone. `until`: of the monotonic clock.
    """
    first = urlsplit(url)
    for _ in range(MOST_REDIRECTS + 1):
        parts = check_url(url, field, WEB_SCHEMES)
        own = (parts.scheme, parts.hostname, parts.port) == (first.scheme, first.hostname, first.port)
        if first.scheme == "https" and parts.scheme != "https":
            raise FetchProblem(REFUSED, f"{field}: is redirected from https to http")
        status, response, addresses = _ask(url, field, credentials, own, until, headers or {})
        if status not in _REDIRECTS:
            return Answer(url, response, addresses, field, until)
        location = response.headers.get("Location") or ""
        response.close()
        if not location:
            raise FetchProblem(UNREACHABLE, f"{field}: the server answers {status} without a place to go to")
        url = urljoin(url, location)
    raise FetchProblem(REFUSED, f"{field}: is redirected more than {MOST_REDIRECTS} times")


class _Keep(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _ask(
    url: str, field: str, credentials: Credentials, own: bool, until: float, headers: dict[str, str]
) -> tuple[int, Any, list[str]]:
    parts = urlsplit(url)
    host, left = parts.hostname or "", until - time.monotonic()
    if left <= 0:
        raise FetchProblem(TIMED_OUT, f"{field}: the time was over before the server was asked")
    proxied = parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)
    # Behind a proxy, names are for the proxy to resolve.
    addresses = [] if proxied else addresses_of(host, parts.port or PORTS[parts.scheme], field)
    request = urllib.request.Request(url, headers={"User-Agent": "daskjob", **headers})
    if own and credentials.basic:
        request.add_unredirected_header("Authorization", credentials.basic)
    opener = urllib.request.build_opener(_Keep, *_handlers(credentials, addresses))
    try:
        response = opener.open(request, timeout=min(SILENCE, left))
        return response.status, response, addresses
    except urllib.error.HTTPError as error:
        if error.code in _REDIRECTS:
            return error.code, error, addresses
        error.close()
        raise _refusal(error.code, field, credentials) from None
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(error, field, host) from None


def _refusal(status: int, field: str, credentials: Credentials) -> FetchProblem:
    if status == 401:
        how = "does not take the credentials" if credentials.basic else "asks for credentials"
        return FetchProblem(FORBIDDEN, f"{field}: the server {how} (401): {credentials.named}")
    if status == 403:
        return FetchProblem(FORBIDDEN, f"{field}: the server forbids it (403): {credentials.named}")
    if status in (404, 410):
        hidden = "" if credentials.basic else "; or it needs credentials: some servers hide what is private"
        return FetchProblem(NOT_FOUND, f"{field}: the server has nothing there ({status}): correct it{hidden}")
    return FetchProblem(UNREACHABLE, f"{field}: the server answers {status}")


def _unreachable(error: Exception, field: str, host: str) -> FetchProblem:
    reason = getattr(error, "reason", error)
    if isinstance(reason, socket.timeout):
        return FetchProblem(TIMED_OUT, f"{field}: {host} did not answer within {SILENCE:g} s")
    if isinstance(reason, ssl.SSLCertVerificationError):
        pods = f"put its authority as {AUTHORITY} into the Secret of secretRef, or certificates into the image"
        unknown = by_place(pods, "have this machine trust its authority (SSL_CERT_FILE names a file of authorities)")
        what = _SERVERS_FAULTS.get(reason.verify_code, unknown)
        words = f"the certificate of {host} is not trusted ({reason.verify_message}): {what}"
        return FetchProblem(FORBIDDEN, f"{field}: {words}")
    return FetchProblem(UNREACHABLE, f"{field}: {host} cannot be reached: {reason}")


def _handlers(credentials: Credentials, addresses: list[str]) -> list[urllib.request.BaseHandler]:
    context = ssl.create_default_context()
    if AUTHORITY in credentials:
        try:
            context.load_verify_locations(cadata=credentials.values[AUTHORITY])
        except (ssl.SSLError, ValueError):
            words = f"Secret {credentials.secret}: {AUTHORITY} is no certificate in PEM"
            raise FetchProblem(FORBIDDEN, words) from None

    class Http(urllib.request.HTTPHandler):
        def http_open(self, request: Any) -> Any:
            return self.do_open(functools.partial(_connection, http.client.HTTPConnection, addresses), request)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, request: Any) -> Any:
            connection = functools.partial(_connection, http.client.HTTPSConnection, addresses)
            return self.do_open(connection, request, context=context)

    return [Http(), Https(context=context)]


def _connect(addresses: list[str], place: tuple[str, int], *more: Any) -> socket.socket:
    """Connects to an address that was looked at: a name may lead to another one by now."""
    problem: OSError | None = None
    for address in addresses or [place[0]]:
        try:
            return socket.create_connection((address, place[1]), *more)
        except OSError as error:
            problem = error
    raise problem or OSError("no address")


def _connection(kind: Any, addresses: list[str], host: str, **more: Any) -> Any:
    connection = kind(host, **more)
    connection._create_connection = functools.partial(_connect, addresses)
    return connection
