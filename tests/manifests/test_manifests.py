"""What is made for an attempt: names, labels, owners, security, code and orders."""

from __future__ import annotations

import base64
import json
import re
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.manifests.context import Defaults
from daskjob.manifests.dask_cluster import dask_cluster, scheduler_selector, scheduler_service
from daskjob.manifests.pod_files import JOB_KEY, secret
from daskjob.manifests.pod_spec import CODE_PATH, TLS_PATH
from daskjob.manifests.runner import (
    JOB_PATH,
    RUNNER_PATH,
    TOKEN_PATH,
    job_file,
    report,
    runner_config_map,
    runner_pod,
)
from daskjob.manifests.tls import BACKDATED, key_pair

from ..lifecycle.builders import NOW
from .builders import LONGEST, container, context, job, pod_specs

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
INLINE = {"graph": {"entrypoint": "pack.age.mod:f", "source": {"inline": "x = 1\n"}}}
FILES = {"graph": {"entrypoint": "m:f", "source": {"files": {"m.py": "a", "pack/__init__.py": "b"}}}}
FROM_MAP = {"graph": {"entrypoint": "m:f", "source": {"configMap": {"name": "mine"}}}}
SPECS = {"in the image": {}, "inline": INLINE, "files": FILES, "a ConfigMap": FROM_MAP}

job_names = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)


def all_objects(name: str = "sum", **spec: Any) -> list[dict[str, Any]]:
    made = job(name, **spec)
    first = context(made)
    return [
        dask_cluster(first),
        scheduler_service(first, "cluster-uid"),
        secret(first, "cluster-uid", "{}", NOW),
        runner_pod(first, "daskjob-runner-0"),
        report(first, "pod-uid"),
    ]


# Names, labels, owners.


@given(job_names, st.integers(1, 99))
def test_every_name_fits(name: str, number: int) -> None:
    made = job(name)
    names = context(made, number=number).names
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


# Pod Security Standard "restricted", level by level.


def restricted(spec: dict[str, Any]) -> list[str]:
    """What of a PodSpec is against the standard."""
    pod = spec.get("securityContext", {})
    wrong = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    kinds = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    wrong += [f"volume {each['name']}" for each in spec.get("volumes", ()) if not (each.keys() - {"name"}) <= kinds]
    for each in [*spec["containers"], *spec.get("initContainers", ())]:
        own, name = each.get("securityContext", {}), each["name"]
        wrong += [f"{name}: hostPort" for port in each.get("ports", ()) if port.get("hostPort")]
        if own.get("privileged") or own.get("procMount", "Default") != "Default":
            wrong.append(f"{name}: privileged")
        if own.get("allowPrivilegeEscalation") is not False:
            wrong.append(f"{name}: allowPrivilegeEscalation")
        if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
            wrong.append(f"{name}: runAsNonRoot")
        if own.get("runAsUser", pod.get("runAsUser")) == 0:
            wrong.append(f"{name}: runAsUser")
        if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in ("RuntimeDefault", "Localhost"):
            wrong.append(f"{name}: seccompProfile")
        capabilities = own.get("capabilities", {})
        if capabilities.get("drop") != ["ALL"] or set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
            wrong.append(f"{name}: capabilities")
    return wrong


