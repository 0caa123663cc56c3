"""The largest job that the operator accepts leaves room for the largest status that it writes."""

from __future__ import annotations

from typing import Any

from daskjob.api import constants as c
from daskjob.api.constants import ConditionType
from daskjob.api.resource_json import to_dict
from daskjob.api.runner_report import read_report
from daskjob.api.status import Attempt, AttemptReport, Condition, DaskJobStatus, Run
from daskjob.lifecycle.job.record import ATTEMPTS, OLD_MESSAGE, OLD_VALUE, RUNS
from daskjob.lifecycle.job.report_saved import OLD_MESSAGE as OLD_REPORT
from daskjob.results.codec import RESULT_BYTES, STORED_BYTES, stored_size
from daskjob.schema.limits import JOB, no_room_in, problem_in
from daskjob.schema.limits import stored_size as size_of
from daskjob.wire import report

from ..crd.cases import a_job
from .server import Server

#: Takes six bytes where Kubernetes stores it: no text of as many characters is larger.
WIDE = "<"
TIME = "2026-03-01T12:00:00Z"


def largest_spec(room: int) -> dict[str, Any]:
    """A spec with as many list items and keys as the schema has room for, filled up to that size with code."""
    spec = a_job(
        {
            "graph": {"args": [WIDE * 10_000], "kwargs": {f"k{number}": None for number in range(256)}},
            "cluster": {"env": [{"name": f"{'E' * 240}{number}", "value": ""} for number in range(256)]},
            "runner": {"template": {"metadata": {"annotations": {f"a/{number}": WIDE for number in range(64)}}}},
        }
    )["spec"]
    files: dict[str, str] = {f"{'f' * 190}/{number}.py": "" for number in range(256)}
    spec["graph"]["source"] = {"files": files}
    left = room - size_of(spec)
    for name in files:
        files[name] = "x" * min(left, 200_000)
        left -= len(files[name])
    assert left == 0
    return dict(spec)


def largest_status() -> DaskJobStatus:
    """Every list as long as it gets, every text as long as the operator lets it be, in characters that take most."""
    value = f'"{WIDE * ((STORED_BYTES - 6) // 6)}"'
    assert len(value) <= RESULT_BYTES
    assert stored_size(value, {}) <= STORED_BYTES
    line = WIDE * report.NAME_BYTES
    claimed = read_report(
        {
            "protocol": 1,
            "outcome": "Failed",
            "progress": {"total": 1, "done": 1, "prefixes": [{"name": line, "total": 1}] * report.MAX_PREFIXES},
            "result": {"type": line, "value": value},
            "failure": {
                "reason": "TaskFailed",
                "message": WIDE * report.MESSAGE_BYTES,
                "traceback": WIDE * report.TRACEBACK_BYTES,
                "exceptionType": line,
                "taskKey": line,
            },
        }
    )
    assert claimed is not None
    assert claimed.result is not None
    assert claimed.result.value == value
    message, name = WIDE * (report.MESSAGE_BYTES + 100), "n" * 63
    small = claimed.result.__class__(type=line, value=WIDE * OLD_VALUE)
    kept = AttemptReport("x" * report.LOCATION_BYTES, WIDE * OLD_REPORT)
    return DaskJobStatus(
        phase="Failed",
        observed_generation=1,
        run=RUNS + 1,
        conditions=tuple(Condition(kind, "True", "TaskFailed", message, TIME, 1) for kind in ConditionType),
        attempt=ATTEMPTS,
        attempts=tuple(
            Attempt(number, name, 1, TIME, TIME, "Failed", "TaskFailed", WIDE * OLD_MESSAGE, report=kept)
            for number in range(1, ATTEMPTS + 1)
        ),
        progress=claimed.progress,
        result=claimed.result,
        failure=claimed.failure,
        rerun=WIDE * 4096,
        history=tuple(
            Run(number, TIME, TIME, "Failed", "TaskFailed", WIDE * OLD_MESSAGE, small) for number in range(RUNS, 0, -1)
        ),
    )


def test_the_largest_status_fits_beside_the_largest_spec(server: Server, namespace: str) -> None:
    path = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs"
    # The server adds defaults and metadata, among it who manages which field: measured on a first job.
    probe = server.admin.create(path, a_job() | {"spec": largest_spec(JOB // 2)}).ok()
    added = size_of(probe["spec"]) + size_of(probe["metadata"]) - JOB // 2
    server.admin.delete(f"{path}/square-sum").ok()
    job = server.admin.create(path, a_job() | {"spec": largest_spec(JOB - added - 100)}).ok()
    assert JOB - 200 < size_of(job["spec"]) + size_of(job["metadata"]) <= JOB
    assert (problem_in(job["spec"]), no_room_in(job)) == (None, None)

    status = largest_status()
    document = {key: job[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": job["metadata"]["name"]}}
    written = server.admin.apply(f"{path}/square-sum/status", {**document, "status": to_dict(status)}, c.MANAGER).ok()
    assert written["status"]["result"]["value"] == status.result.value if status.result is not None else False
    assert size_of(written) > 1_400_000, "this is the largest"


def test_a_copy_of_the_spec_in_an_annotation_takes_from_that_room(server: Server, namespace: str) -> None:
    """As client-side `kubectl apply` makes it."""
    annotations = 200_000
    path = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs"
    copy = {"kubectl.kubernetes.io/last-applied-configuration": "x" * annotations}
    job = server.admin.create(path, a_job(annotations=copy) | {"spec": largest_spec(JOB - annotations)}).ok()
    assert problem_in(job["spec"]) is None
    assert f"of at most {JOB}" in (no_room_in(job) or "")
