"""The admission policies that the chart makes of its values."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from daskjob.api import constants as c
from daskjob.api.attempt_names import attempt_name, files_name, group_name, runner_name, scheduler_name
from daskjob.api.constants import Reason
from daskjob.api.tokens import ALPHABET, NONCE_LENGTH
from daskjob.lifecycle.blocker import OBJECT_POLICY, read_refusal
from daskjob.lifecycle.enforcement import Policy, read_policies
from daskjob.manifests.pod_files import runner_config_map_name

from .conftest import NAMESPACE, ROOT, Rendering
from .test_render import CONTROLLER, OPERATOR, THEIRS, WITHOUT_CONTROLLER

EDITS = f"{OPERATOR}-job-edits"
POLICY_VARIABLES = ("DASKJOB_REPORT_POLICY", "DASKJOB_OBJECT_POLICIES")


def policies(rendering: Rendering, variable: str, operator: str = OPERATOR) -> tuple[Policy, ...]:
    """What the operator reads from that variable."""
    return read_policies(json.loads(rendering.env(operator)[variable]))


def test_the_policy_is_the_file_with_the_real_account(default: Rendering) -> None:
    text = (ROOT / "crds" / "report-policy.yaml").read_text()
    account = f"system:serviceaccount:{NAMESPACE}:{OPERATOR}"
    assert account in text, "the file's placeholder is what this release happens to be called"
    policy, binding = (yaml.safe_load(part) for part in text.split("\n---\n"))
    [shipped] = policies(default, "DASKJOB_REPORT_POLICY")
    name = shipped.name
    rendered = default.one("ValidatingAdmissionPolicy", name)
    assert rendered["spec"] == policy["spec"]
    assert default.one("ValidatingAdmissionPolicyBinding", name)["spec"] == {**binding["spec"], "policyName": name}


@pytest.mark.parametrize(
    ("values", "release"),
    [
        ({}, "daskjob"),
        ({"watchNamespaces": ["a", "b"]}, "daskjob"),
        ({"operator": {"serviceAccount": {"name": "jobs"}}, "reportPolicy": {"name": "ours"}}, "other"),
    ],
)
def test_the_operator_is_given_what_is_installed(render, values: dict[str, Any], release: str) -> None:
    rendering = render(values, release=release)
    [operator] = [each for each in rendering.names("Deployment") if not each.endswith("dask-controller")]
    given = {each.name: each for name in POLICY_VARIABLES for each in policies(rendering, name, operator)}
    assert given.keys() == rendering.names("ValidatingAdmissionPolicy")
    assert given.keys() == rendering.names("ValidatingAdmissionPolicyBinding")
    for name, shipped in given.items():
        assert shipped.spec == rendering.one("ValidatingAdmissionPolicy", name)["spec"]
        assert shipped.binding == rendering.one("ValidatingAdmissionPolicyBinding", name)["spec"]
        assert "$(" not in json.dumps(shipped.spec), "Kubernetes would replace it in a variable"


def test_the_policy_excepts_the_account_of_this_release(render) -> None:
    rendering = render({"operator": {"serviceAccount": {"name": "jobs"}}}, release="other")
    name = f"other-{OPERATOR}-report-writers"
    conditions = rendering.one("ValidatingAdmissionPolicy", name)["spec"]["matchConditions"]
    [expression] = [each["expression"] for each in conditions if each["name"] == "not-the-operator"]
    assert expression == f"request.userInfo.username != 'system:serviceaccount:{NAMESPACE}:jobs'"


def test_the_policy_holds_in_the_watched_namespaces(render) -> None:
    bindings = render({"watchNamespaces": ["a", "b"]}).all("ValidatingAdmissionPolicyBinding")
    # That on the operator's own account holds wherever it may write.
    [everywhere] = [each for each in bindings if "matchResources" not in each["spec"]]
    assert everywhere["metadata"]["name"] == EDITS
    for binding in bindings:
        if binding is everywhere:
            continue
        [expression] = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert expression == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}


def test_a_policy_installed_by_other_means(render) -> None:
    rendering = render({"reportPolicy": {"enabled": False, "name": "ours"}})
    assert "ours" not in rendering.names("ValidatingAdmissionPolicy")
    assert [each.name for each in policies(rendering, "DASKJOB_REPORT_POLICY")] == ["ours"]
    assert "daskjob-operator-runner" in rendering.names("ClusterRoleBinding")


def test_the_users_who_create_what_is_a_jobs(render, refused) -> None:
    account = f"system:serviceaccount:{NAMESPACE}"

    def users(values: dict[str, Any]) -> list[str]:
        found = []
        for name in ("objects", "names"):
            spec = render(values).one("ValidatingAdmissionPolicy", f"{OPERATOR}-job-{name}")["spec"]
            [expression] = [each["expression"] for each in spec["matchConditions"] if each["name"] == "not-exempt"]
            found.append(json.loads(expression.partition("in ")[2].partition(")")[0]))
        assert found[0] == found[1]
        return list(found[0])

    ours = [f"{account}:{OPERATOR}", f"{account}:{CONTROLLER}"]
    assert users({}) == ours
    assert users({"objectPolicy": {"exemptUsers": ["velero"]}}) == [*ours, "velero"]
    without = users(WITHOUT_CONTROLLER)
    assert (without[0], without[-1]) == (ours[0], THEIRS)
    assert ours[1] not in without
    message = refused({"daskController": {"enabled": False}})
    assert "name its user in objectPolicy.exemptUsers" in message
    render({"daskController": {"enabled": False}, "objectPolicy": {"enabled": False}})
    assert "exemptUsers" in refused({"objectPolicy": {"exemptUsers": ["it's"]}}), "it would end the expression's text"


def test_object_policies_hold_where_jobs_are_served(default: Rendering, render) -> None:
    def where(rendering: Rendering, name: str = "objects") -> dict[str, Any] | None:
        spec = rendering.one("ValidatingAdmissionPolicyBinding", f"{OPERATOR}-job-{name}")["spec"]
        [found] = spec.get("matchResources", {}).get("namespaceSelector", {}).get("matchExpressions", [None])
        return found

    key = "kubernetes.io/metadata.name"
    excluded = ["kube-system", "kube-public", "kube-node-lease", NAMESPACE]
    assert where(default) == where(default, "names") == {"key": key, "operator": "NotIn", "values": excluded}
    assert where(render({"watchNamespaces": ["a"]})) == {"key": key, "operator": "In", "values": ["a"]}
    assert where(render({"excludeNamespaces": []})) is None
    off = render({"objectPolicy": {"enabled": False}})
    assert off.names("ValidatingAdmissionPolicy") == {f"{OPERATOR}-report-writers"}
    assert policies(off, "DASKJOB_OBJECT_POLICIES") == ()


def test_the_operator_knows_their_words(default: Rendering) -> None:
    """With which a policy of another installation refuses it, or one that does not exempt who makes Dask's pods."""
    for name in ("objects", "names"):
        for rule in default.one("ValidatingAdmissionPolicy", f"{OPERATOR}-job-{name}")["spec"]["validations"]:
            assert OBJECT_POLICY in rule["message"]
            assert OBJECT_POLICY in rule["messageExpression"]
            blocker = read_refusal(f"ValidatingAdmissionPolicy 'a' with binding 'a' denied request: {rule['message']}")
            assert (blocker.reason, blocker.permanent) == (Reason.OPERATOR_FORBIDDEN, False)
            assert "objectPolicy.exemptUsers" in blocker.message
            assert "watchNamespaces" in blocker.message


