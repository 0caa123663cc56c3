"""How urgent a job's pass is, by what the cache has."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.resource import DASK_JOBS
from daskjob.controller.cache import Cache
from daskjob.controller.fair_queue import Urgency
from daskjob.controllers.job.urgency import urgency_of
from daskjob.controllers.job.watched import WATCHED, job_of, pod_settles
from daskjob.kube.client import Body

KEY = ("team", "sum")
OPEN = {"attempts": [{"number": 1, "name": "sum-1"}]}
CLOSED = {"attempts": [{"number": 1, "name": "sum-1", "completionTime": "2026-03-01T11:30:00Z"}]}


def ended(**more: Any) -> dict[str, Any]:
    return {**CLOSED, "conditions": [{"type": "Failed", "status": "True"}], "observedGeneration": 1, **more}


def part(kind: str, name: str, **status: Any) -> Body:
    metadata = {"namespace": "team", "name": name, "uid": name, "labels": {"daskjob.io/job": "sum"}}
    return {"kind": kind, "metadata": metadata, "status": status}


CLEAN = [{"type": "Complete", "status": "True"}, {"type": "CleanedUp", "status": "True"}]
CLUSTER = part("DaskCluster", "sum-1")

CASES: dict[str, tuple[dict[str, Any], list[Body], Urgency]] = {
    "new": ({}, [], Urgency.BEGINS),
    "waits in the queue": ({"conditions": [{"type": "Queued", "status": "True"}]}, [], Urgency.BEGINS),
    "starts": (OPEN, [CLUSTER, part("Pod", "sum-1-runner", phase="Pending")], Urgency.GOES_ON),
    "runs": (OPEN, [CLUSTER, part("DaskJobReport", "sum-1", stage="Running")], Urgency.GOES_ON),
    "reported its end": (OPEN, [CLUSTER, part("DaskJobReport", "sum-1", outcome="Succeeded")], Urgency.ENDS),
    "runner ended": (OPEN, [CLUSTER, part("Pod", "sum-1-runner", phase="Failed")], Urgency.ENDS),
    "another pod ended": (OPEN, [CLUSTER, part("Pod", "sum-1-worker", phase="Failed")], Urgency.GOES_ON),
    "failed, cluster left": (CLOSED, [CLUSTER], Urgency.CLEANS_UP),
    "to be tried again": (CLOSED, [part("Pod", "sum-1-runner", phase="Failed")], Urgency.BEGINS),
    "ended": (ended(), [CLUSTER], Urgency.CLEANS_UP),
    "cleaned up": (ended(conditions=CLEAN), [], Urgency.RESTS),
    "edited after its end": (ended(conditions=CLEAN, observedGeneration=0), [], Urgency.BEGINS),
    "of a status without lists": ({"conditions": None, "attempts": None}, [], Urgency.BEGINS),
}


def urgency(status: dict[str, Any], parts: list[Body], spec: dict[str, Any] | None = None, **metadata: Any) -> Urgency:
    cache = Cache(DASK_JOBS, job_of)
    meta = {"namespace": "team", "name": "sum", "uid": "u", "generation": 1, **metadata}
    cache.put({"kind": "DaskJob", "metadata": meta, "spec": spec or {}, "status": status})
    for each in parts:
        cache.put(each)
    return urgency_of(cache, KEY)


@pytest.mark.parametrize(("status", "parts", "expected"), CASES.values(), ids=CASES)
def test_what_has_ended_goes_before_what_runs_and_what_wants_to_start(
    status: dict[str, Any], parts: list[Body], expected: Urgency
) -> None:
    assert urgency(status, parts) is expected


def test_a_job_that_is_gone_or_going_ends() -> None:
    cache = Cache(DASK_JOBS, job_of)
    cache.put(CLUSTER)
    assert urgency_of(cache, KEY) is Urgency.ENDS
    assert urgency({}, [], deletionTimestamp="2026-03-01T12:00:00Z") is Urgency.ENDS


@pytest.mark.parametrize("field", ["cancel", "suspend"])
def test_a_job_that_is_to_stop_ends(field: str) -> None:
    assert urgency(OPEN, [CLUSTER], {field: True}) is Urgency.ENDS
    assert urgency({}, [], {field: True}) is Urgency.BEGINS


def test_a_job_that_is_to_run_anew_begins() -> None:
    clean = ended(conditions=CLEAN, rerun="1")
    assert urgency(clean, [], annotations={"daskjob.io/rerun": "1"}) is Urgency.RESTS
    assert urgency(clean, [], annotations={"daskjob.io/rerun": "2"}) is Urgency.BEGINS


@pytest.mark.parametrize(
    ("component", "status", "settles"),
    [
        ("scheduler", {"phase": "Pending"}, True),
        ("scheduler", {"phase": "Running", "podIP": "fd00::9"}, False),
        ("worker", {"phase": "Running", "podIP": "fd00::9"}, True),
        ("scheduler", {}, True),
    ],
)
def test_somebody_waits_for_the_address_of_a_scheduler(component: str, status: dict[str, str], settles: bool) -> None:
    labels = {c.DASK_COMPONENT_LABEL: component}
    assert pod_settles({"metadata": {"name": "p", "labels": labels}, "status": status}) is settles


def test_somebody_waits_for_a_job_and_its_report() -> None:
    waited_for = {each.resource.kind for each in WATCHED if not each.settles({"metadata": {}})}
    assert waited_for == {"DaskJob", "DaskJobReport"}