@pytest.mark.parametrize("component", ["scheduler", "worker", "runner"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_pod_conforms_to_the_restricted_standard(spec: dict[str, Any], component: str) -> None:
    assert restricted(pod_specs(job(**spec))[component]) == []


def test_the_check_of_the_standard_finds_what_is_wrong() -> None:
    bare = {"hostPID": True, "volumes": [{"name": "v", "hostPath": {}}], "containers": [{"name": "c"}]}
    assert restricted(bare) == [
        "hostPID",
        "volume v",
        "c: allowPrivilegeEscalation",
        "c: runAsNonRoot",
        "c: seccompProfile",
        "c: capabilities",
    ]


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


def test_traffic_is_encrypted_for_every_role() -> None:
    for name, spec in pod_specs(job()).items():
        variables = {each["name"]: each["value"] for each in container(spec, name)["env"]}
        assert variables["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
        assert variables["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] == f"{TLS_PATH}/ca.crt"
        for role in ("SCHEDULER", "WORKER", "CLIENT"):
            assert variables[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] == f"{TLS_PATH}/tls.crt"
            assert variables[f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"] == f"{TLS_PATH}/tls.key"
    assert (
        "tls://sum-3f2a9-1-scheduler.team.svc.cluster.local:8786"
        in container(pod_specs(job())["worker"], "worker")["command"]
    )


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


def test_the_users_variables_win_over_ours_but_not_over_the_orders() -> None:
    env = [
        {"name": "HOME", "value": "/home/u"},
        {"name": "DASKJOB_JOB_FILE", "value": "/x"},
        {"name": "A", "value": "b"},
    ]
    for name, spec in pod_specs(job(cluster={"image": "i", "env": env})).items():
        variables = [(each["name"], each["value"]) for each in container(spec, name)["env"]]
        assert len(dict(variables)) == len(variables), "a variable is there twice"
        assert dict(variables)["HOME"] == "/home/u"
        assert dict(variables)["A"] == "b"
        if name == "runner":
            assert dict(variables)["DASKJOB_JOB_FILE"] == f"{JOB_PATH}/job.json"


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


def test_workers_have_the_memory_of_their_container() -> None:
    resources = {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    spec = pod_specs(job(cluster={"image": "i", "workers": {"threads": 3, "resources": resources}}))["worker"]
    command = container(spec, "worker")["command"]
    assert command[command.index("--memory-limit") + 1] == "2Gi"
    assert command[command.index("--nthreads") + 1] == "3"
    assert container(spec, "worker")["resources"] == resources
    assert "--memory-limit" not in container(pod_specs(job())["worker"], "worker")["command"]


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


# Code and orders.


def test_where_the_code_lands() -> None:
    def layout(spec: dict[str, Any]) -> tuple[dict[str, str] | None, str | None]:
        """(content by path below the code's folder; None if there is none) and the object it comes from."""
        made = job(**spec)
        data = secret(context(made), "u", "{}", NOW)["stringData"]
        assert data.pop(JOB_KEY) == "{}"
        layouts = []
        for name, pod in pod_specs(made).items():
            volume = next((each for each in pod["volumes"] if each["name"] == "code"), None)
            mounts = [each for each in container(pod, name)["volumeMounts"] if each["name"] == "code"]
            if volume is None:
                assert mounts == []
                layouts.append((None, None))
                continue
            assert [(each["mountPath"], each["readOnly"]) for each in mounts] == [(CODE_PATH, True)]
            theirs = volume.get("configMap", {}).get("name")
            items = [] if theirs else volume["secret"]["items"]
            content = {each["path"]: data[each["key"]] for each in items}
            layouts.append((content, theirs or volume["secret"]["secretName"]))
        assert layouts[0] == layouts[1] == layouts[2], "all pods have the same code"
        return layouts[0]

    assert layout({}) == (None, None)
    assert layout(INLINE) == ({"pack/age/mod.py": "x = 1\n"}, "sum-3f2a9-1-files")
    assert layout(FILES) == ({"m.py": "a", "pack/__init__.py": "b"}, "sum-3f2a9-1-files")
    assert layout(FROM_MAP) == ({}, "mine")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}(/[a-z_]{1,8}){0,2}\.py", fullmatch=True),
        st.text(max_size=5),
        min_size=1,
        max_size=6,
    )
)
def test_every_file_has_a_key_that_a_secret_may_have(files: dict[str, str]) -> None:
    made = job(graph={"entrypoint": "m:f", "source": {"files": files}})
    both = secret(context(made), "u", "{}", NOW)
    data = both["stringData"]
    assert not data.keys() & both["data"].keys(), "no file stands in for the key pair"
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) for key in data)
    items = next(each for each in pod_specs(made)["worker"]["volumes"] if each["name"] == "code")["secret"]["items"]
    assert {each["path"]: data[each["key"]] for each in items} == files


def test_the_runners_orders() -> None:
    graph = {"entrypoint": "m:f", "args": [1, "a"], "kwargs": {"b": None}, "keys": [["x", 0]], "source": {"inline": ""}}
    made = job(graph=graph, startupDeadlineSeconds=77, cluster={"workers": {"adaptive": {"minimum": 1, "maximum": 4}}})
    assert json.loads(job_file(context(made)).dump()) == {
        "protocol": 1,
        "job": {"namespace": "team", "name": "sum", "uid": made.uid},
        "attempt": 1,
        "report": "sum-3f2a9-1",
        "graph": {"entrypoint": "m:f", "args": [1, "a"], "kwargs": {"b": None}, "keys": [["x", 0]]},
        "scheduler": {"address": "tls://sum-3f2a9-1-scheduler.team.svc.cluster.local:8786", "timeoutSeconds": 77},
        "codePath": CODE_PATH,
        "minWorkers": 1,
        "adaptive": {"minimum": 1, "maximum": 4},
        "limits": {"resultBytes": 262144},
        "deadline": None,
        "unattendedSeconds": 600,
    }
    plain = json.loads(job_file(context(job())).dump())
    assert (plain["codePath"], plain["adaptive"], plain["graph"]["keys"]) == (None, None, None)


def test_the_runner_finds_its_program_and_its_orders() -> None:
    pod = pod_specs(job())["runner"]
    only = container(pod, "runner")
    assert only["command"] == ["python3", f"{RUNNER_PATH}/runner.pyz"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert volumes["runner"]["configMap"] == {"name": "daskjob-runner-0"}
    assert volumes["job"]["secret"] == {
        "secretName": "sum-3f2a9-1-files",
        "items": [{"key": JOB_KEY, "path": "job.json"}],
    }
    assert pod["restartPolicy"] == "Never"
    assert only["terminationMessagePolicy"] == "File"


# The key pair.


def test_a_key_pair_is_one_an_attempt_back_dated_and_loads(tmp_path: Path) -> None:
    certificate, key = key_pair(NOW)
    parsed = x509.load_pem_x509_certificate(certificate)
    assert parsed.not_valid_before_utc == NOW - BACKDATED
    assert timedelta(hours=1) <= BACKDATED
    assert parsed.not_valid_after_utc >= NOW + timedelta(days=30)
    assert load_pem_private_key(key, None).public_key() == parsed.public_key()  # type: ignore[comparison-overlap]
    assert key_pair(NOW)[1] != key
    (tmp_path / "crt").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    for purpose in (ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH):
        context = ssl.create_default_context(purpose, cafile=str(tmp_path / "crt"))
        context.load_cert_chain(tmp_path / "crt", tmp_path / "key")


def test_the_secret_is_as_it_is_mounted() -> None:
    whole = secret(context(job(**FILES)), "u", "{}", NOW)
    assert whole["immutable"] is True
    names = {"tls.crt", "tls.key", "ca.crt"}
    assert whole["data"].keys() == names
    assert b"BEGIN CERTIFICATE" in base64.b64decode(whole["data"]["ca.crt"])
    for component, spec in pod_specs(job(**FILES)).items():
        volumes = {each["name"]: each["secret"] for each in spec["volumes"] if "secret" in each}
        assert {each["secretName"] for each in volumes.values()} == {whole["metadata"]["name"]}
        assert volumes["tls"]["defaultMode"] == 0o440
        assert {(each["key"], each["path"]) for each in volumes["tls"]["items"]} == {(name, name) for name in names}
        assert ("job" in volumes) is (component == "runner"), "scheduler and workers need no job file"
        code = {each["key"] for each in volumes["code"]["items"]}
        assert not code & (names | {JOB_KEY}), "user code's folder has neither key nor job file"


def test_without_a_group_files_are_readable_by_all() -> None:
    """The group of volumes may be left to the cluster, where it assigns users itself."""
    specs = pod_specs(job(), Defaults(image="localhost/i", security_context={"runAsNonRoot": True}))
    assert {each["volumes"][0]["secret"]["defaultMode"] for each in specs.values()} == {0o444}
