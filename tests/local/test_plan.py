from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daskjob.api.constants import Reason, WorkerCommand
from daskjob.api.graph_spec import ConfigMapSource, Graph, Source
from daskjob.api.resource_json import camel
from daskjob.api.spec import parse_spec
from daskjob.local.plan import (
    UNUSED,
    Plan,
    PlanError,
    check_payload,
    code_files,
    expand,
    job_file,
    make_plan,
    quantity,
    read_manifest,
    scheduler_command,
    worker_command,
    write_code,
)
from daskjob.schema import apply_defaults, property_paths

from ..support.dask_command import DASK_CUDA_OPTIONS

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
UID = "12345678-0000-4000-8000-000000000000"


def a_job(**spec: Any) -> dict[str, Any]:
    graph = {"entrypoint": "pkg.mod:graph", "source": {"inline": "graph = 1\n"}}
    return {"metadata": {"name": "a-job"}, "spec": {"graph": graph, **spec}}


def planned(manifest: dict[str, Any]) -> Plan:
    return make_plan(manifest, read_manifest(manifest, UID, NOW), lambda name: None)


def plan_of(**spec: Any) -> Plan:
    return planned(a_job(**spec))


def job_json(plan: Plan, code_path: str = "/code") -> dict[str, Any]:
    """The job file, parsed."""
    content: dict[str, Any] = json.loads(job_file(plan, "a-job-12345-1", "tcp://127.0.0.1:1", Path(code_path)).dump())
    return content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512Mi", 512 * 1024**2),
        ("2Gi", 2 * 1024**3),
        ("1.5G", 1_500_000_000),
        ("500M", 500_000_000),
        ("100k", 100_000),
        ("1e3", 1000),
        ("2E", 2 * 10**18),
        ("1Ei", 1024**6),
        ("128974848000m", 128974848),
        (4096, 4096),
    ],
)
def test_quantity(text: str | int, expected: int) -> None:
    assert quantity(text) == expected


@pytest.mark.parametrize("text", ["", "Mi", "12 Mi", "1KiB", "-1", "."])
def test_not_a_quantity(text: str) -> None:
    with pytest.raises(PlanError, match="no quantity: write for example 512Mi"):
        quantity(text)


def test_environment_expands_as_in_a_pod() -> None:
    known = {"A": "1", "B": "two"}
    assert expand("$(A)-$(B)", known) == "1-two"
    assert expand("$(C) $A", known) == "$(C) $A"
    assert expand("$$(A)", known) == "$(A)"
    assert expand("a$$b $$$(A) $(", known) == "a$b $1 $("


def test_environment_of_plain_values_and_a_note_for_others() -> None:
    secret = {"secretKeyRef": {"name": "s", "key": "k"}}
    plan = plan_of(
        cluster={
            "env": [
                {"name": "ROOT", "value": "/data"},
                {"name": "PLACE", "value": "$(ROOT)/x"},
                {"name": "PASSWORD", "valueFrom": secret},
                {"name": "EMPTY"},
            ]
        }
    )
    assert plan.environment == {"ROOT": "/data", "PLACE": "/data/x", "EMPTY": ""}
    (note,) = plan.notes
    assert "PASSWORD has valueFrom" in note


def test_a_store_is_the_same_here_but_for_its_credentials() -> None:
    store = {"url": "s3://a/b", "options": {"endpoint_url": "http://s3"}, "secretRef": {"name": "keys"}}
    plan = plan_of(result={"store": store, "format": "json"})
    assert job_json(plan)["store"] == {"url": "s3://a/b", "options": {"endpoint_url": "http://s3"}, "format": "json"}
    (note,) = plan.notes
    assert note.startswith("spec.result.store.secretRef: here the credentials are those of this process")
    assert job_json(plan_of())["store"] is None


def test_the_saturation_of_workers_is_a_setting_that_a_variable_overrides() -> None:
    name = "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION"
    cluster = {"scheduler": {"workerSaturation": 2}}
    assert plan_of(cluster=cluster).environment == {name: "2"}
    assert plan_of(cluster={**cluster, "env": [{"name": name, "value": "inf"}]}).environment == {name: "inf"}


def test_number_of_workers() -> None:
    assert plan_of().groups["default"].count == 1
    assert plan_of(cluster={"workers": {"replicas": 3}}).groups["default"].count == 3
    plan = plan_of(cluster={"workers": {"adaptive": {"minimum": 1, "maximum": 4}}})
    assert plan.groups["default"].count == 4
    assert plan.notes == ("adaptive: all 4 workers (the maximum) are started at once here",)


