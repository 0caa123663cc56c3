"""The manifests of docs/multi-tenancy.md: the chart takes the values, and what the quotas count exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from jsonschema import Draft7Validator

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "multi-tenancy.md").read_text(), re.MULTILINE | re.DOTALL)
DOCUMENTS = [document for block in BLOCKS for document in yaml.safe_load_all(block)]


def test_the_chart_takes_the_values() -> None:
    values = [each for each in DOCUMENTS if "kind" not in each]
    schema = json.loads((ROOT / "charts" / "daskjob-operator" / "values.schema.json").read_text())
    assert [error.message for each in values for error in Draft7Validator(schema).iter_errors(each)] == []
    assert values[0]["limits"]
    assert values[0]["job"]["networkPolicy"]["restrictEgress"]
    assert values[1]["excludeNamespaces"]


def test_the_quotas_count_resources_that_exist() -> None:
    hard = [each["spec"]["hard"] for each in DOCUMENTS if each.get("kind") == "ResourceQuota"]
    counted = {name.removeprefix("count/") for each in hard for name in each if name.startswith("count/")}
    definitions = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("dask*.yaml")]
    assert counted == {each["metadata"]["name"] for each in definitions} - {"daskjobreports.daskjob.io"}
