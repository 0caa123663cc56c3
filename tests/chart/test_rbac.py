"""Rights: least, in the shape that the values ask for."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.api.constants import RUNNER_ACCOUNT

from .conftest import NAMESPACE, Rendering

Rules = list[dict[str, Any]]

#: (group, resource) -> verbs. A right that code needs goes here and into the chart.
OPERATOR = {
    ("daskjob.io", "daskjobs"): {"get", "list", "watch", "create", "patch", "delete"},
    ("daskjob.io", "daskjobs/status"): {"patch"},
    ("daskjob.io", "daskcronjobs"): {"get", "list", "watch"},
    ("daskjob.io", "daskcronjobs/status"): {"patch"},
    ("daskjob.io", "daskjobreports"): {"get", "list", "watch", "create", "patch", "delete"},
    ("kubernetes.dask.org", "daskclusters"): {"get", "list", "watch", "create", "delete"},
    ("kubernetes.dask.org", "daskworkergroups"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "pods"): {"get", "list", "watch", "create", "patch", "delete", "deletecollection"},
    ("", "configmaps"): {"get", "create"},
    ("", "secrets"): {"create"},
    ("", "serviceaccounts"): {"create"},
    ("", "services"): {"get", "create", "patch"},
    ("networking.k8s.io", "networkpolicies"): {"get", "create"},
    ("", "events"): {"list", "create"},
}
DASK_CONTROLLER = {
    ("daskjob.io", "daskjobs"): {"get"},
    ("kubernetes.dask.org", "daskclusters"): {"get", "list", "watch", "patch"},
    ("kubernetes.dask.org", "daskworkergroups"): {"get", "list", "watch", "create", "patch"},
    ("kubernetes.dask.org", "daskclusters/finalizers"): {"update"},
    ("kubernetes.dask.org", "daskworkergroups/finalizers"): {"update"},
    ("", "pods"): {"get", "list", "create"},
}
RUNNER = {("daskjob.io", "daskjobreports/status"): {"patch"}}
GRANTS = {
    "daskjob-operator": OPERATOR,
    "daskjob-operator-dask-controller": DASK_CONTROLLER,
    "daskjob-operator-runner": RUNNER,
}
WATCHED = {"watchNamespaces": ["team-a", "team-b"]}


def verbs(rules: Rules) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def roles(rendering: Rendering) -> list[dict[str, Any]]:
    return rendering.all("ClusterRole") + rendering.all("Role")


@pytest.fixture(params=[{}, WATCHED], ids=["everywhere", "namespaces"])
def rendering(request: pytest.FixtureRequest, render) -> Rendering:
    return render(request.param)


def test_no_wildcards_and_no_way_to_more_rights(rendering: Rendering) -> None:
    assert roles(rendering)
    for role in roles(rendering):
        for rule in role["rules"]:
            every = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert "*" not in every, role["metadata"]["name"]
            assert not every & {"escalate", "bind", "impersonate", "nodes", "serviceaccounts/token"}
            assert not {"pods/exec", "pods/attach", "pods/portforward", "pods/log"} & set(rule["resources"])
            assert not {"roles", "rolebindings", "clusterroles", "clusterrolebindings"} & set(rule["resources"])


@pytest.mark.parametrize("resource", ["secrets", "serviceaccounts"])
def test_secrets_and_accounts_are_only_created_and_only_by_the_operator(rendering: Rendering, resource: str) -> None:
    given = {role["metadata"]["name"]: verbs(role["rules"]).get(("", resource)) for role in roles(rendering)}
    assert {name: verb for name, verb in given.items() if verb} == {"daskjob-operator": {"create"}}


@pytest.mark.parametrize("name", GRANTS)
def test_rights_everywhere(default: Rendering, name: str) -> None:
    assert verbs(default.one("ClusterRole", name)["rules"]) == GRANTS[name]
    assert default.one("ClusterRoleBinding", name)["roleRef"]["name"] == name
    assert not {role["metadata"]["namespace"] for role in default.all("Role")} - {NAMESPACE}


@pytest.mark.parametrize("name", GRANTS)
def test_rights_in_listed_namespaces_only(render, name: str) -> None:
    rendering = render(WATCHED)
    assert name not in rendering.names("ClusterRole") | rendering.names("ClusterRoleBinding")
    for namespace in WATCHED["watchNamespaces"]:
        assert verbs(rendering.one("Role", name, namespace)["rules"]) == GRANTS[name]
        binding = rendering.one("RoleBinding", name, namespace)
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == ("Role", name)


def test_what_stays_cluster_wide_with_listed_namespaces(render) -> None:
    rendering = render(WATCHED)
    assert rendering.names("ClusterRole") == {
        "daskjob-operator-policy-reader",
        "daskjob-operator-edit",
        "daskjob-operator-view",
    }
    assert rendering.names("ClusterRoleBinding") == {"daskjob-operator-policy-reader"}


@pytest.mark.parametrize("component", ["", "-dask-controller"])
def test_each_deployment_has_its_own_account_with_its_own_rights(default: Rendering, component: str) -> None:
    name = f"daskjob-operator{component}"
    account = default.one("Deployment", name)["spec"]["template"]["spec"]["serviceAccountName"]
    assert account == name
    assert default.one("ServiceAccount", account)["metadata"]["namespace"] == NAMESPACE
    [subject] = default.one("ClusterRoleBinding", name)["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}


def test_runners_everywhere_are_every_service_account(render) -> None:
    """A binding can name no account in all namespaces: the policy alone tells runners from others."""
    for accounts in ([], ["cloud"], ["*"]):
        rendering = render({"job": {"serviceAccounts": accounts}})
        [subject] = rendering.one("ClusterRoleBinding", "daskjob-operator-runner")["subjects"]
        assert (subject["kind"], subject["name"]) == ("Group", "system:serviceaccounts")


@pytest.mark.parametrize(
    ("accounts", "names"),
    [
        ([], [RUNNER_ACCOUNT]),
        (["cloud", "1e3"], [RUNNER_ACCOUNT, "cloud", "1e3"]),
        ([RUNNER_ACCOUNT, "cloud"], [RUNNER_ACCOUNT, "cloud"]),
    ],
)
def test_runners_in_listed_namespaces_are_the_accounts_that_they_may_have(
    render, accounts: list[str], names: list[str]
) -> None:
    rendering = render(WATCHED | {"job": {"serviceAccounts": accounts}})
    for namespace in WATCHED["watchNamespaces"]:
        subjects = rendering.one("RoleBinding", "daskjob-operator-runner", namespace)["subjects"]
        assert subjects == [{"kind": "ServiceAccount", "name": name, "namespace": namespace} for name in names]


def test_with_any_account_allowed_runners_are_all_of_the_namespace(render) -> None:
    rendering = render(WATCHED | {"job": {"serviceAccounts": ["cloud", "*"]}})
    for namespace in WATCHED["watchNamespaces"]:
        [subject] = rendering.one("RoleBinding", "daskjob-operator-runner", namespace)["subjects"]
        assert (subject["kind"], subject["name"]) == ("Group", f"system:serviceaccounts:{namespace}")


def test_runners_have_no_right_without_a_policy(render) -> None:
    rendering = render({"reportPolicy": {"enabled": False}})
    assert "daskjob-operator-runner" not in rendering.names("ClusterRole") | rendering.names("ClusterRoleBinding")
    assert rendering.env("daskjob-operator")["DASKJOB_REPORT_POLICY"] == "none"
    for role in rendering.all("ClusterRole"):
        assert "daskjob-operator-report-writers" not in str(role)


def test_no_right_on_network_policies_without_those_of_jobs(render) -> None:
    rendering = render({"job": {"networkPolicy": {"enabled": False}}})
    rules = rendering.one("ClusterRole", "daskjob-operator")["rules"]
    assert verbs(rules) == {key: given for key, given in OPERATOR.items() if key[1] != "networkpolicies"}
    assert rendering.env("daskjob-operator")["DASKJOB_INGRESS"] == "none"


def test_with_dask_kubernetes_own_operator_it_may_ask_whose_a_pod_is(render) -> None:
    values = {"daskController": {"enabled": False}, "objectPolicy": {"enabled": False}}
    rules = render(values).one("ClusterRole", "daskjob-operator")["rules"]
    more = {("apps", "deployments"): {"get"}, ("apps", "replicasets"): {"get"}}
    assert verbs(rules) == {**OPERATOR, **more}


def test_leadership_is_one_named_lease_in_the_own_namespace(default: Rendering) -> None:
    role = default.one("Role", "daskjob-operator-leader")
    assert role["metadata"]["namespace"] == NAMESPACE
    lease = default.env("daskjob-operator")["DASKJOB_LEASE_NAME"]
    [create, keep] = role["rules"]
    assert create["verbs"] == ["create"]
    assert (keep["resourceNames"], set(keep["verbs"])) == ([lease], {"get", "patch"})


def test_the_operator_may_watch_its_policies_and_no_others(default: Rendering) -> None:
    [rule] = default.one("ClusterRole", "daskjob-operator-policy-reader")["rules"]
    assert set(rule["resourceNames"]) == default.names("ValidatingAdmissionPolicy")
    assert set(rule["verbs"]) == {"list", "watch"}


def test_users_roles_are_aggregated(default: Rendering) -> None:
    def aggregates(name: str) -> set[str]:
        labels = default.one("ClusterRole", name)["metadata"]["labels"]
        prefix = "rbac.authorization.k8s.io/aggregate-to-"
        return {label.removeprefix(prefix) for label in labels if label.startswith(prefix)}

    assert aggregates("daskjob-operator-edit") == {"edit", "admin"}
    assert aggregates("daskjob-operator-view") == {"view", "edit", "admin"}
    writing = {"create", "update", "patch", "delete", "deletecollection"}
    kinds = (("daskjob.io", "daskjobs"), ("daskjob.io", "daskcronjobs"))
    assert verbs(default.one("ClusterRole", "daskjob-operator-edit")["rules"]) == dict.fromkeys(kinds, writing)
    for given in verbs(default.one("ClusterRole", "daskjob-operator-view")["rules"]).values():
        assert given == {"get", "list", "watch"}


def test_nothing_of_it_when_off(render) -> None:
    rendering = render({"rbac": {"create": False, "aggregate": False}})
    assert not roles(rendering)
    assert not rendering.all("ClusterRoleBinding") + rendering.all("RoleBinding")
