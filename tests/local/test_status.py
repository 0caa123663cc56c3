"""The status of a local run has the shape that the CRD gives a DaskJob's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from daskjob.local.status import Facts, build_status, failure, short

CRD = Path(__file__).parents[2] / "crds" / "daskjobs.yaml"

ACCEPTED, FINISHED = "2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:04.500000Z"
REPORT = {
    "protocol": 1,
    "seq": 7,
    "stage": "Finished",
    "progress": {
        "total": 501,
        "done": 416,
        "processing": 2,
        "erred": 1,
        "prefixes": [{"name": "square", "total": 500, "done": 416, "processing": 2, "erred": 1}],
    },
    "workers": {"connected": 2, "threads": 2},
    "timings": {"runnerStarted": ACCEPTED, "connected": ACCEPTED, "firstWorker": ACCEPTED, "graphStarted": ACCEPTED},
}
RESULT = {"type": "int", "value": "41541750", "types": {}, "size": 8, "sha256": "0" * 64}


def facts(**values: Any) -> Facts:
    return Facts("square-sum-12345-1", 1, 2, ACCEPTED, **values)


def closed(schema: Any) -> Any:
    """The schema with nothing allowed that it does not name."""
    if isinstance(schema, dict):
        schema = {name: closed(value) for name, value in schema.items() if not name.startswith("x-")}
        if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
    return schema


@pytest.fixture(scope="module")
def schema() -> Any:
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    return closed(version["schema"]["openAPIV3Schema"]["properties"]["status"])


CASES = {
    "accepted": facts(),
    "starting": facts(created=ACCEPTED, dashboard="http://127.0.0.1:1/status"),
    "running": facts(created=ACCEPTED, scheduler_started=ACCEPTED, report={**REPORT, "stage": "Running"}),
    "succeeded": facts(
        created=ACCEPTED,
        finished=FINISHED,
        cleaned_up=FINISHED,
        report={**REPORT, "outcome": "Succeeded", "result": RESULT},
    ),
    "failed": facts(
        finished=FINISHED,
        report={
            **REPORT,
            "outcome": "Failed",
            "failure": {
                "reason": "TaskFailed",
                "exceptionType": "ValueError",
                "message": "no",
                "traceback": "Traceback…",
                "taskKey": "invert-1",
            },
        },
    ),
    "deadline": facts(finished=FINISHED, failure=failure("DeadlineExceeded", "too long", exitCode=None)),
}


@pytest.mark.parametrize("case", CASES)
def test_shape(case: str, schema: Any) -> None:
    jsonschema.validate(build_status(CASES[case]), schema)


def test_phases() -> None:
    phases = {case: build_status(known)["phase"] for case, known in CASES.items()}
    assert phases == {
        "accepted": "Pending",
        "starting": "Starting",
        "running": "Running",
        "succeeded": "Succeeded",
        "failed": "Failed",
        "deadline": "Failed",
    }


def test_succeeded() -> None:
    status = build_status(CASES["succeeded"])
    assert status["summary"] == "41541750"
    assert status["result"] == RESULT
    assert status["progress"] | {"prefixes": None} == {
        "total": 501,
        "done": 416,
        "processing": 2,
        "erred": 1,
        "percent": 83,
        "summary": "416/501",
        "prefixes": None,
    }
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [
        ("ClusterReady", "False"),
        ("Complete", "True"),
        ("CleanedUp", "True"),
        ("Ready", "True"),
    ]
    assert status["startTime"] == "2026-01-31T12:00:00Z"
    assert status["timings"]["accepted"] == ACCEPTED


def test_failed() -> None:
    status = build_status(CASES["failed"])
    assert status["summary"] == "TaskFailed"
    assert status["failure"]["class"] == "Application"
    assert status["failure"]["taskKey"] == "invert-1"
    assert status["attempts"][0]["class"] == "Application"
    (condition,) = [each for each in status["conditions"] if each["type"] == "Failed"]
    assert (condition["reason"], condition["message"]) == ("TaskFailed", "no")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("accepted", {"Ready": "False", "Reconciling": "True"}),
        ("running", {"Ready": "False", "Reconciling": "True"}),
        ("succeeded", {"Ready": "True"}),
        ("failed", {"Ready": "False", "Stalled": "True"}),
    ],
)
def test_what_tools_that_know_nothing_of_jobs_go_by(case: str, expected: dict[str, str]) -> None:
    conditions = {each["type"]: each["status"] for each in build_status(CASES[case])["conditions"]}
    assert {kind: conditions[kind] for kind in ("Ready", "Reconciling", "Stalled") if kind in conditions} == expected


def test_there_is_one_run_of_one_attempt() -> None:
    status = build_status(CASES["succeeded"])
    assert (status["run"], status["attempt"]) == (1, 1)
    assert [(each["number"], each["run"]) for each in status["attempts"]] == [(1, 1)]


def test_workers_ready() -> None:
    status = build_status(CASES["running"])
    assert status["cluster"]["summary"] == "2/2"
    assert status["conditions"][0]["reason"] == "WorkersReady"


def test_whose_failure_it_is() -> None:
    assert failure("SchedulerLost", "")["class"] == "Infrastructure"
    assert failure("WorkersKilled", "")["class"] == "Application"


def test_short_result() -> None:
    assert short({"type": "int", "value": "1"}) == "1"
    assert short({"type": "list", "value": "x" * 61}) == "x" * 57 + "..."
    assert short({"type": "bytes"}) == "bytes"
