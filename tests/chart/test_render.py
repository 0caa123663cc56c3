"""What the chart makes of its values."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from .conftest import CHART, NAMESPACE, ROOT, Rendering

OPERATOR, CONTROLLER = "daskjob-operator", "daskjob-operator-dask-controller"
OUR_CRDS = {"daskjobs.daskjob.io", "daskcronjobs.daskjob.io", "daskjobreports.daskjob.io"}
DASK_CRDS = {"daskclusters.kubernetes.dask.org", "daskworkergroups.kubernetes.dask.org"}
THEIRS = "system:serviceaccount:dask-operator:dask-kubernetes"
WITHOUT_CONTROLLER = {"daskController": {"enabled": False}, "objectPolicy": {"exemptUsers": [THEIRS]}}
KEEP = "helm.sh/resource-policy"


def without_marks(crd: dict[str, Any]) -> dict[str, Any]:
    return {**crd, "metadata": {"name": crd["metadata"]["name"]}}


def definitions() -> dict[str, dict[str, Any]]:
    paths = [*(ROOT / "crds").glob("daskjob*.yaml"), *(CHART / "files" / "dask-crds").iterdir()]
    found = [yaml.load(path.read_text(), yaml.CSafeLoader) for path in paths]
    return {crd["metadata"]["name"]: crd for crd in found}


def test_the_definitions_come_through_unchanged_and_stay(default: Rendering) -> None:
    assert default.names("CustomResourceDefinition") == OUR_CRDS | DASK_CRDS
    for name, crd in definitions().items():
        rendered = default.one("CustomResourceDefinition", name)
        assert without_marks(rendered) == without_marks(crd)
        assert rendered["metadata"]["annotations"][KEEP] == "keep"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"crds": {"install": False}}, DASK_CRDS),
        ({"daskController": {"crds": {"install": False}}}, OUR_CRDS),
        (WITHOUT_CONTROLLER, OUR_CRDS),
        ({"crds": {"install": False}, "daskController": {"crds": {"install": False}}}, set()),
    ],
)
def test_definitions_can_be_left_out(render, values: dict[str, Any], expected: set[str]) -> None:
    assert render(values).names("CustomResourceDefinition") == expected


def test_definitions_can_go_with_the_release(render) -> None:
    rendering = render({"crds": {"keep": False}, "daskController": {"crds": {"keep": False}}})
    for crd in rendering.all("CustomResourceDefinition"):
        assert KEEP not in crd["metadata"].get("annotations", {})


def test_namespaces_that_are_not_served(default: Rendering, render) -> None:
    excluded = f"kube-system,kube-public,kube-node-lease,{NAMESPACE}"
    for name in (OPERATOR, CONTROLLER):
        assert default.env(name)["DASKJOB_EXCLUDE_NAMESPACES"] == excluded
        assert render({"excludeNamespaces": ["a"]}).env(name)["DASKJOB_EXCLUDE_NAMESPACES"] == "a"
        # Who names them wants them.
        assert render({"watchNamespaces": [NAMESPACE]}).env(name)["DASKJOB_EXCLUDE_NAMESPACES"] == ""


def test_reports_have_a_priority_level_of_their_own(default: Rendering, render) -> None:
    schema = default.one("FlowSchema", f"{OPERATOR}-reports")["spec"]
    default.one("PriorityLevelConfiguration", schema["priorityLevelConfiguration"]["name"])
    [rule] = schema["rules"]
    [resource] = rule["resourceRules"]
    assert resource["namespaces"] == ["*"]
    [watched] = render({"watchNamespaces": ["a", "b"]}).all("FlowSchema")
    assert watched["spec"]["rules"][0]["resourceRules"][0]["namespaces"] == ["a", "b"]
    without = render({"reportFlowControl": {"enabled": False}})
    assert not without.all("FlowSchema") + without.all("PriorityLevelConfiguration")


def test_without_a_dask_controller_nothing_of_it_is_left(render) -> None:
    rendering = render(WITHOUT_CONTROLLER)
    assert rendering.names("Deployment") == {OPERATOR}
    assert not [each for each in rendering.objects if "dask-controller" in json.dumps(each["metadata"])]


@pytest.mark.parametrize("name", [OPERATOR, CONTROLLER])
def test_pods_fit_the_restricted_standard(default: Rendering, name: str) -> None:
    pod = default.one("Deployment", name)["spec"]["template"]["spec"]
    container = default.container(name)
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    [volume] = pod["volumes"]
    assert list(volume) == ["name", "emptyDir"]
    assert container["resources"]["limits"]["memory"]
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert pod["terminationGracePeriodSeconds"] == 30
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        path = "/readyz" if probe == "readinessProbe" else "/healthz"
        assert container[probe]["httpGet"] == {"path": path, "port": "health"}
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    assert ports["health"] == default.env(name)["DASKJOB_HEALTH_PORT"]


def test_commands(default: Rendering) -> None:
    assert default.container(OPERATOR)["command"] == ["python3", "-m", "daskjob"]
    assert default.container(CONTROLLER)["command"] == ["python3", "-m", "daskjob.dask_controller"]


def test_the_dask_controller_is_never_there_twice(default: Rendering) -> None:
    spec = default.one("Deployment", CONTROLLER)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_environment_by_default(default: Rendering) -> None:
    env = default.env(OPERATOR)
    assert env.pop("DASKJOB_OPERATOR_NAMESPACE") == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert env.pop("DASKJOB_POD_NAME") == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert json.loads(env.pop("DASKJOB_POD_SECURITY_CONTEXT")) == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    shared = {
        "DASKJOB_NAMESPACES": "",
        "DASKJOB_EXCLUDE_NAMESPACES": f"kube-system,kube-public,kube-node-lease,{NAMESPACE}",
        "DASKJOB_HEALTH_PORT": "8080",
        "DASKJOB_LOG_FORMAT": "json",
        "DASKJOB_LOG_LEVEL": "INFO",
    }
    for name in ("DASKJOB_REPORT_POLICY", "DASKJOB_OBJECT_POLICIES"):
        env.pop(name)
    assert env == shared | {
        "DASKJOB_METRICS_PORT": "8081",
        "DASKJOB_LEASE_NAME": OPERATOR,
        "DASKJOB_MAX_RUNNING_JOBS": "0",
        "DASKJOB_MAX_RUNNING_JOBS_PER_NAMESPACE": "0",
        "DASKJOB_MAX_WORKERS_PER_NAMESPACE": "0",
        "DASKJOB_MAX_WORKERS_PER_JOB": "0",
        "DASKJOB_NAMESPACE_CLASSES": "",
        "DASKJOB_CLUSTER_DOMAIN": "cluster.local",
        "DASKJOB_DEFAULT_IMAGE": "",
        "DASKJOB_DEFAULT_IMAGE_PULL_POLICY": "",
        "DASKJOB_RESULT_STORE": "",
        "DASKJOB_ALLOW": "",
        "DASKJOB_ALLOW_METADATA": "",
        "DASKJOB_POD_SECURITY": "restricted",
        "DASKJOB_SERVICE_ACCOUNTS": "",
        "DASKJOB_IMAGE_PULL_SECRETS": "",
        "DASKJOB_UNATTENDED_SECONDS": "600",
        "DASKJOB_RESOURCES": "{}",
        "DASKJOB_TMP_SIZE_LIMIT": "",
        "DASKJOB_INGRESS": "[]",
    }
    assert default.env(CONTROLLER) == shared


def test_environment_from_values(render) -> None:
    values = {
        "watchNamespaces": ["a", "b"],
        "clusterDomain": "example.internal",
        "log": {"format": "plain", "level": "WARNING"},
        "job": {
            "defaultImage": "team/dask:1",
            "defaultImagePullPolicy": "Never",
            "allowMetadata": ["example.com/*", "app"],
            "podSecurity": "baseline",
            "allow": ["hostPath", "privileged"],
            "serviceAccounts": ["cloud", "reader"],
            "imagePullSecrets": [{"name": "pull"}, {"name": "more"}],
            "unattendedSeconds": 3000000,
            # As on OpenShift; Helm reads numbers as floating point.
            "podSecurityContext": {"fsGroup": 1000680000, "runAsUser": None, "runAsGroup": None},
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
            "tmpSizeLimit": "20Gi",
            "resultStore": {"url": "s3://results/all", "secretName": "keys", "options": {"anon": False}},
            "networkPolicy": {"ingress": [{"ports": [{"port": 15020}]}]},
        },
        "limits": {
            "runningJobs": 1000000,
            "runningJobsPerNamespace": 3,
            "workersPerNamespace": 1000000,
            "workersPerJob": 40,
            "namespaceClasses": [{"name": "first", "namespaces": ["a", "b"]}, {"name": "rest"}],
        },
        "operator": {"extraEnv": [{"name": "TZ", "value": "UTC"}]},
    }
    rendering = render(values)
    env = rendering.env(OPERATOR)
    for name in (OPERATOR, CONTROLLER):
        assert rendering.env(name)["DASKJOB_NAMESPACES"] == "a,b"
        assert rendering.env(name)["DASKJOB_LOG_FORMAT"] == "plain"
        assert rendering.env(name)["DASKJOB_LOG_LEVEL"] == "WARNING"
    assert env["DASKJOB_CLUSTER_DOMAIN"] == "example.internal"
    assert env["DASKJOB_DEFAULT_IMAGE"] == "team/dask:1"
    assert env["DASKJOB_DEFAULT_IMAGE_PULL_POLICY"] == "Never"
    assert (env["DASKJOB_ALLOW_METADATA"], env["DASKJOB_POD_SECURITY"]) == ("example.com/*,app", "baseline")
    assert env["DASKJOB_ALLOW"] == "hostPath,privileged"
    assert (env["DASKJOB_SERVICE_ACCOUNTS"], env["DASKJOB_IMAGE_PULL_SECRETS"]) == ("cloud,reader", "pull,more")
    assert env["DASKJOB_UNATTENDED_SECONDS"] == "3000000"
    assert json.loads(env["DASKJOB_RESOURCES"]) == values["job"]["resources"]
    assert env["DASKJOB_TMP_SIZE_LIMIT"] == "20Gi"
    assert json.loads(env["DASKJOB_RESULT_STORE"]) == {
        "url": "s3://results/all",
        "secretRef": {"name": "keys"},
        "options": {"anon": False},
    }
    assert json.loads(env["DASKJOB_INGRESS"]) == values["job"]["networkPolicy"]["ingress"]
    assert '"fsGroup":1000680000' in env["DASKJOB_POD_SECURITY_CONTEXT"]
    assert (env["DASKJOB_MAX_RUNNING_JOBS"], env["DASKJOB_MAX_RUNNING_JOBS_PER_NAMESPACE"]) == ("1000000", "3")
    assert (env["DASKJOB_MAX_WORKERS_PER_NAMESPACE"], env["DASKJOB_MAX_WORKERS_PER_JOB"]) == ("1000000", "40")
    assert env["DASKJOB_NAMESPACE_CLASSES"] == "a,b;"
    assert env["TZ"] == "UTC"
    assert "TZ" not in rendering.env(CONTROLLER)


@pytest.mark.parametrize(("component", "name"), [("operator", OPERATOR), ("daskController", CONTROLLER)])
def test_pod_values_reach_their_own_deployment_only(render, component: str, name: str) -> None:
    tolerations = [{"key": "a", "operator": "Exists"}]
    affinity = {"nodeAffinity": {}}
    values = {
        "podLabels": {"team": "jobs"},
        "podAnnotations": {"note": "text"},
        "nodeSelector": {"pool": "system"},
        "tolerations": tolerations,
        "affinity": affinity,
        "priorityClassName": "high",
        "resources": {"requests": {"cpu": "7m"}},
        "extraEnv": [{"name": "EXTRA", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    }
    rendering = render({component: values, "imagePullSecrets": [{"name": "pull"}]})
    for each in rendering.all("Deployment"):
        own = each["metadata"]["name"] == name
        template = each["spec"]["template"]
        pod = template["spec"]
        assert pod["imagePullSecrets"] == [{"name": "pull"}]
        assert (template["metadata"]["labels"].get("team") == "jobs") is own
        assert (template["metadata"].get("annotations") == {"note": "text"}) is own
        assert (pod.get("nodeSelector") == {"pool": "system"}) is own
        assert (pod.get("tolerations") == tolerations) is own
        assert (pod.get("affinity") == affinity) is own
        assert (pod.get("priorityClassName") == "high") is own
        assert (pod["containers"][0]["resources"]["requests"]["cpu"] == "7m") is own
        assert ("EXTRA" in rendering.env(each["metadata"]["name"])) is own


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "daskjob/operator:0.1.0"),
        ({"repository": "localhost/daskjob/operator", "tag": "test"}, "localhost/daskjob/operator:test"),
        ({"digest": f"sha256:{'0' * 64}", "tag": "ignored"}, f"daskjob/operator@sha256:{'0' * 64}"),
    ],
)
def test_image(render, values: dict[str, Any], image: str) -> None:
    rendering = render({"image": values})
    assert {rendering.container(name)["image"] for name in (OPERATOR, CONTROLLER)} == {image}


def test_selectors_match_their_pods_and_nobody_elses(default: Rendering) -> None:
    deployments = default.all("Deployment")
    for each in deployments:
        selector = each["spec"]["selector"]["matchLabels"].items()
        matched = [
            other["metadata"]["name"]
            for other in deployments
            if selector <= other["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert matched == [each["metadata"]["name"]]
    covered = default.one("NetworkPolicy", OPERATOR)["spec"]["podSelector"]["matchLabels"].items()
    assert all(covered <= each["spec"]["template"]["metadata"]["labels"].items() for each in deployments)


def test_no_object_carries_the_label_of_jobs(default: Rendering) -> None:
    """The operator would take it for one of a job's."""
    for each in default.objects:
        assert each["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_disruption_budget_only_where_it_does_not_block_a_drain(render) -> None:
    def budgets(replicas: int, enabled: bool = True) -> int:
        values = {"operator": {"replicas": replicas}, "podDisruptionBudget": {"enabled": enabled}}
        return len(render(values).all("PodDisruptionBudget"))

    assert [budgets(1), budgets(2), budgets(2, enabled=False)] == [0, 1, 0]


def test_service_accounts_that_exist(render) -> None:
    existing = {"serviceAccount": {"create": False, "name": "mine"}}
    rendering = render({"operator": existing})
    assert rendering.names("ServiceAccount") == {CONTROLLER}
    assert rendering.one("ClusterRoleBinding", OPERATOR)["subjects"][0]["name"] == "mine"
    assert rendering.one("Deployment", OPERATOR)["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("daskjob", {}, "daskjob-operator"),
        ("daskjob-operator", {}, "daskjob-operator"),
        ("jobs", {}, "jobs-daskjob-operator"),
        ("jobs", {"nameOverride": "dask"}, "jobs-dask"),
        ("jobs", {"fullnameOverride": "all"}, "all"),
    ],
)
def test_names(render, release: str, values: dict[str, Any], name: str) -> None:
    rendering = render(values, release=release)
    assert rendering.names("Deployment") == {name, f"{name}-dask-controller"}
    assert rendering.env(name)["DASKJOB_LEASE_NAME"] == name


def test_names_fit_with_the_longest_release(render) -> None:
    rendering = render(release="r" * 53)
    for each in rendering.objects:
        if each["kind"] != "CustomResourceDefinition":
            assert len(each["metadata"]["name"]) <= 63
