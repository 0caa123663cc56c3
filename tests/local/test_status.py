"""A local run's status follows from the rules of a cluster, and has the shape that the CRD gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from daskjob.api import constants as c
from daskjob.api.constants import ConditionType
from daskjob.api.resource_json import to_dict
from daskjob.api.runner_report import read_report
from daskjob.api.status import DaskJobStatus
from daskjob.api.tokens import Draw, Tokens
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.observation import Job, Observation
from daskjob.lifecycle.job.reading import observe as observe_cluster
from daskjob.local.observation import ProcessState, RunState, observe, will_not_start
from daskjob.local.plan import Plan, make_plan, read_manifest
from daskjob.schema import apply_defaults

CRD = Path(__file__).parents[2] / "crds" / "daskjobs.yaml"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
TEXT = "2026-01-31T12:00:01.500000Z"
UID = "12345678-0000-4000-8000-000000000000"
TOKENS = Tokens("a secret")
REPORT = {
    "protocol": 1,
    "seq": 7,
    "stage": "Running",
    "heartbeatTime": TEXT,
    "progress": {
        "total": 501,
        "done": 416,
        "processing": 2,
        "erred": 1,
        "prefixes": [{"name": "square", "total": 500, "done": 416, "processing": 2, "erred": 1}],
    },
    "workers": {"connected": 2, "threads": 2},
    "timings": {"runnerStarted": TEXT, "connected": TEXT, "firstWorker": TEXT, "graphStarted": TEXT},
}
RESULT = {
    "type": "int",
    "value": "41541750",
    "size": 8,
    "sha256": "d11a5ea3a9c3da6cfa2c3bb9c45a8cf9b8b2a9e4f57c4e5f8a1bb2b1b7d8b4d0",
}
FAILURE = {"reason": "TaskFailed", "exceptionType": "ValueError", "message": "no", "traceback": "Tb", "taskKey": "i-1"}
DONE = {**REPORT, "stage": "Finished"}


@dataclass(frozen=True)
class Story:
    """What happens to an attempt, by when it is looked at. Exit codes: None while the process runs."""

    seconds: float = 5
    report: dict[str, Any] | None = None
    runner: int | None = None
    message: str = ""
    scheduler: int | None = None
    workers: Sequence[int | None] = (None, None)
    spec: dict[str, Any] = field(default_factory=dict)


STORIES = {
    "starting": Story(),
    "connected": Story(report={**REPORT, "stage": "Connected", "progress": None, "workers": {"connected": 1}}),
    "running": Story(report=REPORT),
    "succeeded": Story(report={**DONE, "outcome": "Succeeded", "result": RESULT}),
    "failed": Story(report={**DONE, "outcome": "Failed", "failure": FAILURE}),
    "exited early": Story(runner=0),
    "exited": Story(runner=3),
    "exited with last words": Story(
        runner=1,
        message='{"protocol":1,"outcome":"Failed","failure":{"reason":"TaskFailed","message":"no"}}',
    ),
    "killed": Story(runner=137),
    "scheduler died": Story(report=REPORT, scheduler=7),
    "scheduler lost, nothing shows it": Story(
        80, report={**DONE, "outcome": "Failed", "failure": {"reason": "SchedulerLost", "message": "gone"}}
    ),
    "scheduler lost, it shows": Story(
        report={**DONE, "outcome": "Failed", "failure": {"reason": "SchedulerLost", "message": "gone"}}, scheduler=7
    ),
    "workers killed": Story(
        80, report={**DONE, "outcome": "Failed", "failure": {"reason": "WorkersKilled", "message": "4 died"}}
    ),
    "no workers": Story(
        report={**DONE, "outcome": "Failed", "failure": {"reason": "NoWorkers", "message": "none came"}}
    ),
    "stopped from outside": Story(
        80, report={**DONE, "outcome": "Failed", "failure": {"reason": "Cancelled", "message": "SIGTERM"}}
    ),
    "active deadline": Story(10, report=REPORT, spec={"activeDeadlineSeconds": 9}),
    "attempt deadline": Story(10, report=REPORT, spec={"attemptDeadlineSeconds": 9}),
    "startup deadline": Story(10, spec={"startupDeadlineSeconds": 9}),
    "stalled": Story(70, report=REPORT, spec={"stallTimeoutSeconds": 60}),
}
ONE_ATTEMPT = {"backoffLimit": 0, "infrastructureRetries": 0}


def plan_of(**spec: Any) -> Plan:
    graph = {"entrypoint": "square_sum:graph", "source": {"inline": "graph = 1\n"}}
    manifest = {"apiVersion": c.API_VERSION, "kind": "DaskJob", "metadata": {"name": "square-sum"}}
    whole = {"graph": graph, "cluster": {"image": "i", "workers": {"replicas": 2}}, **ONE_ATTEMPT, **spec}
    content = apply_defaults({**manifest, "spec": whole})
    return make_plan(content, read_manifest(content, UID, NOW), lambda name: None)


def begun(job: Job, draw: Draw | None = None) -> Job:
    """With the first attempt recorded."""
    decision = decide(Observation(NOW, job, live=True, settled=True, draw=draw or Draw()))
    return replace(job, status=decision.status)


def state_of(story: Story) -> RunState:
    workers = [ProcessState(f"worker-{i}", "worker", NOW, code) for i, code in enumerate(story.workers)]
    return RunState(
        ProcessState("scheduler", "scheduler", NOW, story.scheduler),
        workers,
        ProcessState("runner", "runner", NOW, story.runner, words=story.message),
        read_report(story.report),
        NOW + timedelta(seconds=story.seconds - 1) if story.report is not None else None,
    )


def local(story: Story, job: Job) -> Observation:
    return observe(job, state_of(story), NOW + timedelta(seconds=story.seconds))


def on_a_cluster(story: Story, job: Job) -> Observation:
    """The same story, told by the objects of a cluster, which prove by tokens that they are the job's."""
    name = f"square-sum-{UID[:5]}-1"

    def labels(component: str) -> dict[str, str]:
        return {c.JOB_UID_LABEL: UID, c.JOB_LABEL: "square-sum", c.ATTEMPT_LABEL: "1", c.COMPONENT_LABEL: component}

    tokens = {"DaskCluster": TOKENS.cluster, "DaskJobReport": TOKENS.runner, "Pod": TOKENS.runner}

    def body(kind: str, title: str, component: str = "", **more: Any) -> dict[str, Any]:
        metadata = {"namespace": "default", "name": title, "uid": f"uid-{title}", "labels": labels(component)}
        metadata["annotations"] = {c.TOKEN_ANNOTATION: tokens.get(kind, "")}
        return {"kind": kind, "metadata": {**metadata, "creationTimestamp": "2026-01-31T12:00:00Z"}, **more}

    def owned(part: dict[str, Any], kind: str, title: str) -> dict[str, Any]:
        owner = {"apiVersion": c.DASK_API_VERSION, "kind": kind, "name": title, "uid": f"uid-{title}"}
        return {**part, "metadata": {**part["metadata"], "ownerReferences": [{**owner, "controller": True}]}}

    def pod(title: str, component: str, code: int | None, message: str = "") -> dict[str, Any]:
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": message}
        running = {"running": {"startedAt": "2026-01-31T12:00:00Z"}}
        state = running if code is None else {"terminated": ended}
        status = {"name": component, "ready": False, "state": state}
        phase = "Running" if code is None else "Failed" if code else "Succeeded"
        spec = {"containers": [{"name": component}]}
        return body("Pod", title, component, spec=spec, status={"phase": phase, "containerStatuses": [status]})

    group = f"{name}-default"
    objects = [
        body("DaskCluster", name),
        owned(body("DaskWorkerGroup", group, spec={"worker": {"replicas": 2}}), "DaskCluster", name),
        owned(pod(f"{name}-scheduler", "scheduler", story.scheduler), "DaskCluster", name),
        *(
            owned(pod(f"{group}-worker-{i}", "worker", code), "DaskWorkerGroup", group)
            for i, code in enumerate(story.workers)
        ),
        pod(f"{name}-runner", "runner", story.runner, story.message),
        body("DaskJobReport", name, spec={"runnerPodUID": f"uid-{name}-runner"}, status=story.report or {}),
    ]
    seen = observe_cluster(job, objects, NOW + timedelta(seconds=story.seconds))
    changed = NOW + timedelta(seconds=1 if story.seconds > 75 else story.seconds - 1)
    return replace(seen, live=True, last_report_at=changed if story.report is not None else None)


