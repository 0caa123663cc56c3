"""Which worker groups the Dask controller serves; `apiserver/test_bare_pods.py` has the clusters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.tokens import Tokens, follows_from
from daskjob.dask_controller import origin

TOKENS = Tokens("secret")
#: Before the tests of the connection replace it.
PROBLEM = origin.Origin.problem
JOB = {
    "metadata": {"uid": "job"},
    "status": {"attempts": [{"name": "a", "tokenDigest": TOKENS.digest, "clusterUID": "cluster"}]},
}
METADATA = {
    "name": "a",
    "uid": "cluster",
    "labels": {c.JOB_LABEL: "sum", c.JOB_UID_LABEL: "job"},
    "annotations": {c.TOKEN_ANNOTATION: TOKENS.cluster},
}
OWNER = {"kind": "DaskCluster", "name": "a", "uid": "cluster", "controller": True}
GROUP = {
    "metadata": {"name": "a-default", "uid": "group", "ownerReferences": [OWNER]},
    "spec": {"worker": {"replicas": 5, "spec": {"x": 1}}},
}
OF_GROUP = {"kind": "DaskWorkerGroup", "name": "a-default", "uid": "group"}


class Api:
    """Answers, by resource and name."""

    def __init__(self) -> None:
        cluster = {"metadata": METADATA, "spec": {"worker": {"replicas": 1, "spec": {"x": 1}}}}
        self.found: dict[str, Any] = {
            "daskjobs/sum": JOB,
            "daskclusters/a": cluster,
            "daskworkergroups/a-default": GROUP,
        }
        self.asked: list[str] = []

    async def get(self, plural: str, name: str) -> Any:
        self.asked.append(f"{plural}/{name}")
        return self.found.get(f"{plural}/{name}")


async def problem(api: Api, owner: dict[str, Any], known: origin.Origin | None = None) -> str:
    return await PROBLEM(known or origin.Origin(), {"metadata": METADATA}, owner, api.get)


async def test_a_cluster_is_looked_at_once() -> None:
    api, known = Api(), origin.Origin()
    assert [await problem(api, OWNER, known) for _ in range(3)] == [""] * 3
    assert api.asked == ["daskjobs/sum"]


async def test_a_group_that_this_process_created_needs_no_question() -> None:
    api, known = Api(), origin.Origin()
    known.note("group")
    assert await problem(api, OF_GROUP, known) == ""
    assert api.asked == []


async def test_a_group_that_an_earlier_process_created() -> None:
    api = Api()
    assert await problem(api, OF_GROUP) == ""
    assert api.asked == ["daskworkergroups/a-default", "daskclusters/a", "daskjobs/sum"]


OTHERS: dict[str, tuple[str, Any, str]] = {
    "gone": ("daskworkergroups/a-default", None, "it is gone"),
    "without an owner": (
        "daskworkergroups/a-default",
        {**GROUP, "metadata": {"name": "a-default", "uid": "group"}},
        "no DaskCluster owns it",
    ),
    "other workers": (
        "daskworkergroups/a-default",
        {**GROUP, "spec": {"worker": {"replicas": 1, "spec": {"x": 2}}}},
        "it is not a worker group of its DaskCluster",
    ),
    "of a cluster that is gone": ("daskclusters/a", None, "no DaskCluster owns it"),
    "of a cluster of somebody else": ("daskjobs/sum", {**JOB, "status": {}}, "DaskJob sum has not recorded it"),
}


@pytest.mark.parametrize(("place", "body", "words"), OTHERS.values(), ids=OTHERS)
async def test_groups_of_somebody_else(place: str, body: Any, words: str) -> None:
    api = Api()
    api.found[place] = body
    assert await problem(api, OF_GROUP) == words


PLEDGED = {**METADATA["annotations"], c.GROUPS_ANNOTATION: json.dumps({"gpu": follows_from(TOKENS.group("gpu"))})}
OF_FURTHER = {"kind": "DaskWorkerGroup", "name": "a-gpu", "uid": "further"}


@pytest.mark.parametrize(
    ("name", "token", "annotations", "words"),
    [
        ("a-gpu", TOKENS.group("gpu"), PLEDGED, ""),
        ("a-gpu", TOKENS.cluster, PLEDGED, "it is not a worker group of its DaskCluster"),
        ("a-gpu", follows_from(TOKENS.group("gpu")), PLEDGED, "it is not a worker group of its DaskCluster"),
        ("a-cpu", TOKENS.group("gpu"), PLEDGED, "it is not a worker group of its DaskCluster"),
        ("a-gpu", TOKENS.group("gpu"), METADATA["annotations"], "it is not a worker group of its DaskCluster"),
        (
            "a-gpu",
            TOKENS.group("gpu"),
            {**PLEDGED, c.GROUPS_ANNOTATION: "[1"},
            "it is not a worker group of its DaskCluster",
        ),
        (
            "a-gpu",
            TOKENS.group("gpu"),
            {**PLEDGED, c.GROUPS_ANNOTATION: "[]"},
            "it is not a worker group of its DaskCluster",
        ),
    ],
)
async def test_a_further_group_is_one_that_the_operator_announced(
    name: str, token: str, annotations: dict[str, str], words: str
) -> None:
    api = Api()
    metadata = {"name": name, "uid": "further", "ownerReferences": [OWNER], "annotations": {c.TOKEN_ANNOTATION: token}}
    api.found[f"daskworkergroups/{name}"] = {"metadata": metadata, "spec": {"worker": {"spec": {"x": 9}}}}
    api.found["daskclusters/a"] = {**api.found["daskclusters/a"], "metadata": {**METADATA, "annotations": annotations}}
    assert await problem(api, {**OF_FURTHER, "name": name}) == words


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "MOST_KNOWN", 3)
    known = origin.Origin()
    for number in range(9):
        known.note(str(number))
    assert list(known._known) == ["6", "7", "8"]


def test_the_names_are_the_operators() -> None:
    """The launcher does not import them."""
    names = (c.JOB_LABEL, c.JOB_UID_LABEL, c.TOKEN_ANNOTATION, c.GROUPS_ANNOTATION)
    assert names == (origin.JOB_LABEL, origin.JOB_UID_LABEL, origin.TOKEN_ANNOTATION, origin.GROUPS_ANNOTATION)
