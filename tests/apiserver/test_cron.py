"""What the API server accepts and refuses of a DaskCronJob, and that `daskjob.schema` says the same without it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daskjob.schema import apply_defaults, load_crds, validate

from ..crd.cases import Refused, a_job, plain
from ..crd.cron_cases import ACCEPTED, REFUSED, a_cron_job
from .server import Server
from .test_changes import example
from .test_validation import DRY, _of_kubernetes, fields

GROUP = "/apis/daskjob.io/v1alpha1/namespaces"
CRON_JOBS = f"{GROUP}/default/daskcronjobs"


@pytest.mark.parametrize("manifest", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_and_stored_as_foretold(server: Server, manifest: dict[str, Any]) -> None:
    stored = server.admin.create(CRON_JOBS, manifest, DRY).ok()
    assert stored["spec"] == apply_defaults(manifest)["spec"]


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused(server: Server, case: Refused) -> None:
    answer = server.admin.create(CRON_JOBS, case.manifest, DRY)
    assert answer.status in (400, 422), answer
    assert fields(answer) == {plain(case.field)} | _of_kubernetes(case), answer.message
    if "unknown field" not in answer.message:
        assert any(case.server in message for _, message in answer.causes), answer.causes


_PARTS = st.sampled_from(["*", "?", "5", "59", "MON", "1-5", "*/2", "1,2", "L", "1-", "@daily", "TZ", "", " ", "100"])


@given(
    schedule=st.lists(_PARTS, max_size=7).map(" ".join), zone=st.sampled_from([None, "", "UTC", "Local", "a b", "+/"])
)
@settings(max_examples=300, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_judge_schedules_alike(server: Server, schedule: str, zone: str | None) -> None:
    manifest = a_cron_job({"schedule": schedule, "timeZone": zone})
    answer = server.admin.create(CRON_JOBS, manifest, DRY)
    offline = {plain(problem.path) for problem in validate(manifest)}
    assert answer.status in (200, 201, 422)
    assert offline == (set() if answer.status != 422 else fields(answer)), answer.message


def test_a_jobs_spec_is_judged_in_the_template_as_in_a_job(server: Server) -> None:
    """Of a job that a cron job was allowed to make, none is refused when its time comes."""
    template = a_cron_job(
        "{jobTemplate: {spec: {cluster: {workers: {replicas: 2, threads: 3}}, runner: {}, backoffLimit: 1}}}"
    )
    stored = server.admin.create(CRON_JOBS, template, DRY).ok()
    job = a_job() | {"spec": stored["spec"]["jobTemplate"]["spec"]}
    made = server.admin.create(f"{GROUP}/default/daskjobs", job, DRY).ok()
    assert made["spec"] == job["spec"], "all defaults are in the template already"


def test_everything_of_a_cron_job_may_be_edited(server: Server, namespace: str) -> None:
    """What cannot be changed of a job can be in a template."""
    path = f"{GROUP}/{namespace}/daskcronjobs"
    server.admin.create(path, a_cron_job("{jobTemplate: {spec: {runner: {}}}}")).ok()
    edits: list[dict[str, Any]] = [
        {"schedule": "@hourly"},
        {"timeZone": "Europe/Berlin"},
        {"suspend": True},
        {"jobTemplate": {"spec": {"graph": {"entrypoint": "other:graph"}}}},
        {"jobTemplate": {"spec": {"cluster": {"image": "other"}, "runner": None}}},
        {"jobTemplate": {"spec": {"managedBy": "example.com/other", "cancel": True}}},
        {"jobTemplate": {"spec": {"managedBy": None, "cancel": False}}},
    ]
    for generation, edit in enumerate(edits, 2):
        edited = server.admin.merge(f"{path}/nightly", {"spec": edit}).ok()
        assert edited["metadata"]["generation"] == generation, edit
    annotated = server.admin.merge(f"{path}/nightly", {"metadata": {"annotations": {"daskjob.io/run-now": "1"}}}).ok()
    assert annotated["metadata"]["generation"] == len(edits) + 1


def test_an_unseen_cron_job_is_behind_its_generation(server: Server, namespace: str) -> None:
    made = server.admin.create(f"{GROUP}/{namespace}/daskcronjobs", a_cron_job()).ok()
    assert made["status"] == {"observedGeneration": -1}


def test_the_whole_status_is_kept(server: Server, namespace: str) -> None:
    """As the operator writes it, by server-side apply, field for field."""
    path = f"{GROUP}/{namespace}/daskcronjobs"
    server.admin.create(path, a_cron_job()).ok()
    (version,) = load_crds()["DaskCronJob"]["spec"]["versions"]
    status = example(version["schema"]["openAPIV3Schema"]["properties"]["status"])
    manifest = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskCronJob", "metadata": {"name": "nightly"}}
    assert server.admin.apply(f"{path}/nightly/status", manifest | {"status": status}).ok()["status"] == status


def test_kubectl_get_shows_the_columns_of_a_cron_job(server: Server, namespace: str) -> None:
    path = f"{GROUP}/{namespace}/daskcronjobs"
    server.admin.create(path, a_cron_job("{timeZone: Europe/Berlin}")).ok()
    server.admin.merge(f"{path}/nightly/status", {"status": {"activeCount": 1}}).ok()
    header, row = server.kubectl("get", "dcj", "--namespace", namespace).stdout.splitlines()
    assert header.split() == ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "SCHEDULE", "AGE"]
    assert row.split()[:9] == ["nightly", "30", "2", "*", "*", "*", "Europe/Berlin", "false", "1"]


def test_kubectl_explains_the_template_too(server: Server) -> None:
    field = "daskcronjobs.spec.jobTemplate.spec.cluster.workers.adaptive.minimum"
    assert "minimum number of workers. Default 1." in server.kubectl("explain", field).stdout
