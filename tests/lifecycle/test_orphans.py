"""What the janitor deletes: objects of jobs that are gone, and that the garbage collector was told to leave."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.orphans import decide_orphans

from .builders import NOW, UID, ago

ATTEMPT = "sum-3f2a9-1-bcdfghjk"
OF_CLUSTER = {"apiVersion": c.DASK_API_VERSION, "kind": "DaskWorkerGroup", "name": "x", "uid": "g", "controller": True}


def body(
    kind: str = "DaskCluster", uid: str | None = UID, seconds_ago: float = 120, name: str = ATTEMPT, **metadata: Any
) -> dict[str, Any]:
    labels = {c.MANAGED_BY_LABEL: c.MANAGER, c.JOB_LABEL: "sum", c.ATTEMPT_LABEL: "1"}
    return {
        "kind": kind,
        "metadata": {
            "name": name,
            "uid": "u",
            "creationTimestamp": to_seconds_text(ago(seconds_ago)),
            "labels": {**labels, **({c.JOB_UID_LABEL: uid} if uid else {})},
            "annotations": {c.TOKEN_ANNOTATION: "t"},
            **metadata,
        },
    }


FOREIGN = {c.JOB_UID_LABEL: UID, c.JOB_LABEL: "sum"}
CASES = {
    "of a job that is gone": (body(), None, True),
    "of a job that was made again": (body(), "new", True),
    "a runner": (body("Pod", name=f"{ATTEMPT}-runner"), None, True),
    "a scheduler": (body("Pod", name=f"{ATTEMPT}-scheduler", annotations={}, ownerReferences=[OF_CLUSTER]), None, True),
    "a worker": (
        body("Pod", name=f"{ATTEMPT}-default-worker-0123456789", annotations={}, ownerReferences=[OF_CLUSTER]),
        None,
        True,
    ),
    "a group": (body("DaskWorkerGroup", name=f"{ATTEMPT}-default"), None, True),
    "a report": (body("DaskJobReport"), None, True),
    "of the job": (body(), UID, False),
    "new": (body(seconds_ago=119), None, False),
    "of no job": (body(uid=None), None, False),
    "on its way out": (body(deletionTimestamp="2026-03-01T11:00:00Z"), None, False),
    "without the operator's label": (body(labels=FOREIGN), None, False),
    "of a kind that goes with its owner": (body("Service"), None, False),
    "of no known age": (body(creationTimestamp=None), None, False),
    "a cluster with a name of somebody's choice": (body(name="sum-1"), None, False),
    "a pod with a name of somebody's choice": (body("Pod", name="aaa"), None, False),
    "a name with another UID": (body(name="sum-00000-1-bcdfghjk"), None, False),
    "a name of another job": (body(name="mean-3f2a9-1-bcdfghjk"), None, False),
    "a runner without a token": (body("Pod", name=f"{ATTEMPT}-runner", annotations={}), None, False),
    "a worker of nobody": (body("Pod", name=f"{ATTEMPT}-default-worker-0"), None, False),
    "a pod with a name that goes on": (body("Pod", name=f"{ATTEMPT}-runner-2"), None, False),
}


@pytest.mark.parametrize(("orphan", "uid", "deleted"), CASES.values(), ids=CASES)
def test_orphans(orphan: dict[str, Any], uid: str | None, deleted: bool) -> None:
    found = decide_orphans([orphan], uid, NOW)
    assert [each.target.uid for each in found] == (["u"] if deleted else [])
