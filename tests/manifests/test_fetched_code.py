"""The container that fetches code: what it may do, what only it mounts, and what it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from daskjob.errors import SpecError
from daskjob.manifests.checked_folders import code_path
from daskjob.manifests.dask_cluster import dask_cluster
from daskjob.manifests.fetch_container import FETCH_CODE
from daskjob.manifests.resolver import resolver_pod
from daskjob.manifests.runner import job_file, runner_pod
from daskjob.schema.pod_security import Level, violations

from .builders import DEFAULTS, container, context, job, pod_specs, with_template

COMMIT = "0123456789" * 4
SECRET = {"secretRef": {"name": "token"}}


def from_git(**git: Any) -> dict[str, Any]:
    return {"graph": {"entrypoint": "m:f", "source": {"git": {"url": "https://host/x", "revision": "main", **git}}}}


def fetching(spec: dict[str, Any]) -> dict[str, Any]:
    (found,) = spec["initContainers"]
    return dict(found)


def mounts(of: dict[str, Any]) -> dict[str, bool]:
    return {each["name"]: each.get("readOnly", False) for each in of["volumeMounts"]}


@pytest.mark.parametrize("component", ["scheduler", "worker", "runner"])
def test_each_pod_fetches_before_its_own_container(component: str) -> None:
    spec = pod_specs(job(**from_git(**SECRET)))[component]
    first, own = fetching(spec), container(spec, component)
    assert (first["name"], first["image"]) == (FETCH_CODE, own["image"])
    assert mounts(first) == {"runner": True, "checked": False, "fetch": False, "code": False, "credentials": True}
    assert mounts(own)["code"] is True
    assert not {"credentials", "fetch", "token"} & {*mounts(own)} - {"token"}
    assert list(violations(spec, Level.RESTRICTED, "")) == []
    assert len({each["name"] for each in spec["volumes"]}) == len(spec["volumes"])


def test_no_token_is_mounted_where_code_is_fetched() -> None:
    made = context(job(**from_git(**SECRET)))
    fetch = made.fetch
    assert fetch is not None
    finds = resolver_pod(made, fetch, runner_pod(made))
    assert mounts(finds["spec"]["containers"][0]) == {
        "runner": True,
        "checked": False,
        "fetch": False,
        "credentials": True,
    }
    assert "token" not in mounts(fetching(runner_pod(made)["spec"]))
    assert "initContainers" not in finds["spec"]
    assert list(violations(finds["spec"], Level.RESTRICTED, "")) == []


def test_all_pods_have_the_commit_of_the_attempt() -> None:
    made = context(job(**from_git(subPath="src/jobs", submodules=True)))
    made = replace(made, attempt=replace(made.attempt, commit=COMMIT))
    cluster = dask_cluster(made)["spec"]
    for spec in (cluster["scheduler"]["spec"], cluster["worker"]["spec"], runner_pod(made)["spec"]):
        orders = json.loads(fetching(spec)["command"][-1])
        assert (orders["commit"], orders["seconds"]) == (COMMIT, 300)
        assert orders["what"] == {
            "url": "https://host/x",
            "revision": "main",
            "sub_path": "src/jobs",
            "submodules": True,
        }
    assert code_path(made) == job_file(made).code_path == "/opt/daskjob/code/src/jobs"
    for part in ("scheduler", "worker"):
        command = container(cluster[part]["spec"], part)["command"]
        assert command[command.index("--dask") + 2] == "/opt/daskjob/code/src/jobs"


def test_without_a_commit_nothing_is_fetched() -> None:
    """Such pods are built to be judged, and never created."""
    orders = json.loads(fetching(pod_specs(job(**from_git()))["runner"])["command"][-1])
    assert orders["commit"] == ""


def test_no_device_is_asked_for_to_fetch_code() -> None:
    limits = {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": 1}
    workers = {"resources": {"limits": limits}}
    spec = pod_specs(job(**from_git(), cluster={"image": "i", "workers": workers}))["worker"]
    assert fetching(spec)["resources"] == {"limits": {"cpu": "1", "memory": "1Gi"}}


def test_the_secret_of_an_attempt_is_nobodys_credentials() -> None:
    with pytest.raises(SpecError, match=r"spec\.graph\.source\.git\.secretRef\.name: names files"):
        pod_specs(job(**from_git(secretRef={"name": "sum-3f2a9-1-bcdfghjk-files"})))


@pytest.mark.parametrize(
    "change",
    [
        {"image": "theirs"},
        {"command": ["sh"]},
        {"env": [{"name": "X", "value": "1"}]},
        {"volumeMounts": [{"name": "tls", "mountPath": "/tls"}]},
    ],
)
def test_a_template_does_not_change_it(change: dict[str, Any]) -> None:
    template = {"spec": {"initContainers": [{"name": FETCH_CODE, **change}]}}
    made = with_template("worker", template)
    made = replace(made, spec=replace(made.spec, graph=job(**from_git()).spec.graph))
    with pytest.raises(SpecError, match=FETCH_CODE):
        pod_specs(made)


def test_users_init_containers_come_after_it() -> None:
    template = {"spec": {"initContainers": [{"name": "theirs", "image": "i", "command": ["true"]}]}}
    made = with_template("worker", template)
    made = replace(made, spec=replace(made.spec, graph=job(**from_git()).spec.graph))
    assert [each["name"] for each in pod_specs(made, DEFAULTS)["worker"]["initContainers"]] == [FETCH_CODE, "theirs"]


def test_packages_come_beside_any_source_and_before_the_pod_starts() -> None:
    pip = {"packages": ["requests"], "indexUrl": "http://index/simple", "secretRef": {"name": "index"}}
    for graph in ({}, {"source": {"inline": "x = 1"}}, from_git(**SECRET)["graph"]):
        specs = pod_specs(job(graph={"entrypoint": "m:f", **graph, "pip": pip}))
        for component, spec in specs.items():
            first, own = spec["initContainers"][-1], container(spec, component)
            assert first["name"] == "install-packages"
            assert mounts(first)["packages"] is False
            assert mounts(first)["index-credentials"] is True
            assert "credentials" not in mounts(first)
            assert mounts(own)["packages"] is True
            assert {"name": "DASKJOB_PACKAGES", "value": "/opt/daskjob/packages"} in own["env"]
            assert not {"index-credentials", "credentials", "fetch"} & {*mounts(own)}
            assert list(violations(spec, Level.RESTRICTED, "")) == []
            assert len({each["name"] for each in spec["volumes"]}) == len(spec["volumes"])