def told(status: DaskJobStatus) -> dict[str, Any]:
    """What users and programs go by; pods have other names than processes."""
    failure, attempt = status.failure, status.current
    assert attempt is not None
    return {
        "phase": status.phase,
        "conditions": [(each.type, each.status, each.reason) for each in status.conditions],
        "summary": status.summary,
        "failure": (failure.reason, failure.failure_class, failure.exit_code) if failure is not None else None,
        "attempt": (attempt.number, attempt.name, attempt.run, attempt.outcome, attempt.reason, attempt.failure_class),
        "progress": status.progress,
        "workers": status.cluster.workers if status.cluster is not None else None,
        "result": status.result,
    }


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_one_story_has_one_status_on_a_cluster_and_here(story: Story) -> None:
    job = plan_of(**story.spec).job
    here = decide(local(story, begun(job)))
    there = decide(on_a_cluster(story, begun(job, Draw(digest=TOKENS.digest))))
    assert told(here.status) == told(there.status)


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


def status_after(story: Story) -> DaskJobStatus:
    """The status once all is cleaned up, if the story ends."""
    job = begun(plan_of(**story.spec).job)
    decision = decide(local(story, job))
    if not decision.status.finished:
        return decision.status
    job = replace(job, status=decision.status)
    ended = replace(state_of(story), scheduler=None, workers=(), runner=ProcessState("runner", "runner", NOW, 0))
    return decide(observe(job, ended, NOW + timedelta(seconds=story.seconds + 1))).status


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_shape(story: Story, schema: Any) -> None:
    jsonschema.validate(to_dict(status_after(story)), schema)


