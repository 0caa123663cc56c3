"""Which jobs a resync queues for a pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

from daskjob.api import constants as c
from daskjob.controller.controller import Controller
from daskjob.controller.feed import Feed
from daskjob.controller.resync import first_look, resync
from daskjob.controllers.job.kind import JobKind
from daskjob.kube.client import KubeClient
from daskjob.manifests.context import Defaults

from ..lifecycle.model import ModelClient, Server

Body = dict[str, Any]
CONDITIONS = [{"type": each, "status": "True"} for each in ("Complete", "CleanedUp")]


def body(api_version: str, kind: str, name: str, uid: str, **more: Any) -> Body:
    labels = {c.MANAGED_BY_LABEL: c.MANAGER, c.JOB_LABEL: "sum", c.JOB_UID_LABEL: "u"}
    metadata = {"namespace": "team", "name": name, "uid": uid, "resourceVersion": "7", "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


RESTING = body(
    c.API_VERSION, "DaskJob", "sum", "u", spec={"graph": {"entrypoint": "m:f"}}, status={"conditions": CONDITIONS}
)


def lists(*objects: Body) -> Any:
    """A client of an API server with these objects."""
    server = Server()
    server.objects = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    return ModelClient(server, lambda: "2026-03-01T12:00:00Z")


def answers(value: bool) -> Callable[[], Awaitable[bool]]:
    async def answer() -> bool:
        return value

    return answer


def a_controller() -> Controller[Any, Any, Any, Any]:
    kind = JobKind(Mock(spec=KubeClient), lambda: datetime(2026, 3, 1, 12, tzinfo=UTC), b"", Defaults())
    kind.cache.put_whole(RESTING)
    return Controller(kind)


async def test_a_job_that_rests_gets_a_pass_at_the_first_resync_only() -> None:
    controller = a_controller()
    await resync(lists(RESTING), Feed([controller]), ())
    assert controller.queue.depth == 0
    await first_look(lists(RESTING), Feed([controller]), (), answers(False))
    assert controller.queue.depth == 1


async def test_what_the_watches_have_listed_is_not_listed_again() -> None:
    controller, nobody = a_controller(), Mock(spec=KubeClient)
    await first_look(nobody, Feed([controller]), (), answers(True))
    assert controller.queue.depth == 1
    assert not nobody.mock_calls


async def test_what_vanished_between_two_lists_of_a_watch_is_found() -> None:
    controller = a_controller()
    await first_look(lists(), Feed([controller]), (), answers(False))
    assert controller.kind.cache.root_keys() == []


async def test_what_a_watch_missed_of_a_job_that_rests_brings_a_pass() -> None:
    controller = a_controller()
    cluster = body(c.DASK_API_VERSION, "DaskCluster", "sum-x-1", "late")
    await resync(lists(RESTING, cluster), Feed([controller]), ())
    assert controller.queue.depth == 1


async def test_what_is_gone_of_a_job_that_rests_brings_a_pass() -> None:
    controller = a_controller()
    controller.kind.cache.put_whole(body("v1", "Pod", "sum-x-1-runner", "p"))
    await resync(lists(RESTING), Feed([controller]), ())
    assert controller.queue.depth == 1
