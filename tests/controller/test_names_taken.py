"""Somebody creates an object under a name that an attempt needs, as soon as the status shows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.resource import Resource
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.client import Body

from .refusing import RefusingClient
from .test_reconcile import Setting

#: An annotation by which the tests, and nobody else, tell what is not the operator's.
STRANGER = "strangers.test/stranger"
#: What follows the attempt's name in that of its object, in the order in which the operator creates them.
NAMES = {
    "DaskCluster": "",
    "NetworkPolicy": "",
    "Service": "-scheduler",
    "Secret": "-files",
    "Pod": "-runner",
    "DaskJobReport": "",
}
LABELS = (c.MANAGED_BY_LABEL, c.JOB_LABEL, c.JOB_UID_LABEL, c.ATTEMPT_LABEL)


class Squatter(RefusingClient):
    """Whenever an attempt gets a name, somebody else has an object of that kind under it, with the operator's labels
    and, if that exists by then, the token that the attempt's cluster shows. `times`: how often they do it."""

    kind, times = "", 1

    async def create(self, resource: Resource, body: Body) -> Body:
        cluster = next((each for each in self.server.all("DaskCluster") if STRANGER not in annotations(each)), None)
        # Before the first object, or with what that shows.
        if self.times and self.kind and (resource.kind == "DaskCluster" or (cluster and resource.kind == self.kind)):
            job = self.server.all("DaskJob")[0]
            name = job["status"]["attempts"][-1]["name"] + NAMES[self.kind]
            if self.server.find(self.kind, name) is None:
                self.times -= 1
                self.server.create(self.kind, forged(name, job, cluster), self.now())
        return await super().create(resource, body)


def annotations(body: Body) -> dict[str, str]:
    found: dict[str, str] = body["metadata"].get("annotations") or {}
    return found


def forged(name: str, job: Body, cluster: Body | None) -> dict[str, Any]:
    labels = dict(zip(LABELS, (c.MANAGER, job["metadata"]["name"], job["metadata"]["uid"], "1"), strict=True))
    token = annotations(cluster).get(c.TOKEN_ANNOTATION, "") if cluster is not None else "x" * 64
    owner = {"apiVersion": c.API_VERSION, "kind": "DaskJob", "name": "sum", "uid": job["metadata"]["uid"]}
    return {
        "metadata": {
            "name": name,
            "labels": {**labels, c.COMPONENT_LABEL: "runner"},
            "annotations": {STRANGER: "", c.TOKEN_ANNOTATION: token},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {"containers": [{"name": "runner"}], "runnerPodUID": "theirs"},
        "status": {"phase": "Succeeded"},
    }


def squatted(kind: str, times: int) -> Setting:
    setting = Setting()
    setting.client.__class__ = Squatter
    setting.client.kind, setting.client.times = kind, times
    return setting


async def look(setting: Setting) -> float | None:
    """A pass, and the garbage collector's work; what the pass could not do is tried again."""
    for kind, name in list(setting.server.orphans()):
        setting.server.remove(kind, name)
    try:
        return await setting.look()
    except ApiError:
        return 1.0


def ours(setting: Setting, kind: str) -> list[Body]:
    return [each for each in setting.server.all(kind) if STRANGER not in annotations(each)]


def events(setting: Setting, reason: str) -> list[Body]:
    return [each for each in setting.server.all("Event") if each["reason"] == reason]


@pytest.mark.parametrize("kind", [each for each in NAMES if each != "DaskJobReport"])
async def test_the_attempt_goes_on_under_another_name(kind: str) -> None:
    setting = squatted(kind, 1)
    for _ in range(5):
        await look(setting)
    (attempt,) = setting.status()["attempts"]
    (theirs,) = [each for each in setting.server.all(kind) if STRANGER in annotations(each)]
    assert (attempt["number"], attempt["draw"], attempt.get("outcome")) == (1, 2, None)
    assert f"{theirs['metadata']['name']!r} exists and does not belong to this job" in attempt["message"]
    for each, rest in NAMES.items():
        assert [body["metadata"]["name"] for body in ours(setting, each)] == [attempt["name"] + rest], each
    (event,) = [each for each in events(setting, "NameConflict") if "goes on as" in each["message"]]
    assert event["type"] == "Warning"
    assert attempt["message"] in event["message"]
    assert setting.status().get("retries") is None


async def test_the_status_has_the_conflict_until_all_objects_exist() -> None:
    setting = squatted("Secret", 2)
    while setting.status().get("attempts", [{}])[0].get("draw") != 2:
        await look(setting)
    condition = next(each for each in setting.status()["conditions"] if each["type"] == "ClusterReady")
    assert (condition["status"], condition["reason"]) == ("False", "NameConflict")
    setting.now += timedelta(seconds=6)
    for _ in range(4):
        await look(setting)
    assert setting.status()["attempts"][0]["draw"] == 3
    assert len(ours(setting, "DaskJobReport")) == 1


async def test_who_takes_every_name_makes_nobody_spin() -> None:
    setting = squatted("Secret", 10_000)
    end = setting.now + timedelta(seconds=700)
    looks = 0
    while setting.now < end and not setting.status().get("failure") and looks < 200:
        again = await look(setting)
        setting.now += timedelta(seconds=again or 0.0)
        looks += 1
    assert setting.status()["failure"]["reason"] == "NameConflict"
    assert 5 <= setting.status()["attempts"][0]["draw"] <= 9
    assert ours(setting, "Pod") == [], "nothing ran"


async def test_a_taken_name_of_the_report_ends_the_attempt_because_its_runner_exists() -> None:
    setting = squatted("DaskJobReport", 1)
    for _ in range(4):
        await look(setting)
    first = setting.status()["attempts"][0]
    assert (first["reason"], first["class"], first["draw"]) == ("NameConflict", "Infrastructure", 1)
    assert setting.status()["retries"]["application"] == 0
    setting.now += timedelta(seconds=60)
    for pod in ours(setting, "Pod"):
        setting.server.remove("Pod", pod["metadata"]["name"])
        setting.cache.forget("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"], pod["metadata"]["uid"])
    for _ in range(3):
        await look(setting)
    assert setting.status()["attempts"][-1]["number"] == 2
    assert len(ours(setting, "DaskJobReport")) == 1


