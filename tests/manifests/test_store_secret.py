"""A job's store: what the runner is told of it, and who has its credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.api.graph_spec import SecretReference
from daskjob.api.result_spec import Store
from daskjob.errors import SpecError
from daskjob.manifests.context import Defaults
from daskjob.manifests.runner import job_file

from .builders import DEFAULTS, container, context, job, pod_specs

OPTIONS = {"endpoint_url": "http://s3:9000"}
STORE = {"url": "s3://results/a", "secretRef": {"name": "s3-keys"}, "options": OPTIONS}
INSTALLED = Defaults(image="i", result_store=Store("file:///mnt/all", SecretReference("their-keys")))


def orders(result: dict[str, Any], defaults: Defaults = DEFAULTS) -> Any:
    return json.loads(job_file(context(job(result=result), defaults)).dump())["store"]


def secret_of(specs: dict[str, Any], component: str) -> str | None:
    """The Secret that a component mounts for its store."""
    found = [each["secret"]["secretName"] for each in specs[component]["volumes"] if each["name"] == "store"]
    mounts = [each for each in container(specs[component], component)["volumeMounts"] if each["name"] == "store"]
    assert len(mounts) == len(found) <= 1
    assert all(each == {"name": "store", "mountPath": "/opt/daskjob/store", "readOnly": True} for each in mounts)
    return found[0] if found else None


def test_the_runner_is_told_of_the_store_and_not_of_its_secret() -> None:
    assert orders({"store": STORE}) == {"url": "s3://results/a", "options": OPTIONS, "format": "auto"}
    assert orders({"store": STORE, "format": "zarr"})["format"] == "zarr"
    assert orders({}) is None


def test_only_runner_and_workers_have_the_credentials() -> None:
    specs = pod_specs(job(result={"store": STORE}))
    assert {name: secret_of(specs, name) for name in specs} == {
        "runner": "s3-keys",
        "worker": "s3-keys",
        "scheduler": None,
    }
    for name, spec in specs.items():
        variables = {each["name"] for each in container(spec, name)["env"]}
        assert ("DASKJOB_STORE_SECRET" in variables) == (name != "scheduler")


def test_no_pod_has_any_without_a_secret() -> None:
    specs = pod_specs(job(result={"store": {"url": "file:///mnt/a"}}))
    assert {secret_of(specs, name) for name in specs} == {None}


def test_the_installations_store_is_for_jobs_that_name_none() -> None:
    assert orders({}, INSTALLED) == {"url": "file:///mnt/all", "options": {}, "format": "auto"}
    assert orders({"format": "pickle"}, INSTALLED)["format"] == "pickle"
    assert orders({"store": STORE}, INSTALLED)["url"] == "s3://results/a"
    assert secret_of(pod_specs(job(), INSTALLED), "worker") == "their-keys"
    assert secret_of(pod_specs(job(result={"store": STORE}), INSTALLED), "worker") == "s3-keys"


def test_the_installations_store_is_not_for_what_a_client_waits_for() -> None:
    graph = {"entrypoint": "m:f", "source": {"payload": {"sha256": "0a" * 32}}}
    assert json.loads(job_file(context(job(graph=graph), INSTALLED)).dump())["store"] is None
    named = job(graph=graph, result={"store": STORE})
    assert json.loads(job_file(context(named, INSTALLED)).dump())["store"]["url"] == "s3://results/a"


def test_a_format_needs_a_store() -> None:
    with pytest.raises(SpecError, match="is for a store, and neither the job nor the installation has one"):
        pod_specs(job(result={"format": "json"}))


def test_no_job_has_the_files_of_an_attempt_by_a_store() -> None:
    name = "sum-3f2a9-12-bcdfghjk-files"
    with pytest.raises(SpecError, match="names files of a job"):
        pod_specs(job(result={"store": {"url": "s3://a", "secretRef": {"name": name}}}))


@pytest.mark.parametrize("component", ["worker", "runner"])
def test_a_template_does_not_take_the_credentials_elsewhere(component: str) -> None:
    template = {"spec": {"volumes": [{"name": "store", "emptyDir": {}, "secret": None}]}}
    parts = {"worker": {"cluster": {"image": "i", "workers": {"template": template}}}, "runner": {}}
    spec = {**parts[component], **({"runner": {"template": template}} if component == "runner" else {})}
    with pytest.raises(SpecError, match="is the operator's to set"):
        pod_specs(job(result={"store": STORE}, **spec))


# The report's.


def kept(report: dict[str, Any] | None, defaults: Defaults = DEFAULTS, **spec: Any) -> Any:
    return json.loads(job_file(context(job(report=report, **spec), defaults)).dump())["keep"]


def runner_of(**spec: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The runner's pod and its variables."""
    pod = pod_specs(job(**spec))["runner"]
    return pod, {each["name"]: each.get("value") for each in container(pod, "runner")["env"]}


