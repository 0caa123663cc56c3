"""Pods in place of Deployments, on a real API server with the chart's rights: refused, another's, deleted, replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daskjob.api import constants as c

from ..support.waiting import wait_for
from .conftest import make_namespace
from .dask_clusters import (
    LABELS,
    OPERATOR,
    controller,
    dask,
    of_the_operator,
    pods,
    requests,
    scaled,
    token,
    workers_become,
)
from .server import Server

#: What kopf logs of a handler that it will call again.
TRIED = "failed temporarily"


@pytest.fixture
def namespace(installed: Server) -> str:
    return make_namespace(installed)


def refusal(server: Server, path: str) -> dict[str, Any]:
    """The refusal that the Dask controller has written on an object; {} if there is none, or no such object."""
    annotations = server.admin.get(path).body.get("metadata", {}).get("annotations") or {}
    found: dict[str, Any] = json.loads(annotations.get(c.REFUSED_ANNOTATION, "{}"))
    return found


def await_refusal(server: Server, path: str) -> dict[str, Any]:
    found: dict[str, Any] = wait_for(f"a refusal on {path}", lambda: refusal(server, path), bool)
    return found


def room_for(server: Server, namespace: str, pods: int) -> None:
    """A quota; without Kubernetes' controller, which fills its status."""
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    spec = {"hard": {"pods": str(pods)}}
    manifest = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "room"}, "spec": spec}
    if server.admin.get(f"{path}/room").status == 404:
        server.admin.create(path, manifest).ok()
        server.admin.merge(f"{path}/room/status", {"status": {**spec, "used": {"pods": "0"}}}).ok()
    else:
        server.admin.merge(f"{path}/room", {"spec": spec}).ok()
        server.admin.merge(f"{path}/room/status", {"status": spec}).ok()


def test_a_worker_beyond_the_quota_is_told_and_comes_when_there_is_room(
    installed: Server, namespace: str, tmp_path: Path
) -> None:
    room_for(installed, namespace, 1)
    group = f"{dask(namespace, 'daskworkergroups')}/a-default"
    before = requests(installed)["POST", "pods"]
    with controller(installed, tmp_path, namespace) as log:
        installed.admin.create(
            dask(namespace, "daskclusters"), of_the_operator(installed, namespace, "a", workers=1)
        ).ok()
        refused = await_refusal(installed, group)
        assert not pods(installed, namespace, "worker")
        room_for(installed, namespace, 2)
        workers_become(installed, namespace, 1)
        scaled(log, "a-default", 1)
    assert refused["status"] == 403
    assert "exceeded quota: room, requested: pods=1, used: pods=1, limited: pods=1" in refused["message"]
    tries = log.read_text().count(TRIED)
    assert tries
    assert requests(installed)["POST", "pods"] - before == 2 + tries, "one request for each try: none is repeated"


def test_a_worker_that_cannot_be_is_told(installed: Server, namespace: str, tmp_path: Path) -> None:
    manifest = of_the_operator(installed, namespace, "a", workers=1)
    [container] = manifest["spec"]["worker"]["spec"]["containers"]
    container["volumeMounts"] = [{"name": "undeclared", "mountPath": "/data"}]
    with controller(installed, tmp_path, namespace):
        installed.admin.create(dask(namespace, "daskclusters"), manifest).ok()
        refused = await_refusal(installed, f"{dask(namespace, 'daskworkergroups')}/a-default")
    assert refused["status"] == 422
    assert 'spec.containers[0].volumeMounts[0].name: Not found: "undeclared"' in refused["message"]
    assert not pods(installed, namespace, "worker")


def test_a_pod_of_another_owner_stays_as_it_is(installed: Server, namespace: str, tmp_path: Path) -> None:
    labels = {"dask.org/component": "scheduler", "of": "another"}
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a-scheduler", "labels": labels},
        "spec": {"containers": [{"name": "theirs", "image": "localhost/none:test"}]},
    }
    path = f"/api/v1/namespaces/{namespace}/pods"
    theirs = installed.admin.create(path, manifest).ok()
    cluster, group = f"{dask(namespace, 'daskclusters')}/a", f"{dask(namespace, 'daskworkergroups')}/a-default"
    with controller(installed, tmp_path, namespace):
        installed.admin.create(dask(namespace, "daskclusters"), of_the_operator(installed, namespace, "a")).ok()
        refused = await_refusal(installed, cluster)
        assert [each["metadata"] for each in pods(installed, namespace, "scheduler")] == [theirs["metadata"]]
        assert installed.admin.get(group).status == 404, "workers of another's scheduler"
        installed.admin.delete(f"{path}/a-scheduler").ok()
        workers_become(installed, namespace, 2)
        [scheduler] = pods(installed, namespace, "scheduler")
    assert refused == {"status": 409, "message": 'pods "a-scheduler" already exists'}
    assert scheduler["metadata"]["ownerReferences"][0]["kind"] == "DaskCluster"
    assert refusal(installed, cluster) == refused
    assert refusal(installed, group) == {}, "no worker was refused"


