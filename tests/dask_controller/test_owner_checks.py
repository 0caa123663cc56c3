"""Pods of an owner that was deleted meanwhile: a group of thousands takes minutes to create."""

from __future__ import annotations

from typing import Any

import kopf
import pytest

from daskjob.dask_controller import connection
from daskjob.dask_controller.owner_checks import MOST_OWNERS, PODS, OwnerChecks

from .conftest import GROUP, Server, closed, deployment

OWNER = f"{GROUP}/namespaces/n/daskworkergroups/owner"
THERE: dict[str, Any] = {"metadata": {"name": "owner", "uid": "1"}}


async def create(number: int) -> None:
    for each in range(number):
        await (await deployment(f"worker-{each}")).create()


async def test_a_group_that_stays_gets_all_of_its_workers(server: Server) -> None:
    api = await connection.open_api()
    server.found[OWNER] = THERE
    await create(3 * PODS)
    assert server.asked.count(OWNER) == 3, "one question for many pods"
    await closed(api)


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"metadata": {"name": "owner", "uid": "of another of that name"}},
        {"metadata": {**THERE["metadata"], "deletionTimestamp": "2026-03-01T12:00:00Z"}},
    ],
    ids=["gone", "another", "being deleted"],
)
async def test_one_that_goes_gets_no_more(server: Server, found: dict[str, Any]) -> None:
    api = await connection.open_api()
    server.found[OWNER] = THERE
    await create(PODS)
    server.found[OWNER] = found
    with pytest.raises(kopf.PermanentError, match="DaskWorkerGroup owner is gone: it gets no more pods"):
        await create(PODS + 1)
    assert sum(each.startswith("POST") for each in server.asked) == 2 * PODS - 1
    await closed(api)


async def test_without_an_answer_it_goes_on(server: Server) -> None:
    api = await connection.open_api()
    server.forbidden = 1
    await create(PODS)
    assert server.forbidden == 0
    await closed(api)


def test_a_bounded_number_of_owners_is_counted() -> None:
    checks = OwnerChecks()
    for _ in range(PODS - 1):
        checks.is_due("first")
    for number in range(MOST_OWNERS):
        checks.is_due(str(number))
    assert not checks.is_due("first")
