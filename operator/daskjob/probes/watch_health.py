"""Whether kopf's watches still hear anything.

kopf tells its handlers of changes only, so that a quiet cluster and a watch that has died look the same to them. Its
requests, though, go through an HTTP session that it takes from the login handler: ours has aiohttp's tracing on it,
which tells of each request's start, answer and failure, and what is read of a watch is counted on the way to kopf.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import aiohttp
import kopf
from yarl import URL

from daskjob.probes.heartbeat import Heartbeat

logger = logging.getLogger(__name__)

#: Seconds before credentials that were just refused are used again.
LOGIN_PAUSE = 5.0


class Answer(NamedTuple):
    """An answered or failed request of a watch. `status`: of HTTP, None where there was no answer; `seconds`: until
    the answer began."""

    verb: str
    path: str
    status: int | None
    seconds: float


@dataclass
class Watch:
    """One endless watch: the lists and the watch requests of one path."""

    path: str
    sign: Heartbeat
    #: kopf has made a request for it.
    begun: bool = False
    #: The API server took the last watch request; the list before it was complete.
    listening: bool = False
    #: Why the last request failed.
    problem: str | None = None


class Watches:
    """All watches of a process. `told`: is called with every request of theirs.

    A sign of life of a watch is whatever shows that its loop turns and that somebody answers it: data (objects, or
    the bookmarks that an API server sends about once a minute), a list read to its end, a watch that the server ended
    in order; and also a request that failed, as the loop then tries again and no restart would help. No sign is that
    a watch request was taken: one that is taken and never says anything is what must not go unnoticed.
    """

    def __init__(
        self, told: Callable[[Answer], None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._told = told
        self._clock = clock
        self._watches: dict[str, Watch] = {}
        self._trouble = Heartbeat(clock)
        self._credentials: kopf.ConnectionInfo | None = None

    def expect(self, paths: Iterable[str]) -> None:
        """From now on there have to be watches of these: `/apis/daskjob.io/v1alpha1/daskjobs`."""
        for path in paths:
            self._watches.setdefault(path, Watch(path, Heartbeat(self._clock)))

    def silent(self, limit: float) -> list[str]:
        """In words, each watch that gave no sign of life for so many seconds."""
        return [
            f"the watch of {watch.path} has shown no sign of life for {age:.0f} s"
            + ("" if watch.begun else ": it never began; is its definition installed?")
            for watch in self._watches.values()
            if (age := self._age(watch)) > limit
        ]

    def unready(self) -> list[str]:
        """In words, each watch that has not listed, or that the API server refuses now."""
        return [
            f"the watch of {watch.path} {'fails' if watch.problem else 'has not listed yet'}"
            + (f": {watch.problem}" if watch.problem else "")
            for watch in self._watches.values()
            if not watch.listening
        ]

    def ages(self) -> dict[str, float]:
        """Seconds since the last sign of life of each watch, by its path."""
        return {path: self._age(watch) for path, watch in self._watches.items()}

    def _age(self, watch: Watch) -> float:
        # Before its first watch kopf asks what there is: no watch begins while that fails.
        return watch.sign.age if watch.begun else min(watch.sign.age, self._trouble.age)

    async def log_in(self, info: kopf.ConnectionInfo | None) -> kopf.AiohttpSession | None:
        """What a login handler returns: these credentials, in a session that we hear."""
        if info is None:
            return None
        if info == self._credentials:
            # kopf asks again because they were refused. It would give up; a new token may be on its way.
            logger.warning("the API server refused the credentials; trying them again in %.0f s", LOGIN_PAUSE)
            await asyncio.sleep(LOGIN_PAUSE)
        self._credentials = info
        # As kopf makes its own.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            proxy=info.proxy_url,
            trust_env=info.trust_env,
            trace_configs=[self._tracing()],
        )
        return kopf.AiohttpSession(
            aiohttp_session=session,
            server=info.server,
            default_namespace=info.default_namespace,
            priority=info.priority,
            expiration=info.expiration,
        )

    def _tracing(self) -> aiohttp.TraceConfig:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(self._on_start)
        tracing.on_request_end.append(self._on_answer)
        tracing.on_response_chunk_received.append(self._on_body)
        tracing.on_request_exception.append(self._on_failure)
        return tracing

    def _find(self, method: str, url: URL) -> Watch | None:
        # The API server may be reached below a path of its own.
        found = (watch for path, watch in self._watches.items() if url.path.endswith(path))
        return next(found, None) if method.upper() == "GET" else None

    async def _on_start(self, _: Any, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
        context.began = self._clock()
        watch = self._find(request.method, request.url)
        if watch is not None:
            watch.begun = True

    async def _on_answer(self, _: Any, context: SimpleNamespace, answer: aiohttp.TraceRequestEndParams) -> None:
        response = answer.response
        if response.status >= 400:
            self._failed(answer.method, answer.url, context, f"HTTP {response.status}", response.status)
            return
        watch = self._find(answer.method, answer.url)
        if watch is None:
            return
        self._tell(watch, answer.url, context, response.status)
        watch.problem = None
        if _is_watch(answer.url):
            watch.listening = True
            # mypy: only what kopf uses of it is the same.
            response.content = _Heard(response.content, watch.sign)  # type: ignore[assignment]

    async def _on_body(self, _: Any, __: SimpleNamespace, read: aiohttp.TraceResponseChunkReceivedParams) -> None:
        """Of a list, when all of it was read; a watch is never read so."""
        watch = self._find(read.method, read.url)
        if watch is not None:
            watch.sign.give()

    async def _on_failure(self, _: Any, context: SimpleNamespace, failure: aiohttp.TraceRequestExceptionParams) -> None:
        # Cancelled by ourselves: at the end, or because the server took the request and kept silent.
        if isinstance(failure.exception, asyncio.CancelledError):
            return
        problem = f"{type(failure.exception).__name__}: {failure.exception}"
        self._failed(failure.method, failure.url, context, problem, None)

    def _failed(self, method: str, url: URL, context: SimpleNamespace, problem: str, status: int | None) -> None:
        self._trouble.give()
        watch = self._find(method, url)
        if watch is None:
            return
        self._tell(watch, url, context, status)
        watch.sign.give()
        watch.listening, watch.problem = False, problem

    def _tell(self, watch: Watch, url: URL, context: SimpleNamespace, status: int | None) -> None:
        if self._told is not None:
            verb = "watch" if _is_watch(url) else "list"
            self._told(Answer(verb, watch.path, status, self._clock() - context.began))


def _is_watch(url: URL) -> bool:
    return url.query.get("watch") == "true"


class _Heard:
    """The stream of a watch, with a sign given whenever some of it has been read, and at its orderly end."""

    def __init__(self, stream: aiohttp.StreamReader, sign: Heartbeat) -> None:
        self._stream = stream
        self._sign = sign

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for chunk in self._stream.iter_chunked(size):
            self._sign.give()
            yield chunk
        self._sign.give()
