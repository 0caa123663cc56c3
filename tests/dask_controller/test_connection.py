"""How the launcher reaches the API server, and which requests it saves."""

from __future__ import annotations

import asyncio
from typing import Any

import kopf
import kr8s
import pytest
from kr8s.asyncio.objects import Deployment, Service

from daskjob.dask_controller import connection

from .conftest import EXISTS, PODS, Server, closed, deployment


async def test_one_login_and_one_version_for_many_objects(server: Server) -> None:
    api = await connection.open_api()
    begun = len(server.asked)
    for name in "abc":
        created = await deployment(name)
        assert created.api is api
        await created.create()
    assert server.asked[begun:] == [f"POST {PODS}"] * 3
    assert server.asked.count("/version") == 1
    await closed(api)


async def test_whether_an_object_exists_is_not_asked_before_its_creation(server: Server) -> None:
    """The Service is the operator's: it is there, or on its way."""
    api = await connection.open_api()
    begun = len(server.asked)
    group = kr8s.asyncio.objects.new_class("DaskWorkerGroup", connection.GROUP_VERSION)
    assert [
        await (await each({"metadata": {"name": "a"}}, namespace="n")).exists() for each in (Deployment, group)
    ] == [
        False,
        False,
    ]
    assert await (await Service({"metadata": {"name": "a"}}, namespace="n")).exists()
    assert server.asked[begun:] == []
    await closed(api)


async def test_discovery_is_done_before_the_first_job(server: Server) -> None:
    api = await connection.open_api()
    begun = len(server.asked)
    await api.api_resources()
    assert server.asked[begun:] == []
    await closed(api)


async def test_a_refusal_does_not_close_other_requests(server: Server) -> None:
    """kr8s logs in again after a 403, and its new session would close the one in use."""
    api = await connection.open_api()
    session = api._session
    server.forbidden = 2
    group = kr8s.asyncio.objects.new_class("DaskWorkerGroup", connection.GROUP_VERSION)
    await (await group({"metadata": {"name": "a"}}, namespace="n")).refresh()
    assert server.forbidden == 0
    assert api._session is session
    await closed(api)


async def test_what_somebody_else_created_meanwhile_is_as_good(server: Server) -> None:
    """Else the handler fails, and the job waits for its retry."""
    api = await connection.open_api()
    begun = len(server.asked)
    server.posted = [EXISTS]
    created = await deployment()
    server.found[f"{PODS}/a"] = {"metadata": {**created.raw["metadata"], "uid": "2"}}
    await created.create()
    assert server.asked[begun:] == [f"POST {PODS}", f"{PODS}/a"]
    assert created.metadata.uid == "2"
    assert server.patches == []
    await closed(api)


@pytest.mark.parametrize("posted", [(409, {"reason": "Conflict"}), (422, {"reason": "Invalid"})])
async def test_other_refusals_are_errors(server: Server, posted: tuple[int, dict[str, Any]]) -> None:
    api = await connection.open_api()
    server.posted = [(posted[0], posted[1] | {"message": "no"})]
    kind = kr8s.asyncio.objects.new_class("DaskWorkerGroup", connection.GROUP_VERSION)
    group = await kind({"metadata": {"name": "a"}}, namespace="n")
    with pytest.raises(kr8s.ServerError, match="no"):
        await group.create()
    await closed(api)


async def test_creation_is_one_request(server: Server) -> None:
    api = await connection.open_api()
    begun = len(server.asked)
    created = await deployment()
    await created.create()
    assert server.asked[begun:] == [f"POST {PODS}"]
    assert created.raw["spec"] == {"containers": [{"name": "worker"}]}, "the answer is a pod"
    await closed(api)


