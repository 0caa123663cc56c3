"""The pod that deletes a job's results: whose it is, what it mounts, and which folder it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.errors import SpecError
from daskjob.lifecycle.job.observation import Job
from daskjob.manifests.remover import remover_pod
from daskjob.manifests.runner import runner_pod
from daskjob.schema.pod_security import Level, violations

from .builders import context, job

OPTIONS = {"endpoint_url": "http://s3:9000"}
STORE = {"url": "s3://results/a", "secretRef": {"name": "keys"}, "options": OPTIONS}
KEPT: dict[str, Any] = {"store": STORE, "retention": "DeleteWithJob"}
VOLUME = {
    "template": {
        "spec": {
            "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": "results"}}],
            "containers": [{"name": "runner", "volumeMounts": [{"name": "results", "mountPath": "/mnt/results"}]}],
        }
    }
}


def pod(of: Job) -> dict[str, Any]:
    return remover_pod(context(of), b"program", "sum-remove-1", "token", 120, 180)


def test_it_deletes_the_folder_of_this_job_alone() -> None:
    of = job(result=KEPT)
    (own,) = pod(of)["spec"]["containers"]
    assert own["command"][-2] == "--remove"
    assert json.loads(own["command"][-1]) == {
        "url": "s3://results/a",
        "options": OPTIONS,
        "folder": [of.namespace, of.name, of.uid],
        "uid": of.uid,
        "seconds": 120,
    }


def test_it_has_the_credentials_and_the_runners_volumes_and_nothing_else_of_the_runner() -> None:
    of = job(result=KEPT, runner=VOLUME, graph={"entrypoint": "m:f", "source": {"inline": "x = 1"}})
    made = pod(of)
    (own,) = made["spec"]["containers"]
    mounted = {each["name"] for each in own["volumeMounts"]}
    assert mounted == {"runner", "checked", "tmp", "store", "results"}
    assert {each["name"] for each in made["spec"]["volumes"]} == mounted
    variables = {each["name"] for each in own["env"]}
    assert "DASKJOB_STORE_SECRET" in variables
    assert not {"DASKJOB_JOB", "DASKJOB_REPORT"} & variables
    assert list(violations(made["spec"], Level.RESTRICTED, "")) == []
    assert made["spec"]["automountServiceAccountToken"] is False
    assert made["spec"]["activeDeadlineSeconds"] == 180
    assert made["spec"]["serviceAccountName"] == runner_pod(context(of))["spec"]["serviceAccountName"]


def test_it_has_the_labels_that_policies_select_by_and_no_owner() -> None:
    of = job(result=KEPT)
    metadata, runner = pod(of)["metadata"], runner_pod(context(of))["metadata"]
    assert metadata["labels"] == {**runner["labels"], c.COMPONENT_LABEL: "remove"}
    assert metadata["annotations"] == {c.TOKEN_ANNOTATION: "token"}
    assert "ownerReferences" not in metadata


def test_a_driver_that_pip_brings_is_there_too() -> None:
    of = job(
        result=KEPT,
        graph={"entrypoint": "m:f", "pip": {"packages": ["s3fs"]}, "source": {"git": {"url": "https://h/x"}}},
    )
    spec = pod(of)["spec"]
    (before,) = spec["initContainers"]
    assert before["name"] == "install-packages"
    assert "packages" in {each["name"] for each in spec["containers"][0]["volumeMounts"]}
    needed = {each["name"] for every in (before, *spec["containers"]) for each in every["volumeMounts"]}
    assert {each["name"] for each in spec["volumes"]} == needed
    assert list(violations(spec, Level.RESTRICTED, "")) == []


@pytest.mark.parametrize(
    "graph", [{"entrypoint": "m:f"}, {"entrypoint": "m:f", "source": {"payload": {"sha256": "0" * 64}}}]
)
def test_without_a_store_there_is_nothing_to_delete(graph: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"spec\.result\.retention: .*give spec\.result\.store"):
        runner_pod(context(job(graph=graph, result={"retention": "DeleteWithJob"})))