def test_workers_that_are_gone_are_replaced_when_the_operator_asks(
    installed: Server, namespace: str, tmp_path: Path
) -> None:
    operator = installed.client(token(installed, OPERATOR))
    group = f"{dask(namespace, 'daskworkergroups')}/a-default"
    path = f"/api/v1/namespaces/{namespace}/pods"

    def ask(text: str) -> None:
        operator.merge(group, {"metadata": {"annotations": {c.REPLACE_ANNOTATION: text}}}).ok()

    with controller(installed, tmp_path, namespace) as log:
        operator.create(dask(namespace, "daskclusters"), of_the_operator(installed, namespace, "a", workers=3)).ok()
        first = [each["metadata"]["name"] for each in workers_become(installed, namespace, 3)]
        scaled(log, "a-default", 3)
        before = requests(installed)["POST", "pods"]
        installed.admin.delete(f"{path}/{first[0]}").ok()
        installed.admin.merge(f"{path}/{first[1]}/status", {"status": {"phase": "Failed"}}).ok()
        installed.admin.delete(f"{path}/a-scheduler").ok()
        ask("2026-03-01T12:00:00Z")
        after = [each["metadata"]["name"] for each in workers_become(installed, namespace, 4)]
        # Asked once more, it finds that there are enough.
        ask("2026-03-01T12:00:10Z")
        line = "Scaled worker group a-default up to 3 workers."
        wait_for("both answers", log.read_text, lambda text: text.count(line) == 3)
    assert set(after) & set(first) == set(first[1:]), "another name for another worker"
    assert len(pods(installed, namespace, "worker")) == 4
    assert not pods(installed, namespace, "scheduler"), "a scheduler is never replaced"
    assert requests(installed)["POST", "pods"] - before == 2
    assert "Traceback" not in log.read_text()


def theirs(server: Server, namespace: str, change: str) -> dict[str, Any]:
    """A cluster of somebody who has copied what there is to copy."""
    of_the_operator(server, namespace, "a")
    manifest = of_the_operator(server, namespace, "b", workers=1)
    metadata = manifest["metadata"]
    if change == "no job":
        metadata["labels"] = LABELS
    elif change == "another job's UID":
        metadata["labels"][c.JOB_UID_LABEL] = "0" * 36
    elif change == "a name that no attempt has":
        metadata["name"] = "mine"
    elif change == "the name of another attempt":
        metadata["name"] = "a"
    elif change == "no token":
        del metadata["annotations"]
    else:
        # The operator has recorded the UID of the one that was deleted.
        path = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs/sum"
        attempts = server.admin.get(path).ok()["status"]["attempts"]
        attempts[1]["clusterUID"] = "of-the-first"
        server.admin.merge(f"{path}/status", {"status": {"attempts": attempts}}).ok()
    return manifest


@pytest.mark.parametrize(
    "change",
    [
        "no job",
        "another job's UID",
        "a name that no attempt has",
        "the name of another attempt",
        "no token",
        "another UID than the recorded one",
    ],
)
def test_a_cluster_that_the_operator_did_not_create_is_left_alone(
    installed: Server, namespace: str, tmp_path: Path, change: str
) -> None:
    manifest = theirs(installed, namespace, change)
    path = dask(namespace, "daskclusters")
    with controller(installed, tmp_path, namespace) as log:
        created = installed.admin.create(path, manifest).ok()
        words = "is left alone: the operator did not create it"
        wait_for("the controller's word", log.read_text, lambda text: words in text)
        installed.admin.create(path, of_the_operator(installed, namespace, "ours", workers=1)).ok()
        workers_become(installed, namespace, 1)
        assert len(pods(installed, namespace, "scheduler")) == 1
    name = created["metadata"]["name"]
    assert installed.admin.get(f"{dask(namespace, 'daskworkergroups')}/{name}-default").status == 404
    assert log.read_text().count(f"DaskCluster {name} {words}") == 1, "once"


def test_a_group_that_somebody_else_created_gets_no_workers(installed: Server, namespace: str, tmp_path: Path) -> None:
    """Before the Dask controller did, under the name that it will have, with the cluster as its owner."""
    cluster = installed.admin.create(
        dask(namespace, "daskclusters"), of_the_operator(installed, namespace, "a", workers=1)
    ).ok()
    owner = {key: cluster[key] for key in ("apiVersion", "kind")}
    owner |= {"name": "a", "uid": cluster["metadata"]["uid"], "controller": True}
    worker = {"replicas": 1, "spec": {"containers": [{"name": "worker", "image": "localhost/theirs:test"}]}}
    group = {
        "apiVersion": cluster["apiVersion"],
        "kind": "DaskWorkerGroup",
        "metadata": {"name": "a-default", "labels": cluster["metadata"]["labels"], "ownerReferences": [owner]},
        "spec": {"cluster": "a", "worker": worker},
    }
    installed.admin.create(dask(namespace, "daskworkergroups"), group).ok()
    with controller(installed, tmp_path, namespace) as log:
        words = "it is not a worker group of its DaskCluster"
        wait_for("the controller's word", log.read_text, lambda text: words in text)
        assert not pods(installed, namespace, "worker")
