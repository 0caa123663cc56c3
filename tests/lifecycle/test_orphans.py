"""What the janitor deletes: objects of jobs that are gone, and that the garbage collector was told to leave."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.orphans import decide_orphans

from .builders import NOW, ago


def body(
    kind: str = "DaskCluster", uid: str | None = "old", seconds_ago: float = 120, **metadata: Any
) -> dict[str, Any]:
    labels = {c.MANAGED_BY_LABEL: c.MANAGER, c.JOB_LABEL: "sum", c.ATTEMPT_LABEL: "1"}
    return {
        "kind": kind,
        "metadata": {
            "name": "sum-1",
            "uid": "u",
            "creationTimestamp": to_seconds_text(ago(seconds_ago)),
            "labels": {**labels, **({c.JOB_UID_LABEL: uid} if uid else {})},
            **metadata,
        },
    }


FOREIGN = {c.JOB_UID_LABEL: "old", c.JOB_LABEL: "sum"}
CASES = {
    "of a job that is gone": (body(), None, True),
    "of a job that was made again": (body(), "new", True),
    "a pod": (body("Pod"), None, True),
    "a report": (body("DaskJobReport"), None, True),
    "of the job": (body(), "old", False),
    "new": (body(seconds_ago=119), None, False),
    "of no job": (body(uid=None), None, False),
    "on its way out": (body(deletionTimestamp="2026-03-01T11:00:00Z"), None, False),
    "not of the operator's making": (body(labels=FOREIGN), None, False),
    "of a kind that goes with its owner": (body("Service"), None, False),
    "of no known age": (body(creationTimestamp=None), None, False),
}


@pytest.mark.parametrize(("orphan", "uid", "deleted"), CASES.values(), ids=CASES)
def test_orphans(orphan: dict[str, Any], uid: str | None, deleted: bool) -> None:
    found = decide_orphans([orphan], uid, NOW)
    assert [each.target.uid for each in found] == (["u"] if deleted else [])