@pytest.mark.parametrize(
    ("workers", "wanted"),
    [({}, 1), ({"replicas": 4, "minWorkers": 3}, 3), ({"adaptive": {"minimum": 2, "maximum": 4}, "minWorkers": 2}, 2)],
)
def test_the_runner_waits_for_the_workers_that_the_job_starts_with(workers: dict[str, Any], wanted: int) -> None:
    plan = plan_of(cluster={"workers": workers})
    assert job_json(plan)["groups"][0]["minWorkers"] == wanted


UNUSED_NOTE = "not used by a local run, which makes one attempt: "


@pytest.mark.parametrize("part", ["cluster.scheduler", "cluster.workers", "runner"])
def test_variables_that_only_a_cluster_has_are_said(part: str) -> None:
    container = {"name": part.rpartition(".")[2].rstrip("s"), "envFrom": [{"secretRef": {"name": "database"}}]}
    spec: dict[str, Any] = {"template": {"spec": {"containers": [container]}}}
    for name in reversed(part.split(".")):
        spec = {name: spec}
    (note,) = plan_of(**spec).notes
    assert note.startswith("envFrom of the pod templates: only a cluster has Secrets")


@pytest.mark.parametrize(
    ("spec", "notes"),
    [
        ({}, []),
        ({"suspend": False, "cancel": False, "managedBy": "daskjob.io/operator"}, []),
        ({"backoffLimit": 0, "infrastructureRetries": 3, "backoff": {"initialSeconds": 10}, "cleanup": {}}, []),
        ({"activeDeadlineSeconds": 5, "attemptDeadlineSeconds": 5, "stallTimeoutSeconds": 50}, []),
        ({"suspend": True}, ["spec.suspend is true: a cluster would wait until it is false; here the job runs"]),
        (
            {"managedBy": "example.org/other"},
            ["spec.managedBy: on a cluster example.org/other decides about the job; here it runs"],
        ),
        ({"backoffLimit": 2}, [f"{UNUSED_NOTE}spec.backoffLimit"]),
        (
            {"report": {"logs": True}},
            ["spec.report: nothing is saved into a store here; --report FOLDER keeps trace and report"],
        ),
        (
            {"priority": 5, "backoff": {"maximumSeconds": 5}, "failurePolicy": {"rules": []}, "runPolicy": "OnChange"},
            [f"{UNUSED_NOTE}spec.backoff, spec.failurePolicy, spec.runPolicy, spec.priority"],
        ),
        (
            {"ttlSecondsAfterFinished": 0, "cleanup": {"afterFailureSeconds": 5}, "priorityClassName": "low"},
            [f"{UNUSED_NOTE}spec.ttlSecondsAfterFinished, spec.cleanup, spec.priorityClassName"],
        ),
    ],
    ids=str,
)
def test_what_a_cluster_would_do_is_said(spec: dict[str, Any], notes: list[str]) -> None:
    assert list(plan_of(**spec).notes) == notes
    manifest = apply_defaults({"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", **a_job(**spec)})
    assert list(planned(manifest).notes) == notes, "what has its default is not mentioned"


def test_every_field_of_the_spec_is_used_or_named() -> None:
    fields = {
        path.removeprefix("spec.") for path in property_paths("DaskJob") if path.count(".") == 1 and "spec." in path
    }
    used = {"graph", "cluster", "result", "activeDeadlineSeconds", "attemptDeadlineSeconds", "startupDeadlineSeconds"}
    noted = {"stallTimeoutSeconds", "suspend", "cancel", "managedBy", "report", *(camel(name) for name in UNUSED)}
    assert fields - used - noted == {"runner"}, "whose resources and template are a pod's"


def test_a_job_that_is_cancelled_already() -> None:
    with pytest.raises(PlanError, match=r"spec\.cancel is true: take it out") as caught:
        plan_of(cancel=True)
    assert caught.value.reason == "Cancelled"


def test_arguments_beyond_the_limits() -> None:
    with pytest.raises(PlanError, match="at most 262144: put data where the graph can read it") as caught:
        plan_of(graph={"entrypoint": "pkg.mod:graph", "args": ["x" * 300_000]})
    assert caught.value.reason == "InvalidSpec"


def test_several_processes_divide_the_memory() -> None:
    limits = {"limits": {"memory": "1Gi"}}
    plan = plan_of(cluster={"workers": {"processes": 4, "resources": limits}, "workerGroups": [{"name": "a"}]})
    command = worker_command(plan.groups["default"], "worker-0", Path("/s"), Path("/t"))
    assert command[command.index("--nworkers") + 1] == "4"
    assert command[command.index("--memory-limit") + 1] == str(256 * 1024**2)
    assert [each["processes"] for each in job_json(plan)["groups"]] == [4, 1]
    free = plan_of(cluster={"workers": {"processes": 2}})
    assert "--nanny" in worker_command(free.groups["default"], "worker-0", Path("/s"), Path("/t"))


