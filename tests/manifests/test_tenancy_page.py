"""The manifests of docs/multi-tenancy.md: they select the pods that they are about, and the chart takes the values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from daskjob.manifests.dask_cluster import dask_cluster
from daskjob.manifests.runner import runner_pod

from .builders import context, job

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "multi-tenancy.md").read_text(), re.MULTILINE | re.DOTALL)
DOCUMENTS = [document for block in BLOCKS for document in yaml.safe_load_all(block)]
POLICIES = {each["metadata"]["name"]: each["spec"] for each in DOCUMENTS if each.get("kind") == "NetworkPolicy"}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() == {"matchLabels"}
    return bool(selector["matchLabels"].items() <= labels.items())


def labels_of(component: str) -> dict[str, str]:
    """Labels of a job's pod. dask-kubernetes gives those of the cluster to the pods of scheduler and workers."""
    built = context(job())
    made = runner_pod(built, "daskjob-runner-0") if component == "runner" else dask_cluster(built)
    return dict(made["metadata"]["labels"])


@pytest.mark.parametrize("component", ["cluster", "runner"])
def test_the_policies_select_the_pods_that_they_are_about(component: str) -> None:
    labels = labels_of(component)
    pods, runners = POLICIES["daskjob-pods"], POLICIES["daskjob-runners"]
    assert selects(pods["podSelector"], labels)
    assert selects(runners["podSelector"], labels) == (component == "runner")
    [incoming] = pods["ingress"]
    for [peer] in (incoming["from"], pods["egress"][0]["to"]):
        assert selects(peer["podSelector"], labels)


def test_the_chart_takes_the_values() -> None:
    [values] = [each for each in DOCUMENTS if "kind" not in each]
    schema = json.loads((ROOT / "charts" / "daskjob-operator" / "values.schema.json").read_text())
    assert [error.message for error in Draft7Validator(schema).iter_errors(values)] == []
    assert values["limits"]


def test_the_quotas_count_resources_that_exist() -> None:
    hard = [each["spec"]["hard"] for each in DOCUMENTS if each.get("kind") == "ResourceQuota"]
    counted = {name.removeprefix("count/") for each in hard for name in each if name.startswith("count/")}
    definitions = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("dask*.yaml")]
    assert counted == {each["metadata"]["name"] for each in definitions} - {"daskjobreports.daskjob.io"}
