"""Requests to the API server: plain JSON and streams of lines. Credentials that have run out are read anew."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from daskjob.api.resource import Resource
from daskjob.client.credentials import Access, Target, load
from daskjob.client.deep_json import parse
from daskjob.client.problems import ClusterUnreachable, Unauthorized, Unavailable, port_problem, problem_of

Body = dict[str, Any]

#: The generator that a user may have seeded for his graph is left alone.
CHANCE = random.Random()
#: Seconds for a connection, and for an answer.
CONNECT, ANSWER = 5.0, 30.0
#: The longest pauses, in seconds, before the second and the third try of a read.
PAUSES = (0.3, 1.0)
#: What a merge patch is sent as.
MERGE_PATCH = "application/merge-patch+json"
#: The API server leaves out all of an object but its metadata.
ONLY_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
READS = ("get", "list", "watch")


class Transport:
    """A connection pool to one API server. Threads may share it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._access, self._pool = self._open()

    @property
    def namespace(self) -> str:
        """The namespace to be used if none is given."""
        return self._access.namespace

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._access.configuration.host)

    def request(
        self,
        verb: str,
        endpoint: Resource,
        namespace: str | None,
        name: str = "",
        *,
        query: Mapping[str, str | None] | None = None,
        body: Body | None = None,
        accept: str = "application/json",
        timeout: float = ANSWER,
    ) -> Body:
        """The answer to one request. A read is tried three times; a write once, unless the API server has too much to
        do and did not look at it. `timeout`: seconds for each try.

        Raises ClientError: see `daskjob.client.problems`.
        """
        for number in range(len(PAUSES) + 1):
            try:
                with self._response(verb, endpoint, namespace, name, query, body, accept, timeout) as response:
                    text = self._read(response)
                return self._parsed(text)
            except Unavailable as error:
                if number == len(PAUSES) or not (verb in READS or error.throttled):
                    raise
                time.sleep(min(error.pause or CHANCE.uniform(0.0, PAUSES[number]), timeout))
        raise AssertionError("unreachable")

    @contextmanager
    def lines(
        self,
        verb: str,
        endpoint: Resource,
        namespace: str | None,
        name: str = "",
        *,
        subresource: str = "",
        query: Mapping[str, str | None] | None = None,
        silence: float,
    ) -> Iterator[Iterator[bytes]]:
        """The lines of an answer, each with its line end as soon as it is there; the last one may lack it.

        `silence`: seconds without a byte after which the stream counts as dropped. Raises Unavailable when it is, and
        what `request` raises.
        """
        with self._response(verb, endpoint, namespace, name, query, None, "*/*", silence, subresource) as response:
            yield self._lines(response)

    def port(self, namespace: str, pod: str, port: int) -> Any:
        """A socket that is connected to a port of a pod, through the API server. Raises ClientError."""
        from kubernetes.client import ApiClient, ApiException, CoreV1Api
        from kubernetes.stream import portforward
        from websocket import WebSocketException

        # One for each: the package changes the client for the time of the call.
        core = CoreV1Api(ApiClient(self._access.configuration))
        try:
            opened = portforward(core.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
            return opened.socket(port)
        except (ApiException, WebSocketException, OSError) as error:
            raise port_problem(error, namespace, pod) from error

    def _lines(self, response: Any) -> Iterator[bytes]:
        held = b""
        try:
            for chunk in response.stream(2**16, decode_content=True):
                held += chunk
                *complete, held = held.split(b"\n") if b"\n" in chunk else (held,)
                for each in complete:
                    yield each + b"\n"
        except Exception as error:
            if held:
                yield held
            raise _dropped(error) from error
        if held:
            yield held

    @staticmethod
    def _read(response: Any) -> bytes:
        try:
            return bytes(response.read())
        except Exception as error:
            raise _dropped(error) from error

    @staticmethod
    def _parsed(text: bytes) -> Body:
        try:
            answer = parse(text)
        except ValueError:
            raise Unavailable(f"the answer is not JSON, so it is none of an API server: {text[:80]!r}") from None
        if not isinstance(answer, dict):
            raise Unavailable(f"the answer is no object, so it is none of an API server: {text[:80]!r}")
        return answer

    @contextmanager
    def _response(
        self,
        verb: str,
        endpoint: Resource,
        namespace: str | None,
        name: str,
        query: Mapping[str, str | None] | None,
        body: Body | None,
        accept: str,
        timeout: float,
        subresource: str = "",
    ) -> Iterator[Any]:
        path = endpoint.path(namespace, name, subresource)
        access = self._access
        response = self._send(verb, path, query, body, accept, timeout)
        try:
            if response.status == 401:
                # Once: a token that has run out is fetched anew, by an exec plugin or from the pod's file.
                response.drain_conn()
                self._reload(access)
                response = self._send(verb, path, query, body, accept, timeout)
            if response.status >= 300:
                text = self._read(response)
                title = name or str((body or {}).get("metadata", {}).get("name") or "")
                resource = f"{endpoint.plural}/{subresource}" if subresource else endpoint.plural
                raise problem_of(
                    response.status,
                    text,
                    response.headers,
                    verb=verb,
                    resource=resource,
                    kind=endpoint.kind,
                    path=(namespace or "", title),
                )
            yield response
        finally:
            # A stream is not read to its end: its connection cannot be used again.
            response.close()
            response.release_conn()

    def _send(
        self,
        verb: str,
        path: str,
        query: Mapping[str, str | None] | None,
        body: Body | None,
        accept: str,
        timeout: float,
    ) -> Any:
        import urllib3

        access, pool = self._access, self._pool
        headers = {"Accept": accept, "User-Agent": "daskjob", **self._identity(access)}
        data = None
        if body is not None:
            headers["Content-Type"] = MERGE_PATCH if verb == "patch" else "application/json"
            data = json.dumps(body).encode()
        words = urlencode({key: value for key, value in (query or {}).items() if value is not None})
        url = access.configuration.host.rstrip("/") + path + (f"?{words}" if words else "")
        try:
            return pool.request(
                METHODS[verb],
                url,
                body=data,
                headers=headers,
                preload_content=False,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=CONNECT, read=timeout),
            )
        except Exception as error:
            raise _no_answer(error, access.configuration.host) from error

    @staticmethod
    def _identity(access: Access) -> dict[str, str]:
        try:
            return access.headers()
        except Exception as error:
            raise Unauthorized(f"your credentials cannot be renewed: {error}; log in anew") from error

    def _open(self) -> tuple[Access, Any]:
        access = load(self._target)
        from kubernetes.client.rest import RESTClientObject

        try:
            # It knows the proxies and the certificates of a configuration, in each version of the package.
            pool = RESTClientObject(access.configuration).pool_manager
        except (OSError, ValueError, ImportError) as error:
            words = "; pip install pysocks" if isinstance(error, ImportError) else ""
            raise ClusterUnreachable(
                f"certificates or proxy of the kubeconfig cannot be used: {error}{words}"
            ) from error
        return access, pool

    def _reload(self, refused: Access) -> None:
        """Reads credentials anew, unless another thread has done so since these were refused."""
        with self._lock:
            if self._access is refused:
                self._access, self._pool = self._open()