@pytest.mark.parametrize("job", ["a", "a" * 40, "my-job-3f2a9-1"])
def test_names_of_attempts_have_the_form_that_the_policy_holds(default: Rendering, job: str) -> None:
    spec = default.one("ValidatingAdmissionPolicy", f"{OPERATOR}-job-names")["spec"]
    found = re.findall(r"name\.matches\('([^']*)'\)", spec["validations"][2]["expression"])
    name = attempt_name(job, "3f2a9c10-0000-4000-8000-000000000001", 12, ALPHABET[:NONCE_LENGTH])
    for each in (name, runner_name(name), files_name(name), scheduler_name(name), group_name(name)):
        assert re.search(found[0], each), each
    assert re.search(found[1], runner_config_map_name(b"program"))


@pytest.mark.parametrize(
    ("values", "release", "user"),
    [({}, "daskjob", OPERATOR), ({"operator": {"serviceAccount": {"name": "jobs"}}}, "other", "jobs")],
)
def test_the_operators_account_alone_is_held_to_its_finalizer(
    render, values: dict[str, Any], release: str, user: str
) -> None:
    [name] = [each for each in render(values, release=release).names("ValidatingAdmissionPolicy") if "edits" in each]
    spec = render(values, release=release).one("ValidatingAdmissionPolicy", name)["spec"]
    [condition] = spec["matchConditions"]
    assert condition["expression"] == f"request.userInfo.username == 'system:serviceaccount:{NAMESPACE}:{user}'"
    assert spec["failurePolicy"] == "Fail"
    [rule] = spec["matchConstraints"]["resourceRules"]
    assert (rule["resources"], rule["operations"]) == (["daskjobs"], ["UPDATE"])
    assert f"name != '{c.RESULTS_FINALIZER}'" in str(spec["variables"])


def test_a_policy_that_fails_stops_no_pods_of_others(default: Rendering) -> None:
    """One runs for all objects of its kinds, and is passed over where it fails; the other for those with our label."""
    objects = default.one("ValidatingAdmissionPolicy", f"{OPERATOR}-job-objects")["spec"]
    names = default.one("ValidatingAdmissionPolicy", f"{OPERATOR}-job-names")["spec"]
    selector = {"matchLabels": {c.MANAGED_BY_LABEL: c.MANAGER}}
    assert (objects["failurePolicy"], objects["matchConstraints"]["objectSelector"]) == ("Fail", selector)
    assert names["failurePolicy"] == "Ignore"
    rules = [rule for spec in (objects, names) for rule in spec["matchConstraints"]["resourceRules"]]
    # The kubelet asks for tokens of all pods, and is let through by its group.
    [tokens] = [rule for rule in rules if rule["resources"] == ["serviceaccounts/token"]]
    assert (tokens["operations"], tokens in names["matchConstraints"]["resourceRules"]) == (["CREATE"], True)
    for rule in rules:
        if rule is not tokens:
            assert rule["operations"] == ["CREATE", "UPDATE"]
            assert not [each for each in rule["resources"] if "/" in each or each == "*"]
