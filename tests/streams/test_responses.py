"""kopf's own requests through the class of responses, against a real HTTP server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from daskjob.streams.depth import UNREADABLE
from daskjob.streams.responses import response_class

DEEP = b'{"metadata":{"name":"deep","resourceVersion":"7"},"spec":%s}' % (b"[" * 9_990 + b"]" * 9_990)


def name_only(body: dict[str, Any]) -> dict[str, Any] | None:
    metadata = body["metadata"]
    if metadata["name"] == "dropped":
        return None
    return {"metadata": metadata, **({UNREADABLE: True} if UNREADABLE in body else {})}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "true":
            body = b'{"items":[%s,{"metadata":{"name":"a"},"spec":1}],"metadata":{"continue":"c"}}' % DEEP
            return web.Response(
                body=body, status=int(request.query.get("status", 200)), content_type="application/json"
            )
        stream = web.StreamResponse()
        await stream.prepare(request)
        events = [
            b'{"type":"ADDED","object":%s}' % DEEP,
            b'{"type":"MODIFIED","object":{"metadata":{"name":"dropped","resourceVersion":"8"}}}',
            b'{"type":"MODIFIED","object":{"metadata":{"name":"known","resourceVersion":"8"}}}',
            b'{"type":"DELETED","object":{"metadata":{"name":"known","resourceVersion":"8"}}}',
            b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}',
            b'{"type":"ERROR","object":{"code":410}}',
        ]
        for line in events:
            # In pieces, as a network delivers them.
            await stream.write(line[:20])
            await stream.write(line[20:] + b"\n" + (b"\n" if b"9" in line else b""))
        await stream.write(b'{"type":"ADDED","obj')
        return stream

    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    listed = {"daskjobs": name_only, "pods": lambda _: None}
    responses = response_class({"daskjobs": name_only}, lambda body: body["metadata"]["name"] == "known", listed)
    session = aiohttp.ClientSession(f"http://127.0.0.1:{port}", response_class=responses)
    yield session
    await session.close()
    await runner.cleanup()


async def test_a_list(session: aiohttp.ClientSession) -> None:
    async with session.get("/apis/daskjobs") as response:
        assert await response.json() == {
            "items": [
                {"metadata": {"name": "deep", "resourceVersion": "7"}, UNREADABLE: True},
                {"metadata": {"name": "a"}},
            ],
            "metadata": {"continue": "c"},
        }


async def test_what_kopf_gets_of_a_list_can_be_nothing(session: aiohttp.ClientSession) -> None:
    async with session.get("/apis/pods") as response:
        assert await response.json() == {"items": [], "metadata": {"continue": "c"}}


async def test_a_list_of_something_else_stays_as_it_is(session: aiohttp.ClientSession) -> None:
    async with session.get("/apis/other?status=404") as response:
        with pytest.raises(RecursionError):
            await response.json()


async def test_a_watch(session: aiohttp.ClientSession) -> None:
    async with session.get("/apis/daskjobs", params={"watch": "true"}) as response:
        lines = b"".join([chunk async for chunk in response.content.iter_chunked(1024)]).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"type": "ADDED", "object": {"metadata": {"name": "deep", "resourceVersion": "7"}, UNREADABLE: True}},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}},
        {"type": "DELETED", "object": {"metadata": {"name": "known", "resourceVersion": "8"}}},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
        {"type": "ERROR", "object": {"code": 410}},
    ]
