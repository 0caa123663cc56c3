"""What may change of a DaskJob and a DaskJobReport that exist, and that their status holds all that it should."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from daskjob.schema import load_crds

from ..crd.cases import a_job
from .server import Answer, Server

GROUP = "/apis/daskjob.io/v1alpha1/namespaces"

FULL = """
graph:
  entrypoint: square_sum:graph
  args: [500, {deep: [1, {deeper: 2}]}]
  kwargs: {a: {b: [1]}}
  keys: [["x", 0]]
  source: {files: {square_sum.py: "graph = 1"}}
cluster:
  env: [{name: A, value: b}]
  workers:
    replicas: 2
    resources: {limits: {cpu: 1}}
    template: {spec: {containers: [{name: worker, securityContext: {runAsUser: 1}}]}}
runner: {template: {spec: {nodeSelector: {a: b}}}}
"""


def refused(answer: Answer, field: str, words: str) -> None:
    assert answer.status == 422, answer
    assert [cause for cause in answer.causes if cause[0] == field and words in cause[1]], answer.causes


@pytest.fixture
def jobs(server: Server, namespace: str) -> str:
    """The path of a namespace's jobs, with one that uses most fields."""
    path = f"{GROUP}/{namespace}/daskjobs"
    server.admin.create(path, a_job(FULL)).ok()
    return path


