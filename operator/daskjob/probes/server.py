"""Answers the kubelet's probes over HTTP, in JSON: 200 with `{"status": "ok"}`, or 503 with the problems."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def probe(problems: Callable[[], list[str]], details: Callable[[], Mapping[str, Any]] = dict) -> Handler:
    """A handler that answers 503 while there are problems. `details`: further fields of the answer."""

    async def answer(_: web.Request) -> web.Response:
        found = problems()
        status = {"status": "failing" if found else "ok", "problems": found, **details()}
        return web.json_response(status, status=503 if found else 200)

    return answer


@asynccontextmanager
async def serving(port: int, handlers: Mapping[str, Handler], host: str = "0.0.0.0") -> AsyncIterator[int]:
    """Answers GET requests for these paths while the context is open, and yields the port (0: any free one).

    Raises OSError if the port is taken. The event loop that does the work answers: if it hangs, the kubelet's probe
    fails by its timeout.
    """
    application = web.Application()
    application.add_routes([web.get(path, handler) for path, handler in handlers.items()])
    # `cleanup` waits no longer than this for clients that keep a connection open.
    runner = web.AppRunner(application, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
