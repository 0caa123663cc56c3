from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from daskjob.local.plan import (
    PlanError,
    code_files,
    expand,
    job_file,
    make_plan,
    quantity,
    worker_command,
    write_code,
)

UID = "12345678-0000-4000-8000-000000000000"


def a_job(**spec: Any) -> dict[str, Any]:
    graph = {"entrypoint": "pkg.mod:graph", "source": {"inline": "graph = 1\n"}}
    return {"metadata": {"name": "a-job"}, "spec": {"graph": graph, **spec}}


def plan_of(**spec: Any) -> Any:
    return make_plan(a_job(**spec), UID, lambda name: None)


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


def test_number_of_workers() -> None:
    assert plan_of().workers == 1
    assert plan_of(cluster={"workers": {"replicas": 3}}).workers == 3
    plan = plan_of(cluster={"workers": {"adaptive": {"minimum": 1, "maximum": 4}}})
    assert plan.workers == 4
    assert plan.notes == ("adaptive: all 4 workers (the maximum) are started at once here",)


def test_a_nanny_only_where_it_has_a_limit_to_watch() -> None:
    paths = Path("scheduler.json"), Path("scratch")
    free = worker_command(plan_of(), "worker-0", *paths)
    assert "--no-nanny" in free
    assert "--memory-limit" not in free
    limited = plan_of(cluster={"workers": {"resources": {"limits": {"memory": "1Gi"}}, "threads": 2}})
    command = worker_command(limited, "worker-0", *paths)
    assert command[command.index("--memory-limit") + 1] == str(1024**3)
    assert command[command.index("--nthreads") + 1] == "2"
    assert "--no-nanny" not in command


def test_inline_source_is_the_module_of_the_entrypoint() -> None:
    assert plan_of().code == {"pkg/mod.py": b"graph = 1\n"}


def test_no_source_means_the_current_directory() -> None:
    assert code_files({"entrypoint": "a:b"}, lambda name: None) is None


def test_config_map() -> None:
    graph = {"entrypoint": "a:b", "source": {"configMap": {"name": "code"}}}
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
    content = json.loads(job_file(plan, "tcp://127.0.0.1:1", Path("/code")))
    assert content == {
        "protocol": 1,
        "job": {"namespace": "default", "name": "a-job", "uid": UID},
        "attempt": 1,
        "report": "a-job-12345-1",
        "graph": {"entrypoint": "pkg.mod:graph"},
        "scheduler": {"address": "tcp://127.0.0.1:1", "timeoutSeconds": 30},
        "codePath": "/code",
        "minWorkers": 1,
        "adaptive": None,
        "limits": {"resultBytes": 262144},
    }
