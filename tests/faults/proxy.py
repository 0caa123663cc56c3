"""A reverse proxy in front of the API server that does to each request what its plan says, and keeps a log of writes.

Plain HTTP on loopback: an operator's kubeconfig names it. Each operator has a proxy of its own, so that the proxy knows
whom to kill.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from aiohttp import ClientTimeout, web

from daskjob.streams.shallow_json import parse

from .api import Api
from .api_call import ApiCall, read
from .faults import Fault, Plan

#: Seconds.
LATENCY = 5.0
RETRY_AFTER = 1
#: Longer than any client waits.
SILENCE = 120.0
#: For something to come on a watch that is to be cut: then between two events; and the longest life of any.
QUIET, LONGEST = 5.0, 86400.0
REFUSALS = {
    Fault.CONFLICT: (409, "Conflict", "Operation cannot be fulfilled: the object has been modified"),
    Fault.TOO_MANY: (429, "TooManyRequests", "the server has received too many requests"),
    Fault.INTERNAL: (500, "InternalError", "etcdserver: leader changed"),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
}
PASSED_ON = ("Accept", "Content-Type", "User-Agent")


@dataclass(frozen=True)
class Write:
    """A write that reached the API server, and what it answered."""

    call: ApiCall
    status: int
    version: int = 0


class Proxy:
    """Use as an asynchronous context manager; `url` is where it listens then. `kill` ends the operator."""

    def __init__(self, api: Api, plan: Plan, kill: Callable[[], Awaitable[None]]) -> None:
        self.api = api
        self.plan = plan
        self.kill = kill
        self.writes: list[Write] = []
        #: Faults that befell requests, in order.
        self.met: list[tuple[ApiCall, Fault]] = []
        #: Streams that are open, by resource.
        self.watches: dict[str, int] = {}
        self._open: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Transport] = set()

    async def __aenter__(self) -> Proxy:
        application = web.Application(client_max_size=1 << 24)
        application.router.add_route("*", "/{path:.*}", self.handle)
        self.runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._open:
            task.cancel()
        await self.runner.cleanup()
        # A client that is killed as the server stops leaves connections that the server does not close.
        for connection in self._connections:
            connection.abort()
        await asyncio.sleep(0)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        if request.transport is not None:
            self._connections.add(request.transport)
        try:
            return await self._handle(request)
        except asyncio.CancelledError:
            # Whom it was for has gone.
            return _cut(request)
        finally:
            self._open.discard(task)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        call = read(request.method, request.path, request.query, content)
        fault = self.plan.fate(call)
        if fault is not Fault.NONE:
            self.met.append((call, fault))
        if fault in REFUSALS:
            return _refusal(*REFUSALS[fault])
        if fault is Fault.KILL_BEFORE:
            await self.kill()
            return _cut(request)
        if fault is Fault.LATE:
            await asyncio.sleep(LATENCY)
        if call.verb == "watch":
            return await self._stream(request, call, fault)
        # What is on its way to the API server arrives there, whatever becomes of who sent it.
        answer = await asyncio.shield(self._pass_on(request, call, content))
        if fault is Fault.KILL_AFTER:
            await self.kill()
            return _cut(request)
        if fault is Fault.SILENT_AFTER:
            await asyncio.sleep(SILENCE)
        if fault in (Fault.CUT_AFTER, Fault.SILENT_AFTER):
            return _cut(request)
        return answer

    async def _pass_on(self, request: web.Request, call: ApiCall, content: bytes) -> web.Response:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        session = self.api.session
        async with session.request(request.method, request.path_qs, data=content or None, headers=headers) as answer:
            body = await answer.read()
        if call.writes:
            self.writes.append(Write(call, answer.status, _version(body)))
        return web.Response(body=body, status=answer.status, headers={"Content-Type": answer.content_type})

    async def _stream(self, request: web.Request, call: ApiCall, fault: Fault) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        unlimited = ClientTimeout(total=None)
        self.watches[call.resource] = self.watches.get(call.resource, 0) + 1
        try:
            async with self.api.session.get(request.path_qs, headers=headers, timeout=unlimited) as answer:
                response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
                await response.prepare(request)
                if fault is Fault.EXPIRED_WATCH:
                    # An event or two first, as it would be in a life.
                    await response.write(_event_of_expiry())
                    return response
                clock = asyncio.get_running_loop().time
                over = clock() + (0.0 if fault is Fault.CUT_WATCH else self.plan.life(call))
                async with asyncio.timeout_at(min(over + QUIET, clock() + LONGEST)):
                    async for chunk in answer.content.iter_any():
                        if clock() >= over:
                            await response.write(chunk[: len(chunk) // 2])
                            if request.transport is not None:
                                request.transport.close()
                            return response
                        await response.write(chunk)
                return response
        except (ConnectionResetError, TimeoutError):
            # Whom it was for has gone; or nothing has come that could be cut in two.
            return _cut(request)
        finally:
            self.watches[call.resource] -= 1


def _refusal(status: int, reason: str, message: str) -> web.Response:
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 429 else {}
    return web.json_response(_status(status, reason, message), status=status, headers=headers)


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def _event_of_expiry() -> bytes:
    return json.dumps({"type": "ERROR", "object": _status(410, "Expired", "too old resource version")}).encode() + b"\n"


def _cut(request: web.Request) -> web.Response:
    """Closes the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _version(body: bytes) -> int:
    try:
        return int(parse(body)["metadata"]["resourceVersion"])
    except (ValueError, KeyError, TypeError):
        return 0
