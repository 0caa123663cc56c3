"""The installation's requests and limits are those of containers that have none, and bound the volume at /tmp."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daskjob.manifests.context import Defaults

from .builders import DEFAULTS, container, job, pod_specs, with_template

GIVEN = {"requests": {"memory": "1Gi", "cpu": "500m"}, "limits": {"memory": "2Gi"}}
OWN = {"limits": {"memory": "8Gi"}}
INSTALLED = replace(DEFAULTS, resources=GIVEN)
COMPONENTS = ("scheduler", "worker", "runner")


def resources(component: str, spec: Any, defaults: Defaults = INSTALLED) -> Any:
    return container(pod_specs(spec, defaults)[component], component)["resources"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_container_without_any_has_the_installations(component: str) -> None:
    assert resources(component, job()) == GIVEN
    assert resources(component, job(), DEFAULTS) == {}
    other = with_template(component, {"spec": {"containers": [{"name": component, "env": []}]}})
    assert resources(component, other) == GIVEN, "the template is about something else"


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_a_job_says_counts_alone(component: str) -> None:
    """Beside its own requests, the installation's limit could be too small for them."""
    part = {"scheduler": "scheduler", "worker": "workers", "runner": "runner"}[component]
    spec = {"runner": {"resources": OWN}} if component == "runner" else {"cluster": {part: {"resources": OWN}}}
    assert resources(component, job(**spec)) == OWN
    template = {"spec": {"containers": [{"name": component, "resources": OWN}]}}
    assert resources(component, with_template(component, template)) == OWN


def test_a_worker_knows_what_it_requests() -> None:
    variables = {
        each["name"]: each.get("value") for each in container(pod_specs(job(), INSTALLED)["worker"], "worker")["env"]
    }
    assert variables["DASKJOB_MEMORY_REQUEST"] == "1Gi"


@pytest.mark.parametrize(("limit", "volume"), [("20Gi", {"sizeLimit": "20Gi"}), ("", {})])
def test_the_volume_for_temporary_files(limit: str, volume: dict[str, str]) -> None:
    for spec in pod_specs(job(), replace(DEFAULTS, tmp_size_limit=limit)).values():
        assert [each["emptyDir"] for each in spec["volumes"] if each["name"] == "tmp"] == [volume]
