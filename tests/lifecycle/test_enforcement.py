"""Whether an admission policy is in force: what was shipped, compared with what the API server has."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from daskjob.lifecycle.enforcement import Enforcement, Policy, compare, distrust, read_policies, unbroken
from daskjob.schema.crds import load_report_policy

Change = Callable[[dict[str, Any]], Any]
NAME = "daskjob-report-writers"


def shipped() -> Policy:
    [policy] = read_policies(load_report_policy())
    return policy


def in_force(
    policy: Change = lambda _: None, binding: Change = lambda _: None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two objects as the API server completes them, each with a change of its spec."""
    found = []
    for kind, body, change in zip(("policy", "binding"), load_report_policy(), (policy, binding), strict=True):
        spec: dict[str, Any] = copy.deepcopy(body["spec"])
        match = spec.setdefault("matchConstraints", {}) if kind == "policy" else {}
        match |= {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
        for rule in match.get("resourceRules", ()):
            rule["scope"] = "*"
        change(spec)
        metadata = {"name": NAME, "uid": f"{kind}-uid", "generation": 1}
        found.append({"kind": body["kind"], "metadata": metadata, "spec": spec})
    return found[0], found[1]


def test_what_was_shipped_is_in_force_as_the_api_server_completes_it() -> None:
    assert compare(shipped(), *in_force()) == Enforcement("policy-uid:1,binding-uid:1")


@pytest.mark.parametrize(
    ("policy", "binding", "words"),
    [
        (
            lambda spec: spec.update(validations=[{"expression": "true"}]),
            lambda _: None,
            'spec.validations[0].expression is "true", not "variables.statusUpdate"',
        ),
        (lambda spec: spec.update(failurePolicy="Ignore"), lambda _: None, 'failurePolicy is "Ignore", not "Fail"'),
        (
            lambda spec: spec["matchConditions"].append({"name": "never", "expression": "false"}),
            lambda _: None,
            "spec.matchConditions[3] is {",
        ),
        (
            lambda spec: spec["matchConstraints"].update(matchPolicy="Exact"),
            lambda _: None,
            'spec.matchConstraints.matchPolicy is "Exact", not "Equivalent"',
        ),
        (
            lambda spec: spec["matchConstraints"]["objectSelector"].update(matchLabels={"a": "b"}),
            lambda _: None,
            "spec.matchConstraints.objectSelector is {",
        ),
        (
            lambda spec: spec["matchConstraints"]["resourceRules"][0].update(operations=["CREATE"]),
            lambda _: None,
            'operations[1] is absent, not "UPDATE"',
        ),
        (
            lambda spec: spec["matchConstraints"]["resourceRules"][0].update(scope="Cluster"),
            lambda _: None,
            'scope is "Cluster", not "*"',
        ),
        (
            lambda spec: spec["variables"].clear(),
            lambda _: None,
            "spec.variables is absent, not [",
        ),
        (lambda spec: spec.update(disabled=True), lambda _: None, "spec.disabled is true, not absent"),
        (lambda _: None, lambda spec: spec.update(validationActions=["Audit"]), 'is "Audit", not "Deny"'),
        (lambda _: None, lambda spec: spec.update(policyName="other"), f'policyName is "other", not "{NAME}"'),
        (
            lambda _: None,
            lambda spec: spec.update(matchResources={"namespaceSelector": {"matchLabels": {"a": "b"}}}),
            "Binding daskjob-report-writers: spec.matchResources.namespaceSelector is {",
        ),
        (
            lambda _: None,
            lambda spec: spec.update(matchResources={"excludeResourceRules": [{"resources": ["*"]}]}),
            "spec.matchResources.excludeResourceRules is [",
        ),
        (lambda _: None, lambda spec: spec.update(paramRef={"name": "p"}), "spec.paramRef is {"),
    ],
)
def test_each_change_is_a_difference_and_names_its_field(policy: Change, binding: Change, words: str) -> None:
    found = compare(shipped(), *in_force(policy, binding))
    assert found.identity == ""
    assert words in found.problem


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.update(matchResources={"matchPolicy": "Equivalent", "objectSelector": {}}),
        lambda spec: spec.update(paramRef=None),
    ],
)
def test_what_means_the_same_is_no_difference(change: Change) -> None:
    assert compare(shipped(), *in_force(binding=change)).problem == ""


def test_of_many_differences_the_first_are_named() -> None:
    problem = compare(shipped(), *in_force(lambda spec: spec.clear())).problem
    assert problem.startswith(f"ValidatingAdmissionPolicy {NAME}: spec.matchConditions is absent, not [")
    assert problem.endswith("more fields differ")
    assert len(problem) < 600


@pytest.mark.parametrize("missing", [0, 1])
def test_both_objects_must_exist(missing: int) -> None:
    found = [None if index == missing else body for index, body in enumerate(in_force())]
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    assert compare(shipped(), *found).problem == f"{kinds[missing]} {NAME} does not exist"


@pytest.mark.parametrize(
    ("then", "now", "believed"),
    [
        ("p:1,b:1", "p:1,b:1", True),
        # An upgrade changed it once, from what was shipped to what is shipped now: nothing was in between.
        ("p:1,b:1", "p:2,b:1", True),
        ("p:1,b:1", "p:2,b:2", True),
        # Off and on again.
        ("p:1,b:1", "p:3,b:1", False),
        ("p:1,b:1", "p:1,b:3", False),
        # Deleted and made again.
        ("p:1,b:1", "q:1,b:1", False),
        ("p:1,b:1", "p:1,c:1", False),
        ("p:2,b:1", "p:1,b:1", False),
        ("", "p:1,b:1", False),
        ("forged", "p:1,b:1", False),
    ],
)
def test_off_and_on_again_is_not_all_the_time(then: str, now: str, believed: bool) -> None:
    assert unbroken(then, now) is believed
    assert (distrust(NAME, then, Enforcement(now)) is None) is believed


def test_why_a_report_is_not_believed() -> None:
    gone = Enforcement(problem="it does not exist")
    assert distrust(NAME, "p:1,b:1", gone) == "the admission policy on reports is not in force: it does not exist"
    assert "when the attempt began" in str(distrust(NAME, "", Enforcement("p:1,b:1")))
    assert "while the attempt ran" in str(distrust(NAME, "p:1,b:1", Enforcement("p:3,b:1")))


@pytest.mark.parametrize(
    "manifests",
    [
        load_report_policy()[:1],
        load_report_policy()[1:],
        ({"kind": "ConfigMap", "metadata": {"name": "a"}, "spec": {}},),
        ({"kind": "ValidatingAdmissionPolicy"},),
        ({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "a"}, "spec": 1},),
    ],
)
def test_what_is_no_policy_with_its_binding_is_refused(manifests: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(ValueError, match="ValidatingAdmissionPolicyBinding"):
        read_policies(manifests)
