"""That the proxy does what its plan says, seen from its client."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from ..apiserver.server import Server
from . import proxy as module
from .api import Api
from .api_call import ApiCall, read
from .faults import Chaos, Fault
from .namespace_view import eventually
from .proxy import Proxy

MAPS = "/api/v1/namespaces/default/configmaps"


class Doomed:
    """That fault befalls everything."""

    def __init__(self, fault: Fault, life: float = math.inf) -> None:
        self.fault, self.seconds = fault, life

    def fate(self, call: ApiCall) -> Fault:
        return self.fault

    def life(self, call: ApiCall) -> float:
        return self.seconds


class Client:
    def __init__(self, proxy: Proxy, session: aiohttp.ClientSession) -> None:
        self.proxy, self.session = proxy, session
        self.kills = 0

    async def create(self, name: str) -> int:
        """The status of the answer. Raises ServerDisconnectedError if there is none, TimeoutError if it is late."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        async with self.session.post(f"{self.proxy.url}{MAPS}", json=body) as answer:
            self.retry_after = answer.headers.get("Retry-After")
            self.body = await answer.json()
            return answer.status

    async def exists(self, name: str) -> bool:
        return await self.proxy.api.get("ConfigMap", "default", name) is not None


Connect = Callable[[Fault], Client]


@pytest.fixture
async def client(control_plane: Server) -> AsyncIterator[Client]:
    async with Api(control_plane) as api, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:

        async def kill() -> None:
            made.kills += 1

        async with Proxy(api, Doomed(Fault.NONE), kill) as proxy:
            made = Client(proxy, session)
            yield made


def doom(client: Client, fault: Fault, life: float = math.inf) -> None:
    client.proxy.plan = Doomed(fault, life)


async def test_no_fault(client: Client) -> None:
    assert await client.create("peace") == 201
    (write,) = client.proxy.writes
    assert (str(write.call), write.status) == ("create configmaps peace", 201)
    assert write.version == int(client.body["metadata"]["resourceVersion"])


@pytest.mark.parametrize("fault", module.REFUSALS)
async def test_refusals_reach_nobody(client: Client, fault: Fault) -> None:
    doom(client, fault)
    name = f"refused-{fault.name.lower().replace('_', '-')}"
    status = await client.create(name)
    assert (status, client.body["code"]) == (module.REFUSALS[fault][0],) * 2
    assert client.retry_after == ("1" if status == 429 else None)
    assert not await client.exists(name)
    assert client.proxy.writes == []


async def test_no_answer_after_the_commit(client: Client) -> None:
    doom(client, Fault.SILENT_AFTER)
    with pytest.raises(TimeoutError):
        await client.create("silent")
    assert await client.exists("silent")


async def test_a_connection_closed_after_the_commit(client: Client) -> None:
    doom(client, Fault.CUT_AFTER)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.create("cut")
    assert await client.exists("cut")


async def test_latency(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATENCY", 0.5)
    doom(client, Fault.LATE)
    began = time.monotonic()
    assert await client.create("late") == 201
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize(("fault", "there"), [(Fault.KILL_BEFORE, False), (Fault.KILL_AFTER, True)])
async def test_who_is_killed_gets_no_answer(client: Client, fault: Fault, there: bool) -> None:
    doom(client, fault)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.create(fault.name.lower().replace("_", "-"))
    assert client.kills == 1
    assert await client.exists(fault.name.lower().replace("_", "-")) is there


async def test_a_watch_is_cut_inside_an_event(client: Client) -> None:
    await client.create("seen")
    doom(client, Fault.CUT_WATCH)
    async with client.session.get(f"{client.proxy.url}{MAPS}?watch=true") as answer:
        received = await answer.content.readany()
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()
    assert received
    assert not received.endswith(b"\n")


async def test_a_quiet_watch_is_cut_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET", 0.2)
    doom(client, Fault.NONE, life=0.1)
    async with client.session.get(f"{client.proxy.url}/api/v1/namespaces/none/configmaps?watch=true") as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()


async def test_a_watch_tells_that_its_version_is_too_old(client: Client) -> None:
    doom(client, Fault.EXPIRED_WATCH)
    async with client.session.get(f"{client.proxy.url}{MAPS}?watch=true") as answer:
        event = json.loads(await answer.content.readline())
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


async def test_a_watch_lasts(client: Client) -> None:
    async with client.session.get(f"{client.proxy.url}{MAPS}?watch=true") as answer:
        assert json.loads(await answer.content.readline())["type"] == "ADDED"
        assert client.proxy.watches == {"configmaps": 1}
    await eventually(lambda: not client.proxy.watches["configmaps"], 5)


REQUESTS = {
    ("GET", "/api/v1/namespaces/a/pods", ""): ApiCall("list", "pods", namespace="a"),
    ("GET", "/api/v1/pods", "true"): ApiCall("watch", "pods"),
    ("GET", "/apis/apps/v1/namespaces/a/deployments/d", ""): ApiCall("get", "deployments", "", "a", "d"),
    ("GET", "/api/v1/namespaces/a", ""): ApiCall("get", "namespaces", "", "", "a"),
    ("PATCH", "/apis/daskjob.io/v1alpha1/namespaces/a/daskjobs/j/status", ""): ApiCall(
        "patch", "daskjobs", "status", "a", "j"
    ),
    ("DELETE", "/api/v1/namespaces/a/pods/p", ""): ApiCall("delete", "pods", "", "a", "p"),
    ("GET", "/version", ""): ApiCall("get", "", name="/version"),
}


@pytest.mark.parametrize("request_line", REQUESTS, ids=" ".join)
def test_requests_are_read(request_line: tuple[str, str, str]) -> None:
    method, path, watch = request_line
    assert read(method, path, {"watch": watch}, b"") == REQUESTS[request_line]


def test_chaos_befalls_one_in_ten_of_everything() -> None:
    chaos = Chaos("seed")
    for verb in ("get", "list", "watch", "create", "patch", "delete"):
        fates = {chaos.fate(ApiCall(verb, "pods")) for _ in range(2000)}
        assert Fault.NONE in fates
        assert len(fates) >= 6
    assert 0.08 < sum(chaos.met.values()) / sum(chaos.calls.values()) < 0.12
    assert [Chaos("a").fate(ApiCall("get", "pods")) for _ in range(9)] == [
        Chaos("a").fate(ApiCall("get", "pods")) for _ in range(9)
    ]
