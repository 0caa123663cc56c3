"""Why Kubernetes refused a pod, written where the operator reads it: on the pod's owner."""

from __future__ import annotations

import json
from typing import Any

import kopf
import kr8s
import pytest
from dask_kubernetes.operator._objects import DaskWorkerGroup

from daskjob.dask_controller import connection, refusals

from .conftest import EXISTS, GROUP, PODS, Server, closed, deployment


async def test_a_pod_of_another_owner_is_not_as_good(server: Server) -> None:
    """The owner's predecessor of the same name, perhaps."""
    api = await connection.open_api()
    server.posted = [EXISTS]
    theirs = await deployment(uid="of an earlier owner")
    server.found[f"{PODS}/a"] = {"metadata": theirs.raw["metadata"]}
    with pytest.raises(kopf.TemporaryError, match="already exists"):
        await (await deployment()).create()
    assert written(server) == [("1", {"status": 409, "message": "already exists"})]
    await closed(api)


def written(server: Server) -> list[tuple[str, dict[str, Any]]]:
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
    with pytest.raises(kopf.TemporaryError, match="no room"):
        await (await deployment(owner=owner)).create()
    assert server.asked[begun:] == [f"POST {PODS}"], "kr8s would try four times after a 403"
    assert [path for path, _ in server.patches] == [f"{GROUP}/namespaces/n/{owner.lower()}s/owner"]
    assert written(server) == [("1", {"status": status, "message": "no room"})]
    await closed(api)


@pytest.mark.parametrize("status", [403, 422])
async def test_why_a_worker_group_was_refused_is_written_on_its_cluster(server: Server, status: int) -> None:
    """By a quota or a policy on such objects."""
    api = await connection.open_api()
    server.posted = [(status, {"reason": "Any", "message": "no room"})]
    reference = {"kind": "DaskCluster", "name": "owner", "uid": "1", "controller": True}
    body = {"metadata": {"name": "a-default", "ownerReferences": [reference]}, "spec": {}}
    with pytest.raises(kopf.TemporaryError, match="no room"):
        await (await DaskWorkerGroup(body, namespace="n")).create()
    assert written(server) == [("1", {"status": status, "message": "no room", "kind": "DaskWorkerGroup"})]
    server.posted = [(503, {"message": "etcdserver: request timed out"})]
    with pytest.raises(kr8s.ServerError, match="timed out"):
        await (await DaskWorkerGroup(body, namespace="n")).create()
    assert len(server.patches) == 1
    await closed(api)


async def test_that_a_webhook_cannot_be_asked_is_a_refusal(server: Server) -> None:
    api = await connection.open_api()
    server.posted = [(500, {"message": 'failed calling webhook "a"'})]
    with pytest.raises(kopf.TemporaryError, match="failed calling"):
        await (await deployment()).create()
    assert written(server) == [("1", {"status": 500, "message": 'failed calling webhook "a"'})]
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
    with pytest.raises(kopf.TemporaryError):
        await (await deployment()).create()
    assert written(server) == [("1", {"status": 403, "message": "é" * refusals.MOST_CHARACTERS})]
    await closed(api)


async def test_a_refusal_without_an_owner_or_with_one_that_is_gone(server: Server) -> None:
    api = await connection.open_api()
    server.posted, server.patched = [(403, {"message": "no room"})], 404
    with pytest.raises(kr8s.ServerError, match="no room"):
        await (await deployment(owner="")).create()
    assert server.patches == []
    for _ in range(2):
        with pytest.raises(kopf.TemporaryError, match="no room"):
            await (await deployment(owner="DaskCluster")).create()
    assert len(server.patches) == 2, "who could not be told is told again"
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


def refused(name: str) -> tuple[int, dict[str, Any]]:
    return 403, {"message": f'pods "{name}" is forbidden: exceeded quota: team'}


async def test_the_same_refusal_of_another_worker_is_told_once(server: Server) -> None:
    """dask-kubernetes draws a name for each try."""
    api = await connection.open_api()
    names = ["a-1-default-worker-0123abcdef", "a-1-default-worker-fedcba9876"]
    server.posted = [refused(each) for each in names] + [(201, {}), refused(names[0])]
    for each in names:
        with pytest.raises(kopf.TemporaryError, match=each):
            await (await deployment(each)).create()
    words = {"status": 403, "message": 'pods "a-1-default-worker" is forbidden: exceeded quota: team'}
    assert written(server) == [("1", words)]
    await (await deployment("a-1-default-worker-aaaaaaaaaa")).create()
    with pytest.raises(kopf.TemporaryError):
        await (await deployment(names[0])).create()
    assert written(server) == [("1", words)] * 2, "one that was overcome, and is back, is told again"
    await closed(api)


def test_each_try_comes_later_than_the_one_before() -> None:
    known = refusals.Refusals()
    pauses = [known.add("1", "no room")[1] for _ in range(2_000)]
    assert 4 <= pauses[0] <= 6
    assert all(24 <= each <= 36 for each in pauses[10:])
    assert 4 <= known.add("2", "no room")[1] <= 6, "each owner by itself"
    known.forget("1")
    assert known.add("1", "no room")[0]
    assert known.add("1", "no room")[1] < 10


def test_a_bounded_number_of_owners_is_remembered() -> None:
    known = refusals.Refusals()
    for number in range(refusals.MOST_OWNERS + 1):
        known.add(str(number), "no room")
    assert not known.add("1", "no room")[0]
    assert known.add("0", "no room")[0]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a-1-default-worker-0123abcdef", "a-1-default-worker"),
        ("my-worker-x-1-default-worker-0123abcdef", "my-worker-x-1-default-worker"),
        ("a-1-scheduler", "a-1-scheduler"),
        ("the-worker-scheduler-1-scheduler", "the-worker-scheduler-1-scheduler"),
    ],
)
def test_of_a_worker_the_name_of_its_group_is_shown(name: str, shown: str) -> None:
    assert refusals.group_name(name) == shown
