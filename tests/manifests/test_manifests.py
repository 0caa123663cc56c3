"""What is made for an attempt: names, labels, owners, security, code and orders."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.manifests.context import Defaults
from daskjob.manifests.dask_cluster import dask_cluster, scheduler_selector, scheduler_service
from daskjob.manifests.names import Names
from daskjob.manifests.paths import CHECKED_PATH, TLS_PATH, TOKEN_PATH
from daskjob.manifests.pod_files import runner_config_map, secret
from daskjob.manifests.runner import report, runner_pod
from daskjob.schema.pod_security import Level, violations

from .builders import FILES, FROM_MAP, INLINE, LONGEST, attempt, container, context, job, pod_specs

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
SPECS = {"in the image": {}, "inline": INLINE, "files": FILES, "a ConfigMap": FROM_MAP}

job_names = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)


def all_objects(name: str = "sum", **spec: Any) -> list[dict[str, Any]]:
    made = job(name, **spec)
    first = context(made)
    return [
        dask_cluster(first),
        scheduler_service(first, "cluster-uid"),
        secret(first, "cluster-uid"),
        runner_pod(first),
        report(first, "pod-uid"),
    ]


# Names, labels, owners.


@given(job_names, st.integers(1, 2**31), st.sampled_from(["", "bcdfghjk"]))
def test_every_name_fits(name: str, number: int, nonce: str) -> None:
    made = job(name)
    names = Names("team", attempt(made, number, nonce).name)
    assert names.attempt.endswith(f"-{made.uid[:5]}-{number}" + (f"-{nonce}" if nonce else ""))
    for each in (names.attempt, names.runner, names.files, names.scheduler):
        assert DNS_LABEL.fullmatch(each), each
    # What dask-kubernetes derives: a group, whose name is a label's value, and Deployments, whose names may be long.
    group = f"{names.attempt}-default"
    assert DNS_LABEL.fullmatch(group)
    assert len(names.attempt) <= 63 - len("-scheduler"), "dask-kubernetes takes no longer name for a cluster"
    # A ReplicaSet adds a hash; the names of its pods are cut by Kubernetes itself.
    assert len(f"{group}-worker-{'0' * 10}-{'0' * 10}") <= 253


def test_the_longest_name_is_the_one_that_the_crd_allows() -> None:
    text = (Path(__file__).resolve().parents[2] / "crds" / "daskjobs.yaml").read_text()
    assert f"self.metadata.name.size() <= {c.MAX_NAME_LENGTH}" in text
    assert len(LONGEST) == c.MAX_NAME_LENGTH


@given(job_names)
def test_every_object_carries_the_operators_labels(name: str) -> None:
    for body in all_objects(name):
        labels = body["metadata"]["labels"]
        assert labels[c.MANAGED_BY_LABEL] == c.MANAGER
        assert labels[c.JOB_LABEL] == name
        assert labels[c.JOB_UID_LABEL] == job().uid
        assert labels[c.ATTEMPT_LABEL] == "1"
        assert all(LABEL_VALUE.fullmatch(value) for value in labels.values())
        assert labels.get(c.DASK_COMPONENT_LABEL) != "job-runner"
        assert "finalizers" not in body["metadata"]
        json.dumps(body)


def test_the_runner_is_not_daskkubernetes_business() -> None:
    pod = next(body for body in all_objects() if body["kind"] == "Pod")
    assert pod["metadata"]["labels"][c.COMPONENT_LABEL] == "runner"
    assert not any(key.startswith("dask.org/") for key in pod["metadata"]["labels"])


@pytest.mark.parametrize("body", all_objects(), ids=lambda body: body["kind"])
def test_every_object_has_an_owner_that_does_not_block(body: dict[str, Any]) -> None:
    (owner,) = body["metadata"]["ownerReferences"]
    of_the_job = body["kind"] in ("DaskCluster", "Pod", "DaskJobReport")
    assert (owner["kind"], owner["uid"]) == (("DaskJob", job().uid) if of_the_job else ("DaskCluster", "cluster-uid"))
    assert owner["controller"] is True
    assert owner["blockOwnerDeletion"] is False


def test_a_report_names_the_pod_that_may_write_it() -> None:
    body = report(context(job()), "pod-uid")
    assert body["spec"] == {"job": "sum", "jobUID": job().uid, "attempt": 1, "runnerPodUID": "pod-uid"}
    assert "status" not in body


def test_the_runners_program_is_named_by_what_is_in_it() -> None:
    one, same, other = (runner_config_map("team", each) for each in (b"a", b"a", b"b"))
    assert one == same
    assert one["metadata"]["name"] != other["metadata"]["name"]
    assert re.fullmatch(r"daskjob-runner-[0-9a-f]{10}", one["metadata"]["name"])
    assert base64.b64decode(one["binaryData"]["runner.pyz"]) == b"a"
    assert one["immutable"] is True
    assert c.JOB_LABEL not in one["metadata"]["labels"], "it is all jobs'"


# Pod Security Standard "restricted".


@pytest.mark.parametrize("component", ["scheduler", "worker", "runner"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_pod_conforms_to_the_restricted_standard(spec: dict[str, Any], component: str) -> None:
    assert list(violations(pod_specs(job(**spec))[component], Level.RESTRICTED, "spec")) == []


@pytest.mark.parametrize("token", [True, False])
def test_only_the_runner_has_a_token_and_only_where_a_policy_binds_it(token: bool) -> None:
    specs = pod_specs(job(), Defaults(image="localhost/i", report_token=token))
    for name, spec in specs.items():
        assert spec["automountServiceAccountToken"] is False
        has = "serviceAccountToken" in json.dumps(spec["volumes"])
        assert has == (token and name == "runner")
        assert (TOKEN_PATH in json.dumps(spec["containers"])) == has
    variables = {each["name"]: each.get("value") for each in container(specs["runner"], "runner")["env"]}
    assert variables["DASKJOB_REPORT"] == ("kubernetes" if token else "none")


def test_every_mount_has_a_volume_and_every_volume_a_mount() -> None:
    for spec in (each for kind in SPECS.values() for each in pod_specs(job(**kind)).values()):
        (only,) = spec["containers"]
        mounted = [each["name"] for each in only["volumeMounts"]]
        assert sorted(mounted) == sorted(each["name"] for each in spec["volumes"])
        paths = [each["mountPath"] for each in only["volumeMounts"]]
        assert len(set(paths)) == len(paths)
        assert not any(one != other and other.startswith(f"{one}/") for one in paths for other in paths)


def variables_of(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def test_traffic_is_encrypted_for_every_role() -> None:
    for name, spec in pod_specs(job()).items():
        variables = {each["name"]: each["value"] for each in container(spec, name)["env"]}
        assert variables["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
        assert variables["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] == f"{CHECKED_PATH}/tls/ca.crt"
        for role in ("SCHEDULER", "WORKER", "CLIENT"):
            assert variables[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] == f"{CHECKED_PATH}/tls/tls.crt"
            assert variables[f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"] == f"{TLS_PATH}/tls.key"
    assert (
        "tls://sum-3f2a9-1-scheduler.team.svc.cluster.local:8786"
        in container(pod_specs(job())["worker"], "worker")["command"]
    )


def test_every_client_finds_the_jobs_scheduler_whatever_the_domain() -> None:
    specs = pod_specs(job(), Defaults(image="i", cluster_domain="example.internal"))
    for name, spec in specs.items():
        variables = {each["name"]: each["value"] for each in container(spec, name)["env"]}
        address = "tls://sum-3f2a9-1-scheduler.team.svc.example.internal:8786"
        assert variables["DASK_SCHEDULER_ADDRESS"] == address
        assert variables["DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME"] == "tls"
        # The scheduler's own watch over whether anybody needs it leaves out the clients of workers.
        assert variables.get("DASK_CLIENT_NAME") == ("worker" if name == "worker" else None)


@pytest.mark.parametrize(("given", "setting"), [("1.5", "1.5"), (10, "10"), ("inf", "inf"), (None, None)])
def test_the_saturation_of_workers_is_a_setting_of_the_scheduler(given: int | str | None, setting: str | None) -> None:
    specs = pod_specs(job(cluster={"image": "i", "scheduler": {"workerSaturation": given}}))
    name = "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION"
    found = {
        key: [each["value"] for each in container(specs[key], key)["env"] if each["name"] == name]
        for key in ("scheduler", "worker", "runner")
    }
    assert found == {"scheduler": [] if setting is None else [setting], "worker": [], "runner": []}


def test_the_dashboard_listens_to_its_own_pod_only() -> None:
    command = container(pod_specs(job())["scheduler"], "scheduler")["command"]
    assert command[command.index("--dashboard-address") + 1] == "127.0.0.1:8787"
    assert "--dashboard" in command
    off = container(pod_specs(job(cluster={"image": "i", "dashboard": False}))["scheduler"], "scheduler")["command"]
    assert "--no-dashboard" in off


def test_workers_serve_health_and_metrics_to_their_own_pod_only() -> None:
    command = container(pod_specs(job())["worker"], "worker")["command"]
    assert command[command.index("--dashboard-address") + 1] == "127.0.0.1:0"
    assert "--no-dashboard" in command


def test_the_users_variables_win_over_ours() -> None:
    env = [
        {"name": "HOME", "value": "/home/u"},
        {"name": "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "value": "60 s"},
        {"name": "PYTHONUNBUFFERED", "value": "0"},
        {"name": "A", "value": "b"},
    ]
    for name, spec in pod_specs(job(cluster={"image": "i", "env": env})).items():
        variables = [(each["name"], each["value"]) for each in container(spec, name)["env"]]
        assert len(dict(variables)) == len(variables), "a variable is there twice"
        assert dict(variables).items() >= {each["name"]: each["value"] for each in env}.items()
        if name == "runner":
            assert dict(variables)["DASKJOB_JOB_FILE"] == f"{CHECKED_PATH}/job/job.json"


def test_images_pull_policies_and_secrets() -> None:
    cluster = {"image": "localhost/mine", "imagePullPolicy": "Always", "imagePullSecrets": [{"name": "s"}]}
    defaults = Defaults(image="localhost/default", image_pull_policy="Never")
    for name, spec in pod_specs(job(cluster=cluster), defaults).items():
        assert (container(spec, name)["image"], container(spec, name)["imagePullPolicy"]) == (
            "localhost/mine",
            "Always",
        )
        assert spec["imagePullSecrets"] == [{"name": "s"}]
    for name, spec in pod_specs(job(cluster={}), defaults).items():
        assert (container(spec, name)["image"], container(spec, name)["imagePullPolicy"]) == (
            "localhost/default",
            "Never",
        )


def test_a_worker_has_its_threads_and_knows_what_it_requests() -> None:
    """Its limit, its process reads from the container."""
    resources = {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    spec = container(
        pod_specs(job(cluster={"image": "i", "workers": {"threads": 3, "resources": resources}}))["worker"], "worker"
    )
    assert spec["command"][spec["command"].index("--nthreads") + 1] == "3"
    assert spec["resources"] == resources
    assert variables_of(spec)["DASKJOB_MEMORY_REQUEST"] == "1Gi"
    plain = container(pod_specs(job())["worker"], "worker")
    assert "DASKJOB_MEMORY_REQUEST" not in variables_of(plain)
    assert "--memory-limit" not in spec["command"] + plain["command"]


def test_dasks_resources_keep_their_case() -> None:
    given = job(cluster={"image": "i", "workers": {"daskResources": {"GPU": 1, "memory": "0.5"}}})
    command = container(pod_specs(given)["worker"], "worker")["command"]
    assert command[command.index("--resources") + 1] == "GPU=1 memory=0.5"
    assert "--resources" not in container(pod_specs(job())["worker"], "worker")["command"]


@pytest.mark.parametrize("given", ["nowhere", "spec.cluster.env", "a template"])
def test_a_home_that_the_user_chose_stays(given: str) -> None:
    env = [{"name": "HOME", "value": "/home/u"}]
    cluster: dict[str, Any] = {"image": "i", "env": env} if given == "spec.cluster.env" else {"image": "i"}
    spec: dict[str, Any] = {"cluster": cluster}
    if given == "a template":
        for name, part in (("scheduler", "scheduler"), ("worker", "workers")):
            cluster[part] = {"template": {"spec": {"containers": [{"name": name, "env": env}]}}}
        spec["runner"] = {"template": {"spec": {"containers": [{"name": "runner", "env": env}]}}}
    for name, pod in pod_specs(job(**spec)).items():
        variables = variables_of(container(pod, name))
        home = None if given == "nowhere" else "/home/u"
        assert (variables.get("HOME"), variables.get("DASKJOB_HOME")) == (home, None if home else "/tmp")
        assert variables["DASKJOB_SCRATCH"] == "/tmp"


@pytest.mark.parametrize(
    ("workers", "replicas"), [({}, 1), ({"replicas": 4}, 4), ({"adaptive": {"minimum": 2, "maximum": 9}}, 2)]
)
def test_a_cluster_starts_with_its_first_workers(workers: dict[str, Any], replicas: int) -> None:
    made = job(cluster={"image": "i", "workers": workers})
    assert dask_cluster(context(made))["spec"]["worker"]["replicas"] == replicas


def test_the_service_is_the_one_that_dask_kubernetes_would_make() -> None:
    made = job()
    service, cluster = scheduler_service(context(made), "u"), dask_cluster(context(made))
    assert service["metadata"]["name"] == f"{cluster['metadata']['name']}-scheduler"
    selector = scheduler_selector(cluster["metadata"]["name"])
    # It leads nowhere until the operator gives it the selector.
    assert {**service["spec"], "selector": selector} == cluster["spec"]["scheduler"]["service"] != service["spec"]
    assert service["spec"]["publishNotReadyAddresses"] is True
    (port,) = service["spec"]["ports"]
    scheduler = container(pod_specs(made)["scheduler"], "scheduler")
    assert [each["name"] for each in scheduler["ports"]] == [port["targetPort"]]
    assert selector == {"dask.org/cluster-name": "sum-3f2a9-1", "dask.org/component": "scheduler"}
