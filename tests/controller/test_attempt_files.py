"""The files of an attempt stay the same from the first of its objects to the last, whatever happens in between."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.client import Body

from ..lifecycle.file_invariants import check_files
from ..lifecycle.world import World
from .test_names_taken import look
from .test_reconcile import KEY, Setting

REFUSED = ApiError(ErrorKind.TRANSIENT, 500, "no")
SPEC = {"graph": {"entrypoint": "m:f", "source": {"inline": "def f(): ...\n"}}, "activeDeadlineSeconds": 600}


def refused(kind: str) -> Setting:
    setting = Setting(SPEC)
    setting.client.refusals["create", kind] = REFUSED
    return setting


def edit(setting: Setting) -> None:
    """Another deadline, which the job file of a new attempt would have."""
    job = setting.server.find("DaskJob", KEY[1])
    assert job is not None
    setting.server.update("DaskJob", KEY[1], spec={**job["spec"], "activeDeadlineSeconds": 900})
    setting.cache.put_whole(setting.server.find("DaskJob", KEY[1]))


def restart(setting: Setting) -> None:
    setting.controller = setting.another()
    setting.cache = setting.controller.kind.cache
    for kind in ("DaskJob", "DaskCluster", "DaskWorkerGroup", "Pod", "DaskJobReport"):
        for body in setting.server.all(kind):
            setting.cache.put_whole(body)


def the_one(setting: Setting, kind: str) -> Body:
    (body,) = setting.server.all(kind)
    return body


def judge(setting: Setting) -> None:
    world: Any = World(0)
    world.server = setting.server
    check_files(world, "Pod", the_one(setting, "Pod"))


@pytest.mark.parametrize("kind", ["DaskCluster", "Service", "Secret", "ConfigMap", "Pod", "DaskJobReport"])
@pytest.mark.parametrize("between", [None, edit], ids=["nothing", "an edit"])
async def test_what_is_tried_again_has_the_same_files(kind: str, between: Any) -> None:
    setting = refused(kind)
    await look(setting)
    cluster = setting.server.all("DaskCluster")
    if between is not None:
        between(setting)
    setting.client.refusals.clear()
    setting.now += timedelta(seconds=5)
    for _ in range(3):
        await look(setting)
    assert setting.status()["attempts"][0]["draw"] == 1
    assert cluster in ([], [the_one(setting, "DaskCluster")]), "it is not made anew"
    judge(setting)
    wanted = 600 if between is None else 900
    assert the_one(setting, "DaskJobReport")["spec"]["deadline"]["seconds"] == wanted, "the runner hears of it here"


@pytest.mark.parametrize("kind", ["Service", "Secret", "Pod"])
async def test_a_restart_before_the_runner_was_created_draws_all_anew(kind: str) -> None:
    """The key of the first certificate is gone, and nobody has it."""
    setting = refused(kind)
    await look(setting)
    first = the_one(setting, "DaskCluster")["metadata"]["uid"]
    setting.client.refusals.clear()
    restart(setting)
    for _ in range(6):
        setting.now += timedelta(seconds=10)
        await look(setting)
    assert setting.status()["attempts"][0]["draw"] == 2
    assert the_one(setting, "DaskCluster")["metadata"]["uid"] != first
    judge(setting)


async def test_a_restart_after_that_changes_nothing() -> None:
    setting = refused("DaskJobReport")
    await look(setting)
    pod = json.dumps(the_one(setting, "Pod"), sort_keys=True)
    setting.client.refusals.clear()
    restart(setting)
    for _ in range(3):
        setting.now += timedelta(seconds=10)
        await look(setting)
    assert setting.status()["attempts"][0]["draw"] == 1
    assert json.dumps(the_one(setting, "Pod"), sort_keys=True) == pod
    assert the_one(setting, "DaskJobReport")
    judge(setting)
