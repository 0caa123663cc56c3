"""No job may name the Secret with the files of an attempt, in whatever field."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.api.attempt_names import files_name, is_files_name
from daskjob.errors import SpecError
from daskjob.lifecycle.job.observation import Job
from daskjob.manifests.attempt import refusals
from daskjob.manifests.context import Defaults
from daskjob.manifests.words import WORDS

from .builders import LONGEST, attempt, context, job, pod_specs, with_template

FILES = "sum-3f2a9-12-bcdfghjk-files"
KEY = {"name": FILES, "key": "tls.key"}
#: Every word is allowed: no word opens this.
EVERYTHING = Defaults(image="i", allowed=WORDS)
TEMPLATES: dict[str, tuple[dict[str, Any], str]] = {
    "a volume": ({"volumes": [{"name": "v", "secret": {"secretName": FILES}}]}, "volumes[v].secret.secretName"),
    "a projected volume": (
        {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": KEY}]}}]},
        "volumes[v].projected.sources[1].secret.name",
    ),
    "a driver's volume": (
        {"volumes": [{"name": "v", "csi": {"driver": "d", "nodePublishSecretRef": {"name": FILES}}}]},
        "volumes[v].csi.nodePublishSecretRef.name",
    ),
    "a driver's own words": (
        {"volumes": [{"name": "v", "csi": {"driver": "d", "volumeAttributes": {"secret": FILES}}}]},
        "volumes[v].csi.volumeAttributes.secret",
    ),
    "a volume of the job's time": (
        {
            "volumes": [
                {
                    "name": "v",
                    "ephemeral": {
                        "volumeClaimTemplate": {
                            "spec": {
                                "accessModes": ["ReadWriteOnce"],
                                "dataSource": {"kind": "Secret", "name": FILES},
                            }
                        }
                    },
                }
            ]
        },
        "volumes[v].ephemeral.volumeClaimTemplate.spec.dataSource.name",
    ),
    "a variable": (
        {"containers": [{"name": "runner", "env": [{"name": "A", "valueFrom": {"secretKeyRef": KEY}}]}]},
        "containers[runner].env[A].valueFrom.secretKeyRef.name",
    ),
    "all of it": (
        {"containers": [{"name": "runner", "envFrom": [{"secretRef": {"name": FILES}}]}]},
        "containers[runner].envFrom[0].secretRef.name",
    ),
    "a sidecar": (
        {"containers": [{"name": "side", "image": "j", "envFrom": [{"secretRef": {"name": FILES}}]}]},
        "containers[side].envFrom[0].secretRef.name",
    ),
    "an init container": (
        {
            "initContainers": [
                {"name": "first", "image": "j", "env": [{"name": "A", "valueFrom": {"secretKeyRef": KEY}}]}
            ]
        },
        "initContainers[first].env[A].valueFrom.secretKeyRef.name",
    ),
    "one that pulls images": ({"imagePullSecrets": [{"name": FILES}]}, "imagePullSecrets[0].name"),
    "a field of a newer Kubernetes": ({"brandNew": {"deep": [{"secretName": FILES}]}}, "brandNew.deep[0].secretName"),
}


def refusal(of: Job) -> SpecError:
    with pytest.raises(SpecError) as refused:
        pod_specs(of, EVERYTHING)
    return refused.value


@pytest.mark.parametrize(("spec", "field"), TEMPLATES.values(), ids=TEMPLATES)
def test_no_template_names_it(spec: dict[str, Any], field: str) -> None:
    error = refusal(with_template("runner", {"spec": spec}))
    assert error.path == f"spec.runner.template.spec.{field}"
    assert "no job may use another's" in error.message


@pytest.mark.parametrize(("component", "part"), [("scheduler", "cluster.scheduler"), ("worker", "cluster.workers")])
def test_nor_those_of_scheduler_and_workers(component: str, part: str) -> None:
    template = {"spec": {"volumes": [{"name": "v", "secret": {"secretName": FILES}}]}}
    assert refusal(with_template(component, template)).path == f"spec.{part}.template.spec.volumes[v].secret.secretName"


def test_nor_the_cluster() -> None:
    variable = {"name": "A", "valueFrom": {"secretKeyRef": KEY}}
    error = refusal(job(cluster={"image": "i", "env": [variable]}))
    assert error.path == "spec.cluster.env[A].valueFrom.secretKeyRef.name"
    error = refusal(job(cluster={"image": "i", "imagePullSecrets": [{"name": FILES}]}))
    assert error.path == "spec.cluster.imagePullSecrets[0].name"


def test_validate_says_so() -> None:
    template = {"spec": {"imagePullSecrets": [{"name": FILES}]}}
    (error,) = refusals(context(with_template("worker", template)))
    assert error.path == "spec.cluster.workers.template.spec.imagePullSecrets[0].name"


def test_a_text_that_names_nothing_is_one() -> None:
    runner = {"name": "runner", "args": [FILES], "env": [{"name": "A", "value": FILES}]}
    pod_specs(with_template("runner", {"spec": {"containers": [runner]}}), EVERYTHING)


def test_all_files_have_such_a_name_and_no_others() -> None:
    for name in ("sum", LONGEST, "a", "a-1-b"):
        for number in (1, 99, 10**9):
            assert is_files_name(files_name(attempt(job(name), number, "bcdfghjk").name))
    for other in ("files", "sum-files", "my-data-files", "sum-3f2a9-1-files", "sum-3f2a9-12-bcdfghjk-tls", "x" * 300):
        assert not is_files_name(other)