def test_the_options_of_dask_cuda() -> None:
    group = plan_of(cluster={"workers": {"resources": {"limits": {"memory": "3Gi"}}, "processes": 3}}).groups["default"]
    command = worker_command(replace(group, command=WorkerCommand.CUDA), "worker-0", Path("/s"), Path("/t"))
    assert {each for each in command if each.startswith("--")} <= DASK_CUDA_OPTIONS
    assert command[command.index("--memory-limit") + 1] == str(2**30)


def test_dask_cuda_is_not_here() -> None:
    with pytest.raises(PlanError, match="command: cuda needs dask-cuda and a GPU on this machine") as raised:
        plan_of(cluster={"workerGroups": [{"name": "gpu", "command": "cuda"}]})
    assert raised.value.reason is Reason.DASK_CUDA_MISSING


def test_a_nanny_only_where_it_has_a_limit_to_watch() -> None:
    paths = Path("scheduler.json"), Path("scratch")
    free = worker_command(plan_of().groups["default"], "worker-0", *paths)
    assert "--no-nanny" in free
    assert "--memory-limit" not in free
    limited = plan_of(cluster={"workers": {"resources": {"limits": {"memory": "1Gi"}}, "threads": 2}})
    command = worker_command(limited.groups["default"], "worker-0", *paths)
    assert command[command.index("--memory-limit") + 1] == str(1024**3)
    assert command[command.index("--nthreads") + 1] == "2"
    assert "--no-nanny" not in command


@pytest.mark.parametrize("port", [None, 8787])
def test_the_dashboard_listens_on_the_loopback_only(port: int | None) -> None:
    command = scheduler_command(8786, Path("scheduler.json"), port)
    assert command[command.index("--dashboard-address") + 1] == f"127.0.0.1:{port or 0}"
    assert ("--no-dashboard" in command) == (port is None)


def test_inline_source_is_the_module_of_the_entrypoint() -> None:
    assert plan_of().code == {"pkg/mod.py": b"graph = 1\n"}


def test_no_source_means_the_current_directory() -> None:
    assert code_files(Graph("a:b"), lambda name: None) is None


def test_config_map() -> None:
    graph = Graph("a:b", source=Source(config_map=ConfigMapSource("code")))
    content = {"data": {"a.py": "b = 1"}, "binaryData": {"c.bin": base64.b64encode(b"\xff").decode()}}
    assert code_files(graph, {"code": content}.get) == {"a.py": b"b = 1", "c.bin": b"\xff"}
    with pytest.raises(PlanError, match="there is no ConfigMap 'code'") as caught:
        code_files(graph, {"other": content}.get)
    assert caught.value.reason == "ConfigMapNotFound"


@pytest.mark.parametrize("name", ["/etc/x.py", "../x.py", "a/../../x.py"])
def test_files_stay_in_their_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="write a relative path"):
        write_code({name: b""}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_job_file() -> None:
    plan = plan_of(startupDeadlineSeconds=30)
    assert job_json(plan) == {
        "protocol": 1,
        "job": {"namespace": "default", "name": "a-job", "uid": UID},
        "attempt": 1,
        "report": "a-job-12345-1",
        "graph": {"entrypoint": "pkg.mod:graph", "args": [], "kwargs": {}, "keys": None},
        "scheduler": {"address": "tcp://127.0.0.1:1", "timeoutSeconds": 30},
        "codePath": "/code",
        "payloadPath": None,
        "groups": [
            {"name": "default", "prefix": "worker-", "minWorkers": 1, "adaptive": None, "resources": {}, "processes": 1}
        ],
        "limits": {"resultBytes": 262144},
        "deadline": None,
        "unattendedSeconds": 600.0,
        "forgottenSeconds": 600.0,
        "store": None,
        "keep": None,
    }


@pytest.mark.parametrize(
    ("payload", "reason", "words"),
    [
        (None, Reason.PAYLOAD_MISSING, "no manifest has it: submit the function by daskjob.connect"),
        (b"another", Reason.FILES_CHANGED, "another SHA-256"),
    ],
)
def test_a_payload_that_no_client_brings(payload: bytes | None, reason: Reason, words: str) -> None:
    graph = parse_spec({"graph": {"entrypoint": "m:f", "source": {"payload": {"sha256": "0a" * 32}}}}).graph
    with pytest.raises(PlanError, match=words) as error:
        check_payload(graph, payload)
    assert error.value.reason == reason
