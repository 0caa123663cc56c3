"""The types and crds/daskcronjobs.yaml say the same, and the template's spec in it is a job's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from daskjob.api.cron_job import DaskCronJobSpec, DaskCronJobStatus
from daskjob.schema import load_crds

from .test_schema import differences

RULES = "x-kubernetes-validations"


def properties(kind: str) -> dict[str, Any]:
    (version,) = load_crds()[kind]["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]
    return found


def rules(schema: Any) -> list[str]:
    """All of a schema, wherever they stand."""
    if isinstance(schema, list):
        return [rule for each in schema for rule in rules(each)]
    if not isinstance(schema, dict):
        return []
    return [each["rule"] for each in schema.get(RULES, [])] + [
        rule for name, each in schema.items() if name != RULES for rule in rules(each)
    ]


def bare(schema: Any) -> Any:
    """Without any rules."""
    if isinstance(schema, list):
        return [bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: bare(each) for name, each in schema.items() if name != RULES}


@pytest.mark.parametrize(("cls", "part"), [(DaskCronJobSpec, "spec"), (DaskCronJobStatus, "status")])
def test_types_and_schema_say_the_same(cls: type, part: str) -> None:
    schema = copy.deepcopy(properties("DaskCronJob")[part])
    if part == "spec":
        # The template's spec stays as it is: DaskJob's own types read it.
        schema["properties"]["jobTemplate"]["properties"]["spec"] = {"type": "object"}
    assert list(differences(cls, schema, part)) == []


def test_the_templates_spec_is_a_jobs() -> None:
    job = properties("DaskJob")["spec"]
    template = properties("DaskCronJob")["spec"]["properties"]["jobTemplate"]["properties"]["spec"]
    assert bare(template) | {"description": ""} == bare(job) | {"description": ""}, "run charts/sync"


def test_the_template_has_a_jobs_rules_but_those_about_a_change() -> None:
    job = rules(properties("DaskJob")["spec"])
    template = rules(properties("DaskCronJob")["spec"]["properties"]["jobTemplate"]["properties"]["spec"])
    assert [rule for rule in job if "oldSelf" in rule] != []
    assert template == [rule for rule in job if "oldSelf" not in rule], "run charts/sync"


def test_nothing_of_a_cron_job_is_immutable() -> None:
    assert [rule for rule in rules(properties("DaskCronJob")["spec"]) if "oldSelf" in rule] == []


def test_an_unseen_cron_job_is_behind_its_generation() -> None:
    assert properties("DaskCronJob")["status"]["default"] == {"observedGeneration": -1}