def test_the_runner_is_told_what_to_keep_and_where() -> None:
    store = {"url": "s3://results/a", "options": OPTIONS, "format": "auto"}
    assert kept({"store": STORE, "html": False}) == {"store": store, "logs": True, "html": False, "trace": True}
    assert kept({}, result={"store": STORE})["store"] == store
    assert kept({}, INSTALLED)["store"]["url"] == "file:///mnt/all"
    assert kept(None, INSTALLED) is None


def test_only_the_runner_has_the_reports_credentials_and_starts_without_them() -> None:
    specs = pod_specs(job(report={"store": STORE}))
    found = {name: [each for each in spec["volumes"] if each["name"] == "report-store"] for name, spec in specs.items()}
    secret = {"secretName": "s3-keys", "defaultMode": 0o444, "optional": True}
    assert found == {"runner": [{"name": "report-store", "secret": secret}], "worker": [], "scheduler": []}
    _, variables = runner_of(report={"store": STORE})
    assert variables["DASKJOB_REPORT_SECRET"] == "/opt/daskjob/report-store"
    assert "DASKJOB_STORE_SECRET" not in variables


def test_the_store_of_both_is_mounted_once() -> None:
    pod, variables = runner_of(report={}, result={"store": STORE})
    assert [each["name"] for each in pod["volumes"] if "store" in each["name"]] == ["store"]
    assert "DASKJOB_REPORT_SECRET" not in variables


def test_only_a_runner_that_keeps_something_has_more_time_and_copies_its_log() -> None:
    plain, variables = runner_of()
    keeping, more = runner_of(report={"store": STORE})
    assert (plain["terminationGracePeriodSeconds"], keeping["terminationGracePeriodSeconds"]) == (10, 30)
    assert more.keys() - variables.keys() == {"DASKJOB_RECORDING", "DASKJOB_LOG_COPY", "DASKJOB_REPORT_SECRET"}
    _, without = runner_of(report={"store": STORE, "logs": False})
    assert "DASKJOB_LOG_COPY" not in without


@pytest.mark.parametrize("report", [None, {"store": STORE, "logs": False}, {"store": STORE}])
def test_scheduler_and_workers_keep_their_output_only_for_a_report_with_logs(report: dict[str, Any] | None) -> None:
    found = {
        name: {each["value"] for each in container(pod, name)["env"] if each["name"] == "DASKJOB_OUTPUT_COPY"}
        for name, pod in pod_specs(job(report=report)).items()
    }
    kept = {"/tmp/.daskjob-output"} if report == {"store": STORE} else set()
    assert found == {"scheduler": kept, "worker": kept, "runner": set()}


def test_a_report_without_any_store_is_refused() -> None:
    with pytest.raises(SpecError) as refused:
        pod_specs(job(report={}))
    assert refused.value.path == "spec.report"
    assert "give spec.report.store" in refused.value.message