async def test_a_program_of_somebody_else_is_not_taken(setting_of_program: Setting) -> None:
    setting = setting_of_program
    await look(setting)
    await look(setting)
    assert setting.reason() == "NameConflict"
    condition = next(each for each in setting.status()["conditions"] if each["type"] == "ClusterReady")
    assert "'daskjob-runner-" in condition["message"]
    assert "does not belong to the operator" in condition["message"]
    assert setting.status()["attempts"][0]["draw"] == 1, "another name would not help"
    assert ours(setting, "Pod") == []


@pytest.fixture(params=["another program", "one that may change"])
async def setting_of_program(request: pytest.FixtureRequest) -> Setting:
    setting = Setting()
    await setting.look()
    (program,) = setting.server.all("ConfigMap")
    change = {"binaryData": {"runner.pyz": "AAAA"}} if request.param == "another program" else {"immutable": False}
    again = Setting()
    again.server.create("ConfigMap", {**program, **change}, "2026-03-01T11:00:00Z")
    return again


async def test_an_operator_that_was_restarted_goes_on_where_a_runner_exists() -> None:
    """The runner shows what the report needs."""
    setting = Setting()
    setting.client.refusals = {("create", "DaskJobReport"): ApiError(ErrorKind.TRANSIENT, 503, "not now")}
    await look(setting)
    setting.client.refusals = {}
    controller = setting.another()
    for kind in ("DaskJob", "DaskCluster", "Pod"):
        for body in setting.server.all(kind):
            controller.kind.cache.put_whole(body)
    await controller.reconcile(("team", "sum"))
    (report,) = setting.server.all("DaskJobReport")
    (attempt,) = setting.status()["attempts"]
    assert (attempt["draw"], report["metadata"]["name"]) == (1, attempt["name"])
    token = annotations(setting.server.all("Pod")[0])[c.TOKEN_ANNOTATION]
    assert annotations(report)[c.TOKEN_ANNOTATION] == token


@pytest.mark.parametrize("refused", ["ServiceAccount", "DaskCluster", "Secret", "Pod"])
async def test_an_operator_that_was_restarted_before_there_was_a_runner_draws_another_name(refused: str) -> None:
    setting = Setting()
    setting.client.refusals = {("create", refused): ApiError(ErrorKind.TRANSIENT, 503, "not now")}
    await look(setting)
    first = setting.status()["attempts"][0]
    setting.client.refusals = {}
    setting.now += timedelta(seconds=9)
    controller = setting.another()
    for _ in range(3):
        for kind in ("DaskJob", "DaskCluster"):
            for body in setting.server.all(kind):
                controller.kind.cache.put_whole(body)
        await controller.reconcile(("team", "sum"))
    (attempt,) = setting.status()["attempts"]
    assert (attempt["number"], attempt["draw"], attempt["startTime"]) == (1, 2, first["startTime"])
    assert (attempt["name"], attempt["tokenDigest"]) != (first["name"], first["tokenDigest"])
    assert [each["metadata"]["name"] for each in setting.server.all("DaskCluster")] == [attempt["name"]]
    assert [each["metadata"]["name"] for each in setting.server.all("Pod")] == [f"{attempt['name']}-runner"]
    (event,) = events(setting, "Renamed")
    assert event["type"] == "Normal"
