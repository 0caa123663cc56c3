"""Whether kopf's watches still receive anything.

kopf calls its handlers only for changes, so a quiet cluster and a dead watch look the same to them. But kopf sends its
requests through the HTTP session that the login handler returns: ours has aiohttp's tracing, which reports start,
answer and failure of every request, and wraps the stream of a watch, which gives a heartbeat whenever kopf reads from
it.
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

#: Seconds that the first lists of all watches may take.
FIRST_LISTS = 120.0
#: Seconds before a login returns credentials again that the API server just refused.
LOGIN_PAUSE = 5.0


class Answer(NamedTuple):
    """How a request of a watch ended. `status`: of HTTP, None: no answer; `seconds`: until the answer began."""

    verb: str
    path: str
    status: int | None
    seconds: float


@dataclass
class Watch:
    """One watch: the list and watch requests for one path."""

    path: str
    sign: Heartbeat
    #: Whether kopf has sent a request for it.
    begun: bool = False
    #: How many lists kopf has begun: one at the start, and one whenever it lost its place in the changes.
    lists: int = 0
    #: Since when kopf has followed the changes after its last list, by the clock of `Watches`; None: it does not yet.
    since: float | None = None
    #: Whether the API server accepted the last watch request, which follows a complete list.
    listening: bool = False
    #: Why the last request failed; None: it did not.
    problem: str | None = None


class Watches:
    """All watches of a process. It calls `measure` with the answer to every request of theirs.

    A watch gives a heartbeat with everything that shows that its loop runs and that the API server answers: data
    (objects, or the bookmarks that an API server sends about once a minute), a complete list, a watch that the server
    ended in order. A failed request gives one as well: the loop tries again, and a restart would not help. An accepted
    watch request gives none: a watch that is accepted and then never delivers anything must not go unnoticed.
    """

    def __init__(
        self, measure: Callable[[Answer], None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._measure = measure
        self._clock = clock
        self._watches: dict[str, Watch] = {}
        self._trouble = Heartbeat(clock)
        self._news = asyncio.Event()
        self._credentials: kopf.ConnectionInfo | None = None

    def expect(self, paths: Iterable[str]) -> None:
        """Adds watches that must exist from now on, by paths such as `/apis/daskjob.io/v1alpha1/daskjobs`."""
        for path in paths:
            self._watches.setdefault(path, Watch(path, Heartbeat(self._clock)))

    def silent(self, limit: float) -> list[str]:
        """The watches that gave no heartbeat for so many seconds, in words."""
        return [
            f"the watch of {watch.path} has shown no sign of life for {age:.0f} s"
            + ("" if watch.begun else ": it never began; is its definition installed?")
            for watch in self._watches.values()
            if (age := self._age(watch)) > limit
        ]

    def unready(self) -> list[str]:
        """The watches that have no complete list yet, or whose last request failed, in words."""
        return [
            f"the watch of {watch.path} {'fails' if watch.problem else 'has not listed yet'}"
            + (f": {watch.problem}" if watch.problem else "")
            for watch in self._watches.values()
            if not watch.listening
        ]

    async def listed_once(self) -> bool:
        """Waits until every watch has its complete list, and goes on from there. Returns False as soon as one failed or
        began a second list, between which and the first an object may have vanished, or if it takes too long."""
        try:
            async with asyncio.timeout(FIRST_LISTS):
                while not self._watches or self.unready():
                    if self._is_disturbed():
                        return False
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return not self._is_disturbed()

    def _is_disturbed(self) -> bool:
        return any(watch.problem is not None or watch.lists > 1 for watch in self._watches.values())

    def followed_for(self) -> float | None:
        """For how many seconds all watches have followed the changes without a new list, which would not have what was
        deleted meanwhile; None: one does not follow them."""
        known = [watch.since for watch in self._watches.values() if watch.since is not None]
        return self._clock() - max(known) if known and len(known) == len(self._watches) else None

    def ages(self) -> dict[str, float]:
        """Seconds since the last heartbeat of every watch, by path."""
        return {path: self._age(watch) for path, watch in self._watches.items()}

    def _age(self, watch: Watch) -> float:
        # Before its first watch kopf asks which kinds exist: while that fails, no watch begins, and a restart would not
        # help.
        return watch.sign.age if watch.begun else min(watch.sign.age, self._trouble.age)

    async def log_in(
        self, info: kopf.ConnectionInfo | None, responses: type[aiohttp.ClientResponse] = aiohttp.ClientResponse
    ) -> kopf.AiohttpSession | None:
        """The answer of kopf's login handler: a session with these credentials, that class of responses and tracing."""
        if info is None:
            return None
        if info == self._credentials:
            # kopf asks again because the API server refused them. Without credentials kopf would end; return the same
            # ones after a pause, because Kubernetes may be about to renew the token.
            logger.warning("the API server refused the credentials; trying them again in %.0f s", LOGIN_PAUSE)
            await asyncio.sleep(LOGIN_PAUSE)
        self._credentials = info
        # The same arguments as for a session that kopf creates.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            proxy=info.proxy_url,
            trust_env=info.trust_env,
            response_class=responses,
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
        # The API server's URL may have a path, so compare only the end.
        found = (watch for path, watch in self._watches.items() if url.path.endswith(path))
        return next(found, None) if method.upper() == "GET" else None

    async def _on_start(self, _: Any, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams) -> None:
        context.began = self._clock()
        watch = self._find(request.method, request.url)
        if watch is not None:
            watch.begun = True
            if not _is_watch(request.url) and "continue" not in request.url.query:
                watch.lists, watch.since = watch.lists + 1, None

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
            watch.since = self._clock() if watch.since is None else watch.since
            self._news.set()
            # mypy: the wrapper has only the methods that kopf calls.
            response.content = _HeartbeatStream(response.content, watch.sign)  # type: ignore[assignment]

    async def _on_body(self, _: Any, __: SimpleNamespace, read: aiohttp.TraceResponseChunkReceivedParams) -> None:
        """aiohttp calls this when kopf has read a complete list; kopf never reads a watch so."""
        watch = self._find(read.method, read.url)
        if watch is not None:
            watch.sign.give()

    async def _on_failure(self, _: Any, context: SimpleNamespace, failure: aiohttp.TraceRequestExceptionParams) -> None:
        # kopf cancelled the request: at its end, or because the server accepted it and sent nothing.
        if isinstance(failure.exception, asyncio.CancelledError):
            return
        problem = f"{type(failure.exception).__name__}: {failure.exception}"
        self._failed(failure.method, failure.url, context, problem, None)

    def _failed(self, method: str, url: URL, context: SimpleNamespace, problem: str, status: int | None) -> None:
        self._trouble.give()
        self._news.set()
        watch = self._find(method, url)
        if watch is None:
            return
        self._tell(watch, url, context, status)
        watch.sign.give()
        watch.listening, watch.problem = False, problem

    def _tell(self, watch: Watch, url: URL, context: SimpleNamespace, status: int | None) -> None:
        if self._measure is not None:
            verb = "watch" if _is_watch(url) else "list"
            self._measure(Answer(verb, watch.path, status, self._clock() - context.began))


def _is_watch(url: URL) -> bool:
    return url.query.get("watch") == "true"


class _HeartbeatStream:
    """The stream of a watch, which gives a heartbeat whenever kopf reads from it, and at its orderly end."""

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
