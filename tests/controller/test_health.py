"""Probes, with kopf's real watches against an API server that misbehaves, and limits of seconds instead of minutes."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kopf
import pytest

from daskjob.controller.controller import Controller
from daskjob.controller.feed import Feed
from daskjob.controller.health import Health, LivenessLimits, answer
from daskjob.controller.watch import Backoffs, make_registry, make_settings
from daskjob.controllers.job.kind import JobKind
from daskjob.controllers.job.watched import WATCHED
from daskjob.kube.lease import LeaseLock
from daskjob.manifests.context import Defaults
from daskjob.probes.watch_health import Watches

from ..support.fake_api import FakeApi
from ..support.ports import reserved_port
from ..support.probing import ask, becomes, listening
from .clock import Clock

#: Stands for the three minutes of the default limit; kopf's times are as much shorter.
SILENCE = 1.0
LIMITS = LivenessLimits(watch=SILENCE)
PODS = "/api/v1/pods"


class Turns(Clock[float]):
    """A clock that goes by the event loop's turns: on a machine that has no time for us it stands still too."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            self.now += 0.02


class Process:
    """An operator without its work: watches and probes, standing by; in a thread, as kopf ends every task of its loop
    when it ends."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clock = Turns(0.0)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)

    async def start(self) -> None:
        self.thread.start()
        await listening(self.port)

    async def run(self) -> None:
        settings = make_settings(Feed([]))
        settings.watching.inactivity_timeout = SILENCE / 3
        settings.networking.error_backoffs = [SILENCE / 6] * 1000
        # It would end the tests.
        settings.process.ultimate_exiting_timeout = None
        self.loop, self.watches = asyncio.get_running_loop(), Watches(clock=self.clock)
        watches = self.watches
        client: Any = None
        controller = Controller(JobKind(client, lambda: datetime(2026, 3, 1, tzinfo=UTC), b"", Defaults()))
        lock = LeaseLock(client, "ops", "lease", "me")
        lock.holder = "other"
        health = Health(watches, lock, [controller.queue], LIMITS)
        registry = make_registry(Feed([controller]), watches, ())
        tasks = [
            asyncio.ensure_future(self.clock.run()),
            asyncio.ensure_future(answer(health, [], self.port, 0)),
        ]
        await kopf.operator(registry=registry, settings=settings, clusterwide=True, stop_flag=self.stopped)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        assert self.thread.is_alive(), "kopf gave up"
        return await ask(self.port, path)

    async def becomes(self, path: str, status: int) -> dict[str, Any]:
        assert self.thread.is_alive(), "kopf gave up"
        return await becomes(self.port, path, status)

    async def listed_once(self) -> bool:
        assert self.loop is not None
        future = asyncio.run_coroutine_threadsafe(self.watches.listed_once(), self.loop)
        return await asyncio.wait_for(asyncio.wrap_future(future), 20)

    async def stays_alive(self, seconds: float) -> None:
        """Asks for so long, by the process' clock, and hears nothing but 200."""
        until = self.clock() + seconds
        while self.clock() < until:
            found, body = await self.ask("/healthz")
            assert found == 200, body
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        self.stopped.set()
        await asyncio.to_thread(self.thread.join, 20)
        assert not self.thread.is_alive()


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeApi]:
    api = FakeApi()
    await api.start()
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
    yield api
    await api.stop()


@pytest.fixture
def ports() -> tuple[int, int]:
    return reserved_port(), reserved_port()


@pytest.fixture
async def process(api: FakeApi, ports: tuple[int, int]) -> AsyncIterator[Process]:
    process = Process(ports[0])
    await process.start()
    yield process
    await process.stop()


async def test_all_is_well(process: Process) -> None:
    body = await process.becomes("/readyz", 200)
    assert (body["status"], body["problems"]) == ("ok", [])
    assert set(body["secondsSinceSignOfLife"]) == {each.resource.path(None) for each in WATCHED}
    await process.stays_alive(2 * SILENCE)


@pytest.mark.parametrize("mood", ["silent", "deaf"])
async def test_a_watch_that_hangs(process: Process, api: FakeApi, mood: str) -> None:
    """The process runs, kopf tries, the API server takes every request: yet nobody would hear of a pod."""
    await process.becomes("/readyz", 200)
    api.mood["pods"] = mood
    body = await process.becomes("/healthz", 503)
    [problem] = body["problems"]
    assert problem.startswith(f"the watch of {PODS} has shown no sign of life for")
    assert (await process.ask("/readyz"))[0] == 503
    before = api.asked["watch pods"]
    api.mood.clear()
    await process.becomes("/healthz", 200)
    assert before > 1, "kopf tried again: that alone is no sign of life"


async def test_quiet_watches_that_the_server_ends_in_order(process: Process, api: FakeApi) -> None:
    await process.becomes("/readyz", 200)
    api.mood.update({each.resource.plural: "ended" for each in WATCHED})
    await process.stays_alive(3 * SILENCE)


async def test_an_api_server_that_is_down_for_long(process: Process, api: FakeApi) -> None:
    """Restarts would not bring it back; and kopf does not give up."""
    await process.becomes("/readyz", 200)
    await api.stop()
    body = await process.becomes("/readyz", 503)
    assert "fails: ClientConnectorError" in " ".join(body["problems"])
    await process.stays_alive(5 * SILENCE)
    await api.start()
    await process.becomes("/readyz", 200)
    await process.stays_alive(2 * SILENCE)


async def test_an_api_server_that_is_down_from_the_beginning(api: FakeApi, ports: tuple[int, int]) -> None:
    await api.stop()
    process = Process(ports[0])
    await process.start()
    await process.stays_alive(3 * SILENCE)
    assert (await process.ask("/readyz"))[0] == 503
    await api.start()
    await process.becomes("/readyz", 200)
    await process.stop()


