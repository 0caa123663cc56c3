"""Whose the pods of Deployments are: each ReplicaSet is asked for once."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.controllers.job.deployments import Deployments
from daskjob.errors import ApiError, ErrorKind

from ..lifecycle.model import Server
from .refusing import RefusingClient


def owned(name: str, kind: str, owner: str, uid: str) -> dict[str, Any]:
    reference = {"apiVersion": "v1", "kind": kind, "name": owner, "uid": uid, "controller": True}
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


def setting() -> tuple[RefusingClient, Deployments, dict[str, Any]]:
    """A pod, of a ReplicaSet, of a Deployment that the object with the UID `group` owns."""
    client: Any = RefusingClient(Server(), "2026-03-01T12:00:00Z")
    deployment = client.server.create("Deployment", owned("d", "DaskWorkerGroup", "g", "group"), client.now())
    replica_set = client.server.create(
        "ReplicaSet", owned("r", "Deployment", "d", deployment["metadata"]["uid"]), client.now()
    )
    pod = {"kind": "Pod", **owned("p", "ReplicaSet", "r", replica_set["metadata"]["uid"])}
    return client, Deployments(client), pod


async def test_the_owner_of_the_deployment() -> None:
    client, deployments, pod = setting()
    uid = pod["metadata"]["ownerReferences"][0]["uid"]
    for _ in range(2):
        assert await deployments.owners("team", [pod, {"kind": "Pod", "metadata": {"name": "bare"}}]) == {uid: "group"}
    assert client.requests == [("get", "ReplicaSet"), ("get", "Deployment")]


async def test_a_reference_to_what_has_another_uid_leads_nowhere() -> None:
    client, deployments, pod = setting()
    pod["metadata"]["ownerReferences"][0]["uid"] = "copied-wrong"
    assert await deployments.owners("team", [pod]) == {"copied-wrong": ""}
    assert client.requests == [("get", "ReplicaSet")]


async def test_an_operator_without_the_right_does_not_ask_again() -> None:
    client, deployments, pod = setting()
    client.refusals["get", "ReplicaSet"] = ApiError(ErrorKind.FORBIDDEN, 403, "no")
    for _ in range(2):
        assert list((await deployments.owners("team", [pod])).values()) == [""]
    assert client.requests == [("get", "ReplicaSet")]


async def test_no_answer_is_none() -> None:
    client, deployments, pod = setting()
    client.refusals["get", "Deployment"] = ApiError(ErrorKind.TRANSIENT, 503, "busy")
    with pytest.raises(ApiError):
        await deployments.owners("team", [pod])
    client.refusals.clear()
    assert list((await deployments.owners("team", [pod])).values()) == ["group"]