@pytest.mark.parametrize(
    ("steps", "value", "field"),
    [
        (["graph", "entrypoint"], "other:graph", "graph"),
        (["graph", "args", 0], 501, "graph"),
        (["graph", "args", 1, "deep", 1, "deeper"], 3, "graph"),
        (["graph", "args", 1, "deep", 1, "new"], 3, "graph"),
        (["graph", "kwargs", "a", "b", 0], "1", "graph"),
        (["graph", "keys", 0, 1], 1, "graph"),
        (["graph", "source", "files", "square_sum.py"], "graph = 2", "graph"),
        (["graph", "source"], None, "graph"),
        (["cluster", "workers", "replicas"], 3, "cluster"),
        (["cluster", "workers", "threads"], 3, "cluster"),
        (["cluster", "dashboard"], False, "cluster"),
        (["cluster", "env", 0, "value"], "c", "cluster"),
        (["cluster", "workers", "resources", "limits", "cpu"], "1", "cluster"),
        (["cluster", "workers", "template", "spec", "containers", 0, "securityContext", "runAsUser"], 0, "cluster"),
        (["cluster"], None, "cluster"),
        (["runner", "template", "spec", "nodeSelector", "a"], "c", "runner"),
        (["runner"], None, "runner"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, list) else "",
)
def test_the_spec_cannot_be_changed(server: Server, jobs: str, steps: list[Any], value: Any, field: str) -> None:
    """Deep inside the open parts neither: equality in CEL sees their whole value."""
    changed = server.admin.get(f"{jobs}/square-sum").ok()
    within = changed["spec"]
    for step in steps[:-1]:
        within = within[step]
    within[steps[-1]] = value
    answer = server.admin.request("PUT", f"{jobs}/square-sum", changed)
    refused(answer, f"spec.{field}", "delete the job and apply it again, or give it another name")


def test_a_runner_cannot_be_added(server: Server, namespace: str) -> None:
    path = f"{GROUP}/{namespace}/daskjobs"
    server.admin.create(path, a_job()).ok()
    refused(server.admin.merge(f"{path}/square-sum", {"spec": {"runner": {}}}), "spec.runner", "cannot be changed")


def test_nor_the_priority_class(server: Server, namespace: str) -> None:
    path = f"{GROUP}/{namespace}/daskjobs"
    server.admin.create(path, a_job("{priorityClassName: low}")).ok()
    server.admin.create(path, a_job(name="other")).ok()
    for job, value in (("square-sum", "high"), ("square-sum", None), ("other", "high")):
        answer = server.admin.merge(f"{path}/{job}", {"spec": {"priorityClassName": value}})
        refused(answer, "spec.priorityClassName", "set runPolicy to OnChange")


RUN: list[dict[str, Any]] = [
    {"graph": {"entrypoint": "other:graph"}},
    {"cluster": {"workers": {"replicas": 3}}},
    {"runner": {"resources": {"limits": {"cpu": 1}}}},
    {"runner": None},
    {"priorityClassName": "high"},
]


@pytest.mark.parametrize("change", RUN, ids=lambda change: next(iter(change)))
def test_what_makes_a_run_may_be_changed_where_that_is_a_new_run(
    server: Server, jobs: str, change: dict[str, Any]
) -> None:
    job = f"{jobs}/square-sum"
    assert server.admin.merge(job, {"spec": change}).status == 422
    server.admin.merge(job, {"spec": change | {"runPolicy": "OnChange"}}).ok()
    server.admin.merge(job, {"spec": {"runPolicy": "Once"}}).ok()
    server.admin.merge(job, {"spec": {"runPolicy": "OnChange"}}).ok()
    server.admin.merge(job, {"spec": {"graph": {"args": [1]}}}).ok()
    assert server.admin.merge(job, {"spec": {"graph": {"args": [2]}, "runPolicy": "Once"}}).status == 422


@pytest.mark.parametrize("policy", ["Once", "OnChange"])
def test_another_manager_needs_another_job(server: Server, namespace: str, policy: str) -> None:
    path = f"{GROUP}/{namespace}/daskjobs"
    server.admin.create(path, a_job(f"{{runPolicy: {policy}}}")).ok()
    for other in ("example.org/other", None):
        answer = server.admin.merge(f"{path}/square-sum", {"spec": {"managedBy": other}})
        if other is None:
            answer.ok()  # The default is the same.
        else:
            refused(answer, "spec.managedBy", "managedBy cannot be changed")


CONTROL: list[dict[str, Any]] = [
    {"suspend": True},
    {"cancel": True},
    {"priority": 5},
    {"backoffLimit": 3, "infrastructureRetries": 0, "backoff": {"initialSeconds": 1}},
    {"failurePolicy": {"rules": [{"action": "Fail", "onReasons": ["TaskFailed"]}]}},
    {"attemptDeadlineSeconds": 60, "stallTimeoutSeconds": 60, "ttlSecondsAfterFinished": 60},
    {"cleanup": {"afterFailureSeconds": 60}},
    {"runPolicy": "OnChange"},
]


@pytest.mark.parametrize("change", CONTROL, ids=lambda change: next(iter(change)))
def test_how_a_run_is_steered_may_be_changed_at_any_time(server: Server, jobs: str, change: dict[str, Any]) -> None:
    """And changed back."""
    job = f"{jobs}/square-sum"
    before = server.admin.get(job).ok()["spec"]
    after = server.admin.merge(job, {"spec": change}).ok()
    assert after["metadata"]["generation"] == 2
    assert after["spec"] != before
    back = server.admin.merge(job, {"spec": dict.fromkeys(change)}).ok()
    assert back["spec"] == before


def test_rules_hold_for_changes_too(server: Server, jobs: str) -> None:
    job = f"{jobs}/square-sum"
    retry = {"failurePolicy": {"rules": [{"action": "Retry", "onReasons": ["TaskFailed"]}]}}
    refused(server.admin.merge(job, {"spec": retry}), "spec.backoffLimit", "counts against backoffLimit")
    server.admin.merge(job, {"spec": retry | {"backoffLimit": 1}}).ok()
    refused(server.admin.merge(job, {"spec": {"backoffLimit": 0}}), "spec.backoffLimit", "counts against backoffLimit")


def test_deadlines_labels_and_a_repeated_apply_may(server: Server, jobs: str) -> None:
    job = f"{jobs}/square-sum"
    deadlines = {"activeDeadlineSeconds": 60, "startupDeadlineSeconds": 30}
    assert server.admin.merge(job, {"spec": deadlines}).ok()["metadata"]["generation"] == 2
    server.admin.merge(job, {"spec": {"activeDeadlineSeconds": None}}).ok()
    server.admin.merge(job, {"metadata": {"labels": {"a": "b"}}}).ok()
    again = server.admin.apply(job, a_job(FULL)).ok()
    assert again["metadata"]["generation"] == 3
    assert again["spec"]["startupDeadlineSeconds"] == 30


def example(schema: dict[str, Any]) -> Any:
    """A value that uses every field of a schema."""
    match schema.get("type"):
        case "object" if "additionalProperties" in schema:
            # The empty name is a JSON pointer to the top, in a result's types.
            return {name: example(schema["additionalProperties"]) for name in ("", "/0")}
        case "object":
            return {name: example(each) for name, each in schema.get("properties", {}).items()}
        case "array":
            return [example(schema["items"])]
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "string" if schema.get("format") == "date-time":
            return "2026-01-31T12:00:00.123456Z"
        case "string" if "pattern" in schema:
            return "0" * 64 if "0-9a-f" in schema["pattern"] else "Reason"
        case "string":
            return schema.get("enum", ["text"])[-1]
        case other:
            raise AssertionError(f"no example for {other}")


def status_of(kind: str) -> dict[str, Any]:
    (version,) = load_crds()[kind]["spec"]["versions"]
    status: dict[str, Any] = example(version["schema"]["openAPIV3Schema"]["properties"]["status"])
    return status


def test_the_whole_status_of_a_job_is_kept(server: Server, jobs: str) -> None:
    """As the operator writes it, by server-side apply, field for field."""
    status = status_of("DaskJob")
    manifest = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", "metadata": {"name": "square-sum"}}
    assert server.admin.apply(f"{jobs}/square-sum/status", manifest | {"status": status}).ok()["status"] == status
    misspelt = server.admin.apply(f"{jobs}/square-sum/status", manifest | {"status": {"phaze": "Running"}})
    assert "phaze" in misspelt.message


@pytest.mark.parametrize(
    "phase", ["", "Pending", "Queued", "Starting", "Running", "Retrying", "Suspended", "Succeeded", "Failed"]
)
def test_phases(server: Server, jobs: str, phase: str) -> None:
    server.admin.merge(f"{jobs}/square-sum/status", {"status": {"phase": phase}}).ok()


@pytest.mark.parametrize(
    ("status", "field"),
    [
        ({"phase": "Done"}, "status.phase"),
        ({"attempts": [{"number": n, "name": "a"} for n in range(1, 12)]}, "status.attempts"),
        ({"history": [{"run": n} for n in range(1, 7)]}, "status.history"),
        ({"history": [{"run": 1}, {"run": 1}]}, "status.history[1]"),
        ({"retries": {"ignored": -1}}, "status.retries.ignored"),
        ({"queuePosition": 0}, "status.queuePosition"),
        ({"observedGeneration": -2}, "status.observedGeneration"),
        ({"attempts": [{"number": 1, "name": "a"}, {"number": 1, "name": "b"}]}, "status.attempts[1]"),
        ({"result": {"value": "x" * 262145}}, "status.result.value"),
        ({"failure": {"message": "no reason"}}, "status.failure.reason"),
        ({"progress": {"percent": 101}}, "status.progress.percent"),
        ({"startTime": "yesterday"}, "status.startTime"),
    ],
)
def test_bounds_of_a_jobs_status(server: Server, jobs: str, status: dict[str, Any], field: str) -> None:
    refused(server.admin.merge(f"{jobs}/square-sum/status", {"status": status}), field, "")


def test_a_status_cannot_be_smuggled_in_with_the_spec(server: Server, namespace: str) -> None:
    path = f"{GROUP}/{namespace}/daskjobs"
    created = server.admin.create(path, a_job() | {"status": {"phase": "Succeeded"}}).ok()
    assert created["status"] == {"observedGeneration": -1}, "only that nobody has seen it yet"


def a_report(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJobReport",
        "metadata": {"name": "sum-abcde-1"},
        "spec": {"job": "sum", "jobUID": "uid", "attempt": 1} | spec,
    }


@pytest.fixture
def report(server: Server, namespace: str) -> str:
    """The path of a new report."""
    server.admin.create(f"{GROUP}/{namespace}/daskjobreports", a_report()).ok()
    return f"{GROUP}/{namespace}/daskjobreports/sum-abcde-1"


def test_a_report_belongs_to_one_attempt(server: Server, report: str) -> None:
    for field, value in {"job": "other", "jobUID": "other", "attempt": 2}.items():
        refused(server.admin.merge(report, {"spec": {field: value}}), f"spec.{field}", "belongs to one attempt")


def test_the_runners_pod_is_named_once(server: Server, report: str) -> None:
    server.admin.merge(report, {"spec": {"runnerPodUID": "one"}}).ok()
    server.admin.merge(report, {"spec": {"runnerPodUID": "one"}}).ok()
    for other in ("two", None):
        answer = server.admin.merge(report, {"spec": {"runnerPodUID": other}})
        refused(answer, "spec.runnerPodUID", "another pod needs another attempt")


def test_cancel_cannot_be_taken_back(server: Server, report: str) -> None:
    assert server.admin.get(report).ok()["spec"]["cancel"] is False
    server.admin.merge(report, {"spec": {"cancel": True}}).ok()
    for other in (False, None):
        refused(server.admin.merge(report, {"spec": {"cancel": other}}), "spec.cancel", "cannot be taken back")


def test_the_deadline_follows_the_jobs(server: Server, report: str) -> None:
    deadline = {"seconds": 60, "reason": "DeadlineExceeded", "message": "too long"}
    for seconds in (60, 10, 600):
        server.admin.merge(report, {"spec": {"deadline": {**deadline, "seconds": seconds}}}).ok()
    # Also after the end: it does not concern the status.
    server.admin.merge(f"{report}/status", {"status": {"outcome": "Failed"}}).ok()
    server.admin.merge(report, {"spec": {"deadline": None}}).ok()
    assert "deadline" not in server.admin.get(report).ok()["spec"]
    for field, value, words in (("seconds", 0, "greater than or equal to 1"), ("reason", "Evicted", "Unsupported")):
        answer = server.admin.merge(report, {"spec": {"deadline": {**deadline, field: value}}})
        refused(answer, f"spec.deadline.{field}", words)


def test_seq_never_goes_back(server: Server, report: str) -> None:
    for seq in (0, 5, 5, 6):
        server.admin.merge(f"{report}/status", {"status": {"seq": seq, "stage": "Running"}}).ok()
    for seq in (5, None):
        answer = server.admin.merge(f"{report}/status", {"status": {"seq": seq}})
        refused(answer, "status.seq", "older than the one that the report holds")


def test_an_outcome_seals_the_report(server: Server, report: str) -> None:
    status = status_of("DaskJobReport") | {"outcome": "Succeeded"}
    assert server.admin.merge(f"{report}/status", {"status": status}).ok()["status"] == status
    server.admin.merge(f"{report}/status", {"status": status}).ok()  # The same again: the answer may have been lost.
    changes: list[dict[str, Any]] = [
        {"outcome": "Failed"},
        {"outcome": None},
        {"seq": 99},
        {"heartbeatTime": "2026-01-31T12:00:01Z"},
        {"result": {"value": "0"}},
        {"result": {"types": {"/new": "int"}}},
        {"progress": {"prefixes": []}},
    ]
    for change in changes:
        refused(server.admin.merge(f"{report}/status", {"status": change}), "status", "the report is sealed")
    assert server.admin.get(report).ok()["status"] == status


@pytest.mark.parametrize("outcome", ["Succeeded", None])
def test_a_status_cannot_be_taken_away(server: Server, report: str, outcome: str | None) -> None:
    server.admin.merge(f"{report}/status", {"status": {"seq": 1, "outcome": outcome}}).ok()
    refused(server.admin.merge(f"{report}/status", {"status": None}), "status", "cannot be removed")
    whole = copy.deepcopy(server.admin.get(report).ok())
    whole["status"] = {}
    answer = server.admin.request("PUT", f"{report}/status", whole)
    assert answer.status == 422, answer


@pytest.mark.parametrize(
    ("status", "field"),
    [
        ({"outcome": "Running"}, "status.outcome"),
        ({"stage": "Sleeping"}, "status.stage"),
        ({"result": {"value": "x" * 262145}}, "status.result.value"),
        ({"progress": {"prefixes": [{"name": str(n)} for n in range(51)]}}, "status.progress.prefixes"),
        ({"progress": {"done": -1}}, "status.progress.done"),
        ({"workers": {"retired": ["a"] * 1001}}, "status.workers.retired"),
        ({"failure": {"reason": "X", "traceback": "x" * 65537}}, "status.failure.traceback"),
    ],
)
def test_bounds_of_a_report(server: Server, report: str, status: dict[str, Any], field: str) -> None:
    refused(server.admin.merge(f"{report}/status", {"status": status}), field, "")
