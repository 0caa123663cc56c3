"""A job whose code is a branch: its commit is found by a pod that comes first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.kube.client import Body
from daskjob.wire import termination_message

from .test_reconcile import Setting

COMMIT = "89abcdef01" * 4
GIT = {"url": "https://host/team/code", "revision": "main", "subPath": "src", "secretRef": {"name": "token"}}


@pytest.fixture
def setting() -> Setting:
    return Setting({"graph": {"entrypoint": "m:f", "source": {"git": GIT}}})


def ends(setting: Setting, pod: Body, name: str, code: int, message: str) -> None:
    state = {"terminated": {"exitCode": code, "message": message, "reason": "Completed" if code == 0 else "Error"}}
    status = {"phase": "Succeeded" if code == 0 else "Failed", "containerStatuses": [{"name": name, "state": state}]}
    setting.cache.put_whole(setting.server.update("Pod", pod["metadata"]["name"], status=status))


def orders(container: Body) -> dict[str, Any]:
    assert container["command"][-2] == "--fetch"
    found: dict[str, Any] = json.loads(container["command"][-1])
    return found


async def test_the_commit_is_found_recorded_and_in_each_pod(setting: Setting) -> None:
    await setting.look()
    (pod,) = setting.server.all("Pod")
    assert pod["metadata"]["labels"][c.COMPONENT_LABEL] == "source"
    assert pod["spec"]["automountServiceAccountToken"] is False
    (finds,) = pod["spec"]["containers"]
    assert "commit" not in orders(finds)
    assert {each["name"] for each in pod["spec"]["volumes"]} == {"runner", "checked", "fetch", "credentials"}
    assert setting.server.all("DaskCluster") == []

    ends(setting, pod, "source", 0, termination_message("Succeeded", {"type": "commit", "value": f'"{COMMIT}"'}))
    await setting.look()
    assert setting.status()["attempts"][-1]["commit"] == COMMIT
    (cluster,) = setting.server.all("DaskCluster")
    runner, left = sorted(setting.server.all("Pod"), key=lambda each: str(each["metadata"]["name"]))
    assert (left["metadata"]["name"], "deletionTimestamp" in left["metadata"]) == (pod["metadata"]["name"], True)
    specs = [cluster["spec"]["scheduler"]["spec"], cluster["spec"]["worker"]["spec"], runner["spec"]]
    assert [orders(each["initContainers"][0])["commit"] for each in specs] == [COMMIT] * 3


async def test_a_branch_that_does_not_exist_ends_the_job_without_a_cluster(setting: Setting) -> None:
    await setting.look()
    (pod,) = setting.server.all("Pod")
    failure = {"reason": "RevisionNotFound", "message": "spec.graph.source.git.revision: no branch"}
    ends(setting, pod, "source", 1, termination_message("Failed", failure=failure))
    await setting.look()
    status = setting.status()
    assert {key: status["failure"][key] for key in failure} == failure
    assert ["deletionTimestamp" in each["metadata"] for each in setting.server.all("Pod")] == [True]
    assert "DaskCluster" not in {kind for verb, kind in setting.client.requests if verb == "create"}


async def test_somebody_else_has_the_name_of_the_pod(setting: Setting) -> None:
    """What that pod says of a commit is not believed; the attempt goes on under another name."""
    setting.client.create, create = None, setting.client.create
    attempts: list[str] = []

    async def squatted(resource: Any, body: Body) -> Body:
        if resource.kind == "Pod" and not attempts:
            attempts.append(body["metadata"]["name"])
            theirs = {"metadata": {"name": attempts[0], "labels": body["metadata"]["labels"]}, "spec": {}}
            setting.server.create("Pod", theirs, "2026-03-01T12:00:00Z")
        return await create(resource, body)

    setting.client.create = squatted
    for _ in range(4):
        await setting.look()
    current = setting.status()["attempts"][-1]
    assert current["draw"] == 2
    assert setting.server.find("Pod", f"{current['name']}-source") is not None