def test_phases() -> None:
    phases = {
        title: str(status_after(STORIES[title]).phase) for title in ("starting", "running", "succeeded", "failed")
    }
    assert phases == {"starting": "Starting", "running": "Running", "succeeded": "Succeeded", "failed": "Failed"}


def test_succeeded() -> None:
    status = to_dict(status_after(STORIES["succeeded"]))
    assert status["summary"] == "41541750"
    assert status["result"] == {**RESULT, "sha256": status["result"]["sha256"]}
    assert status["progress"] | {"prefixes": None, "lastChange": None} == {
        "total": 501,
        "done": 416,
        "processing": 2,
        "erred": 1,
        "percent": 83,
        "summary": "416/501",
        "prefixes": None,
        "lastChange": None,
    }
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [
        ("ClusterReady", "False"),
        ("Complete", "True"),
        ("CleanedUp", "True"),
        ("Ready", "True"),
    ]
    assert status["startTime"] == "2026-01-31T12:00:00Z"
    assert status["timings"]["accepted"] == "2026-01-31T12:00:00.000000Z"
    assert (status["run"], status["attempt"]) == (1, 1)
    assert [(each["number"], each["run"]) for each in status["attempts"]] == [(1, 1)]


def test_failed() -> None:
    status = to_dict(status_after(STORIES["failed"]))
    assert status["summary"] == "TaskFailed"
    assert status["failure"]["class"] == "Application"
    assert status["failure"]["taskKey"] == "i-1"
    assert status["attempts"][0]["class"] == "Application"
    (condition,) = [each for each in status["conditions"] if each["type"] == "Failed"]
    assert (condition["reason"], condition["message"]) == ("TaskFailed", "no")


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("starting", {"Ready": "False", "Reconciling": "True"}),
        ("running", {"Ready": "False", "Reconciling": "True"}),
        ("succeeded", {"Ready": "True"}),
        ("failed", {"Ready": "False", "Stalled": "True"}),
    ],
)
def test_what_tools_that_know_nothing_of_jobs_go_by(story: str, expected: dict[str, str]) -> None:
    conditions = {str(each.type): each.status for each in status_after(STORIES[story]).conditions}
    assert {kind: conditions[kind] for kind in ("Ready", "Reconciling", "Stalled") if kind in conditions} == expected


def test_workers_ready() -> None:
    status = status_after(STORIES["running"])
    assert status.cluster is not None
    assert status.cluster.summary == "2/2"
    ready = status.condition(ConditionType.CLUSTER_READY)
    assert ready is not None
    assert ready.reason == "WorkersReady"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RunState(), False),
        (RunState(ProcessState("scheduler", "scheduler", NOW)), False),
        (RunState(ProcessState("scheduler", "scheduler", NOW, 7)), True),
        (RunState(workers=[ProcessState("worker-0", "worker", NOW, restarts=2)]), False),
        (RunState(workers=[ProcessState(f"worker-{i}", "worker", NOW, restarts=2) for i in (0, 1)]), True),
        (RunState(ProcessState("scheduler", "scheduler", NOW, 7), report=read_report(REPORT)), False),
        (RunState(workers=[ProcessState("worker-0", "worker", NOW, restarts=9)], report=read_report(REPORT)), False),
    ],
)
def test_what_does_not_come_up(state: RunState, expected: bool) -> None:
    """Once the runner has reached the scheduler, what ends is lost, which other rules tell."""
    assert will_not_start(state) == expected
