"""Pod templates on a real cluster: what it does not know is told, before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from ..support.jobs import Job, apply, manifest
from ..support.kube import Kube
from ..support.sources import ADD

#: Seconds within which a mistake must be told: 15 on a machine that has nothing else to do.
SOON = 45
PARTS = {"scheduler": "scheduler", "workers": "worker", "runner": "runner"}


def in_parts(templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Fields of a job's spec that have these pods' specs as templates."""
    made: dict[str, Any] = {"cluster": {}}
    for part, pod in templates.items():
        (made if part == "runner" else made["cluster"])[part] = {"template": {"spec": pod}}
    return made


def refused(job: Job) -> dict[str, Any]:
    """The failure of a job whose spec is refused, before anything was made for it."""
    failure: dict[str, Any] = job.end(SOON)["failure"]
    assert failure["reason"] == "InvalidSpec"
    assert [pod for name in PARTS.values() for pod in job.pods(name)] == []
    job.is_clean()
    return failure


@pytest.mark.parametrize("part", PARTS)
def test_a_misspelt_field_is_told_with_the_right_one(kube: Kube, part: str) -> None:
    job = apply(kube, manifest("slip", ADD, **in_parts({part: {"nodeSelectors": {"disk": "ssd"}}})))
    path = "spec.runner" if part == "runner" else f"spec.cluster.{part}"
    assert refused(job)["message"] == (
        f"{path}.template.spec.nodeSelectors: unknown field: did you mean {path}.template.spec.nodeSelector?"
    )


def test_a_field_that_nothing_is_near_to_is_told_by_the_cluster(kube: Kube) -> None:
    container = {"name": "worker", "brandNew": True}
    job = apply(kube, manifest("new", ADD, **in_parts({"workers": {"containers": [container]}})))
    assert refused(job)["message"].startswith(
        "spec.cluster.workers.template.spec.containers[worker].brandNew: unknown field"
    )


def test_a_container_under_a_wrong_name_is_told(kube: Kube) -> None:
    container = {"name": "dask-scheduler", "resources": {"limits": {"memory": "1Gi"}}}
    job = apply(kube, manifest("stray", ADD, **in_parts({"scheduler": {"containers": [container]}})))
    message = refused(job)["message"]
    assert message.startswith("spec.cluster.scheduler.template.spec.containers[dask-scheduler]: has no image")
    assert "named scheduler" in message