async def test_a_right_that_is_missing(process: Process, api: FakeApi) -> None:
    await process.becomes("/readyz", 200)
    api.mood["pods"] = "refused"
    body = await process.becomes("/readyz", 503)
    assert body["problems"] == [f"the watch of {PODS} fails: HTTP 403"]
    await process.stays_alive(3 * SILENCE)


async def test_whose_first_lists_are_all_that_there_is(process: Process, api: FakeApi) -> None:
    assert await process.listed_once()
    assert api.asked["list pods"] == 1
    assert await process.listed_once(), "and nothing began anew since"
    api.mood["pods"] = "refused"
    await process.becomes("/readyz", 503)
    assert not await process.listed_once()
    api.mood.clear()
    await process.becomes("/readyz", 200)
    assert await process.listed_once(), "the watch went on where it was"
    api.mood["pods"] = "expired"
    await api.listed_again.wait()
    api.mood.clear()
    await process.becomes("/readyz", 200)
    assert not await process.listed_once(), "what vanished between two lists, no watch tells"


async def test_first_lists_that_fail(api: FakeApi, ports: tuple[int, int]) -> None:
    api.mood["daskclusters"] = "refused"
    process = Process(ports[0])
    await process.start()
    assert not await process.listed_once()
    await process.stop()


async def test_a_definition_that_was_missing_when_kopf_looked(api: FakeApi, ports: tuple[int, int]) -> None:
    """kopf looks once: without a restart, nothing would ever be heard of these."""
    api.missing.add("daskclusters")
    process = Process(ports[0])
    await process.start()
    body = await process.becomes("/healthz", 503)
    assert body["problems"][0].endswith("it never began; is its definition installed?")
    assert "daskclusters" in body["problems"][0]
    await process.stop()


async def logged_in(api: FakeApi, clock: Turns) -> tuple[Watches, kopf.AiohttpSession]:
    """The watch of pods, and the session in which kopf would send its requests."""
    watches = Watches(clock=clock)
    watches.expect([PODS])
    login = await watches.log_in(kopf.ConnectionInfo(server=f"http://127.0.0.1:{api.port}"))
    assert login is not None
    return watches, login


async def test_bookmarks_that_nobody_reads(api: FakeApi) -> None:
    """Whoever should read them hangs: that the server sends them is no sign of life."""
    clock = Turns(0.0)
    watches, login = await logged_in(api, clock)
    url = f"{login.server}{PODS}?watch=true"
    async with login.aiohttp_session, login.aiohttp_session.get(url) as response:
        clock.now = 100.0
        chunks = response.content.iter_chunked(100)
        await anext(chunks)
        assert watches.silent(1.0) == []
        clock.now = 102.0
        await asyncio.sleep(0.2)
        assert watches.silent(1.0) != []
        await anext(chunks)
        assert watches.silent(1.0) == []


async def test_since_when_the_watches_have_missed_nothing(api: FakeApi) -> None:
    clock = Turns(0.0)
    watches, login = await logged_in(api, clock)
    lists, changes = f"{login.server}{PODS}", f"{login.server}{PODS}?watch=true"

    async def asked(url: str, now: float) -> float | None:
        clock.now = now
        async with login.aiohttp_session.get(url):
            return watches.followed_for()

    async with login.aiohttp_session:
        assert watches.followed_for() is None
        assert await asked(lists, 1) is None
        assert await asked(changes, 10) == 0
        assert await asked(changes, 15) == 5, "it goes on where it was"
        assert await asked(lists, 17) is None, "it has lost its place"
        assert await asked(changes, 20) == 0


async def test_refused_credentials_are_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    watches = Watches()
    info = kopf.ConnectionInfo(server="http://127.0.0.1:1", token="a")
    monkeypatch.setattr("daskjob.probes.watch_health.asyncio.sleep", sleep)
    for each in (info, info, kopf.ConnectionInfo(server="http://127.0.0.1:1", token="b")):
        login = await watches.log_in(each)
        assert login is not None
        await login.aiohttp_session.close()
    assert len(pauses) == 1
    assert await watches.log_in(None) is None


def test_tries_never_end() -> None:
    pauses = [pause for pause, _ in zip(Backoffs(), range(10_000), strict=False)]
    assert len(pauses) == 10_000
    assert max(pauses) + make_settings(Feed([])).networking.request_timeout < LivenessLimits().watch / 2


@pytest.mark.parametrize("leads", [True, False])
async def test_the_whole_operator(api: FakeApi, ports: tuple[int, int], leads: bool) -> None:
    """It answers where its settings say, leading or standing by, and ends when it is told to."""
    if not leads:
        spec = {"holderIdentity": "other", "leaseDurationSeconds": 3600, "acquireTime": "x", "renewTime": "x"}
        api.lease = {"metadata": {"name": "lease", "namespace": "ops"}, "spec": spec}
    settings = {"OPERATOR_NAMESPACE": "ops", "POD_NAME": "me", "HEALTH_PORT": ports[0], "METRICS_PORT": ports[1]}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "daskjob",
        env={**os.environ, **{f"DASKJOB_{name}": str(value) for name, value in settings.items()}},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await listening(ports[0])
        await becomes(ports[0], "/readyz", 200)
        status, body = await ask(ports[0], "/healthz")
        assert (status, body["leading"], body["leader"]) == (200, leads, "me" if leads else "other")
        status, text = await ask(ports[1], "/metrics")
        assert status == 200
        assert f"daskjob_leader {float(leads)}" in text.splitlines()
        assert 'daskjob_api_requests_total{code="200",resource="pods",verb="watch"} ' in text
        assert (await ask(ports[1], "/healthz"))[0] == 404
    finally:
        process.terminate()
        _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
