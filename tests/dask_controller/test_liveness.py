"""The controller's answers to probes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daskjob.dask_controller import liveness as module
from daskjob.dask_controller.liveness import Health

from ..support.fake_api import FakeApi
from ..support.ports import reserved_port
from ..support.probing import ask, becomes, listening

WATCHED = ("daskclusters", "daskworkergroups")
CLUSTERS = "/apis/kubernetes.dask.org/v1/daskclusters"


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    api = FakeApi()
    await api.start()
    yield api
    await api.stop()


async def test_it_answers_before_it_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", -1.0)
    port = reserved_port()
    health = Health(port, (), WATCHED)
    await health.begin()
    await health.begin()
    try:
        assert (await ask(port, "/healthz"))[0] == 200, "it waits, however long, for the API server"
        status, body = await ask(port, "/readyz")
        assert (status, len(body["problems"])) == (503, 1)
        health.expect_watches()
        status, body = await ask(port, "/healthz")
        assert status == 503, "now it is no sign of life for longer than the limit"
        assert set(body["secondsSinceSignOfLife"]) == {CLUSTERS, CLUSTERS.replace("clusters", "workergroups")}
    finally:
        await health.end()


async def test_listed_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health(0, ("a", "b"), ("daskclusters",))
    await health.begin()
    health.expect_watches()
    places = (f"/apis/kubernetes.dask.org/v1/namespaces/{name}/daskclusters" for name in ("a", "b"))
    assert set(health.watches.ages()) == set(places)
    await health.end()


async def test_the_whole_controller(api: FakeApi, tmp_path: Path) -> None:
    port = reserved_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "daskjob.dask_controller",
        env={**os.environ, "KUBECONFIG": str(api.kubeconfig(tmp_path)), "DASKJOB_HEALTH_PORT": str(port)},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await listening(port)
        await becomes(port, "/readyz", 200)
        api.mood["daskclusters"] = "refused"
        body = await becomes(port, "/readyz", 503)
        assert body["problems"] == [f"the watch of {CLUSTERS} fails: HTTP 403"]
        assert (await ask(port, "/healthz"))[0] == 200
        api.mood.clear()
        await becomes(port, "/readyz", 200)
    finally:
        process.terminate()
        _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