async def test_workers_that_have_ended_and_pods_of_strangers_are_not_counted(server: Server) -> None:
    api = await connection.open_api()
    begun = len(server.asked)
    owners = [{"kind": "DaskWorkerGroup", "name": "a-default", "uid": "u", "controller": True}]
    worker, ended = ({"metadata": {"name": name, "ownerReferences": owners}} for name in "ab")
    ended["status"] = {"phase": "Failed"}
    server.found[PODS] = {"metadata": {}, "items": [worker, ended, {"metadata": {"name": "of a stranger"}}]}
    selector = {"dask.org/workergroup-name": "a-default"}
    found = [each async for each in kr8s.asyncio.get(Deployment, namespace="n", label_selector=selector)]
    assert [each.name for each in found] == ["a"]
    [asked] = [path for path in server.asked[begun:] if path.startswith(PODS)]
    assert "labelSelector=dask.org%2Fworkergroup-name%3Da-default" in asked
    await closed(api)


@pytest.mark.parametrize("exists", [False, True], ids=["new", "of an earlier try"])
async def test_workers_of_a_new_group_are_not_counted_by_a_question(server: Server, exists: bool) -> None:
    api = await connection.open_api()
    if exists:
        server.posted = [EXISTS]
    kind = kr8s.asyncio.objects.new_class("DaskWorkerGroup", connection.GROUP_VERSION)
    group = await kind({"metadata": {"name": "a-default"}}, namespace="n")
    await group.create()
    begun = len(server.asked)
    for expected in (exists, True):
        selector = {"dask.org/workergroup-name": "a-default"}
        assert [each async for each in kr8s.asyncio.get(Deployment, namespace="n", label_selector=selector)] == []
        asked = [path for path in server.asked[begun:] if "pods?" in path]
        assert bool(asked) is expected
    await closed(api)


async def test_a_new_token_makes_a_new_session(server: Server) -> None:
    api = await connection.open_api()
    session = api._session
    api.auth.token = "another"
    await api._create_session()
    assert api._session is not session
    assert api._session.headers["Authorization"] == "Bearer another"
    await closed(api)


async def test_a_kr8s_that_does_not_share_clients_is_an_error(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def another() -> object:
        return object()

    monkeypatch.setattr(kr8s.asyncio, "api", another)
    with pytest.raises(RuntimeError, match="install the dask-kubernetes of pyproject"):
        await connection.open_api()


async def test_definitions_that_are_there(server: Server) -> None:
    api = await connection.open_api()
    await connection.wait_for_resources(api, 5)
    await closed(api)


async def test_definitions_that_come_later(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.resources = None
    api = await connection.open_api()
    paused = asyncio.Event()
    resumed = asyncio.Event()

    async def pause(_: float) -> None:
        paused.set()
        await resumed.wait()

    monkeypatch.setattr(connection.asyncio, "sleep", pause)
    waiting = asyncio.create_task(connection.wait_for_resources(api, 60))
    await paused.wait()
    server.resources = ["daskclusters", "daskclusters/scale", "daskworkergroups"]
    resumed.set()
    await asyncio.wait_for(waiting, 10)
    await closed(api)


@pytest.mark.parametrize(
    ("resources", "named"),
    [(None, "daskclusters and daskworkergroups of"), (["daskclusters"], "serve daskworkergroups of")],
)
async def test_definitions_that_do_not_come(server: Server, resources: list[str] | None, named: str) -> None:
    server.resources = resources
    api = await connection.open_api()
    with pytest.raises(kopf.PermanentError, match=rf"{named}.*daskController\.crds\.install=true"):
        await connection.wait_for_resources(api, -1)
    await closed(api)


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443")]
)
def test_login_in_a_pod_needs_no_dns(monkeypatch: pytest.MonkeyPatch, host: str, server: str) -> None:
    account = kopf.ConnectionInfo(server="https://kubernetes.default.svc", token="t")
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: account)
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"}
    info = connection.login(environ, settings=kopf.OperatorSettings())
    assert info is not None
    assert (info.server, info.token) == (server, "t")


def test_login_outside_of_a_pod(server: Server) -> None:
    info = connection.login({}, settings=kopf.OperatorSettings())
    assert info is not None
    assert (info.server, info.token) == (server.url, "t")