def _dropped(error: Exception) -> Exception:
    """What became of an answer that had begun."""
    import http.client

    import urllib3

    if isinstance(error, (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)):
        return Unavailable(f"the connection was closed before the answer's end ({_reason(error)})")
    return error


def _no_answer(error: Exception, host: str) -> Exception:
    import http.client
    import ssl

    from urllib3 import exceptions

    if isinstance(error, exceptions.ProxyError):
        return ClusterUnreachable(f"the proxy on the way to {host} does not answer: {_reason(error)}")
    if isinstance(error, (exceptions.SSLError, ssl.SSLError)):
        return ClusterUnreachable(
            f"{host} does not prove who it is: {_reason(error)}; the kubeconfig's certificate authority is not the "
            "server's"
        )
    if isinstance(
        error, (exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.LocationValueError)
    ):
        return ClusterUnreachable(
            f"{host} does not answer: {_reason(error)}; is the cluster up, and is this the right one (--context)?"
        )
    if isinstance(error, (exceptions.HTTPError, http.client.HTTPException, OSError)):
        return Unavailable(f"{host} did not answer the request: {_reason(error)}")
    return error


def _reason(error: Exception) -> str:
    """The innermost words: urllib3 puts the objects of its connections before them."""
    text = str(error)
    return text.rpartition(">: ")[2] or type(error).__name__
