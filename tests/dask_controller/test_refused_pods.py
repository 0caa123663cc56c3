"""Why Kubernetes refused a pod, written where the operator reads it: on the pod's owner."""

from __future__ import annotations

import json
from typing import Any

import kr8s
import pytest

from daskjob.dask_controller import connection

from .conftest import EXISTS, GROUP, PODS, Server, closed, deployment


async def test_a_pod_of_another_owner_is_not_as_good(server: Server) -> None:
    """The owner's predecessor of the same name, perhaps."""
    api = await connection.open_api()
    server.posted = [EXISTS]
    theirs = await deployment(uid="of an earlier owner")
    server.found[f"{PODS}/a"] = {"metadata": theirs.raw["metadata"]}
    with pytest.raises(kr8s.ServerError, match="already exists"):
        await (await deployment()).create()
    assert refusals(server) == [("1", {"status": 409, "message": "already exists"})]
    await closed(api)


def refusals(server: Server) -> list[tuple[str, dict[str, Any]]]:
    """What was written on owners, and their UIDs."""
    found = []
    for _, body in server.patches:
        text = body["metadata"]["annotations"]["daskjob.io/refused"]
        assert body == {"metadata": {"uid": body["metadata"]["uid"], "annotations": {"daskjob.io/refused": text}}}
        found.append((body["metadata"]["uid"], json.loads(text)))
    return found


@pytest.mark.parametrize("status", [400, 403, 409, 422])
@pytest.mark.parametrize("owner", ["DaskCluster", "DaskWorkerGroup"])
async def test_why_a_pod_was_refused_is_written_on_its_owner(server: Server, status: int, owner: str) -> None:
    api = await connection.open_api()
    begun = len(server.asked)
    server.posted = [(status, {"reason": "Any", "message": "no room"})]
    with pytest.raises(kr8s.ServerError, match="no room"):
        await (await deployment(owner=owner)).create()
    assert server.asked[begun:] == [f"POST {PODS}"], "kr8s would try four times after a 403"
    assert [path for path, _ in server.patches] == [f"{GROUP}/namespaces/n/{owner.lower()}s/owner"]
    assert refusals(server) == [("1", {"status": status, "message": "no room"})]
    await closed(api)


async def test_that_a_webhook_cannot_be_asked_is_a_refusal(server: Server) -> None:
    api = await connection.open_api()
    server.posted = [(500, {"message": 'failed calling webhook "a"'})]
    with pytest.raises(kr8s.ServerError, match="failed calling"):
        await (await deployment()).create()
    assert refusals(server) == [("1", {"status": 500, "message": 'failed calling webhook "a"'})]
    await closed(api)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_has_no_time_refuses_nothing(server: Server, status: int) -> None:
    api = await connection.open_api()
    server.posted = [(status, {"message": "etcdserver: request timed out"})]
    with pytest.raises(kr8s.ServerError, match="timed out"):
        await (await deployment()).create()
    assert server.patches == []
    await closed(api)


async def test_of_a_long_refusal_the_beginning_is_written(server: Server) -> None:
    """An annotation of more than 256 KiB would be refused."""
    api = await connection.open_api()
    server.posted = [(403, {"message": "é" * 300_000})]
    with pytest.raises(kr8s.ServerError):
        await (await deployment()).create()
    assert refusals(server) == [("1", {"status": 403, "message": "é" * connection.MOST_CHARACTERS})]
    await closed(api)


async def test_a_refusal_without_an_owner_or_with_one_that_is_gone(server: Server) -> None:
    api = await connection.open_api()
    server.posted, server.patched = [(403, {"message": "no room"})], 404
    for owner in ("", "DaskCluster"):
        with pytest.raises(kr8s.ServerError, match="no room"):
            await (await deployment(owner=owner)).create()
    assert len(server.patches) == 1
    await closed(api)


async def test_what_answers_is_not_the_api_server(server: Server) -> None:
    api = await connection.open_api()
    server.posted = [(502, {"a proxy": "says"})]
    with pytest.raises(kr8s.ServerError, match=r'502 \{"a proxy": "says"\}'):
        await (await deployment()).create()
    await closed(api)


async def test_an_expired_token_is_no_refusal(server: Server) -> None:
    api = await connection.open_api()
    server.posted = [(401, {"message": "Unauthorized"})] * 2 + [(201, {})]
    created = await deployment()
    await created.create()
    assert created.metadata.name == "a"
    assert server.patches == []
    await closed(api)
