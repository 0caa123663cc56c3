"""values.schema.json knows every value and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from daskjob.manifests.context import DEFAULT_SECURITY, Defaults
from daskjob.manifests.pod_judgement import unfit
from daskjob.manifests.words import WORDS
from daskjob.schema.pod_security import Level

from .conftest import CHART, helm

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
TEXT = (CHART / "values.yaml").read_text()
VALUES = yaml.safe_load(TEXT)
#: What Kubernetes itself defines and checks: open in the schema.
OPEN = {"podSecurityContext", "securityContext", "affinity"}


def test_helm_lint() -> None:
    result = helm("lint", str(CHART), "--strict")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_words_are_those_that_the_operator_knows() -> None:
    job = SCHEMA["properties"]["job"]["properties"]
    assert job["allow"]["items"]["enum"] == list(WORDS)
    assert job["podSecurity"]["enum"] == list(Level)
    [comment] = re.findall(r"beyond the ordinary, at every pod security level: (.*?)\.\n", TEXT, re.DOTALL)
    assert re.sub(r"\s+(# )?", " ", comment).split(", ") == list(WORDS)


def test_the_default_security_context_fits_the_default_level() -> None:
    job = VALUES["job"]
    assert job["podSecurityContext"] == dict(DEFAULT_SECURITY)
    assert Level(job["podSecurity"]) is Defaults().pod_security
    assert list(unfit(DEFAULT_SECURITY, Level.RESTRICTED)) == []


def pairs(schema: dict[str, Any], values: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each object of the schema that has fixed properties, with the default values at its place."""
    if "properties" in schema:
        yield path, schema, values
        for name, child in schema["properties"].items():
            if isinstance(values, dict) and name in values:
                yield from pairs(child, values[name], f"{path}.{name}")


def test_schema_and_values_name_the_same() -> None:
    for path, schema, values in pairs(SCHEMA, VALUES):
        # `global` is Helm's own; `claims` of resources has no default.
        known = set(schema["properties"]) - {"global", "claims"}
        assert known == set(values), f"at {path or 'the top'}"


def test_every_object_is_closed_but_those_of_kubernetes() -> None:
    def check(schema: Any, name: str) -> None:
        if isinstance(schema, dict):
            if schema.get("type") == "object" and name not in OPEN | {"global", "items", "valueFrom"}:
                assert "additionalProperties" in schema, f"{name} takes anything"
            for key, child in schema.items():
                check(child, name if key in ("properties", "$defs") else key)
        elif isinstance(schema, list):
            for child in schema:
                check(child, name)

    check(SCHEMA, "the top")


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"replicas": 2}, "''"),
        ({"operator": {"replica": 2}}, "/operator"),
        ({"operator": {"replicas": "2"}}, "/operator/replicas"),
        ({"operator": {"replicas": -1}}, "/operator/replicas"),
        ({"operator": {"resources": {"limit": {"cpu": 1}}}}, "/operator/resources"),
        ({"operator": {"extraEnv": [{"name": "A", "text": "b"}]}}, "/operator/extraEnv/0"),
        ({"daskController": {"crds": {"installed": False}}}, "/daskController/crds"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"image": {"digest": "sha256:12"}}, "/image/digest"),
        ({"watchNamespaces": "team-a"}, "/watchNamespaces"),
        ({"watchNamespaces": ["team_a"]}, "/watchNamespaces/0"),
        ({"watchNamespaces": ["a", "a"]}, "/watchNamespaces"),
        ({"job": {"allow": ["everything"]}}, "/job/allow/0"),
        ({"job": {"allowMetadata": ["*/x"]}}, "/job/allowMetadata/0"),
        ({"job": {"podSecurity": "strict"}}, "/job/podSecurity"),
        ({"job": {"allow": ["serviceAccounts"]}}, "/job/allow/0"),
        ({"job": {"serviceAccounts": ["a,b"]}}, "/job/serviceAccounts/0"),
        ({"job": {"serviceAccounts": ["a*"]}}, "/job/serviceAccounts/0"),
        ({"job": {"imagePullSecrets": ["a"]}}, "/job/imagePullSecrets/0"),
        ({"job": {"image": "a"}}, "/job"),
        ({"limits": {"runningJobs": -1}}, "/limits/runningJobs"),
        ({"limits": {"runningJobsPerNamespace": "3"}}, "/limits/runningJobsPerNamespace"),
        ({"limits": {"jobs": 3}}, "/limits"),
        ({"limits": {"workersPerJob": -1}}, "/limits/workersPerJob"),
        ({"limits": {"namespaceClasses": [{"name": "all"}]}}, "/limits/namespaceClasses"),
        ({"limits": {"namespaceClasses": [{"name": "a"}, {"names": ["b"]}]}}, "/limits/namespaceClasses/1"),
        ({"log": {"level": "TRACE"}}, "/log/level"),
        ({"crds": {"enabled": True}}, "/crds"),
        ({"reportFlowControl": {"concurrencyShares": 0}}, "/reportFlowControl/concurrencyShares"),
        ({"metrics": {"port": 8080}}, "/metrics/port"),
        ({"metrics": {"podMonitor": {"interval": "often"}}}, "/metrics/podMonitor/interval"),
        ({"metrics": {"prometheusRule": {"interval": "1m"}}}, "/metrics/prometheusRule"),
    ],
)
def test_wrong_values_are_refused_at_their_place(refused, values: dict[str, Any], place: str) -> None:
    assert f"at {place}:" in refused(values).replace("at '/", "at /").replace("':", ":").replace("at ':", "at '':")


def test_a_service_account_that_exists_must_be_named(refused) -> None:
    message = refused({"operator": {"serviceAccount": {"create": False}}})
    assert "operator.serviceAccount.name is needed" in message
