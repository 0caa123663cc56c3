"""Results in a volume that runner and workers share, and stores that are none, with real pods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.jobs import Job, apply, condition, manifest
from ..support.kube import Kube
from ..support.settings import image
from ..support.waiting import wait_for

PATH = "/mnt/results"
SECRET = "not-for-anybody-else"
FRAME = """
    import dask.dataframe
    import pandas

    def main():
        return dask.dataframe.from_pandas(pandas.DataFrame({"n": range(100)}), npartitions=5)
"""
READ = """
    import os
    import pandas

    def key():
        return os.environ.get("STORE_KEY", "")[:3]

    def main(folder, client):
        total = int(pandas.read_parquet(folder).n.sum())
        return [total, key(), client.submit(key).result(), client.run_on_scheduler(key)]
"""


def volume(source: dict[str, Any]) -> dict[str, Any]:
    """Parts of a job's spec that mount a volume into runner and workers."""
    pod = {
        "volumes": [{"name": "results", **source}],
        "containers": [{"name": "NAME", "volumeMounts": [{"name": "results", "mountPath": PATH}]}],
    }

    def template(name: str) -> dict[str, Any]:
        return {"template": {"spec": {**pod, "containers": [{**pod["containers"][0], "name": name}]}}}

    return {"cluster": {"workers": template("worker")}, "runner": template("runner")}


def kept(**store: Any) -> dict[str, Any]:
    return {"result": {"store": {"url": f"file://{PATH}", **store}}}


@pytest.fixture
def claim(kube: Kube) -> Iterator[str]:
    """A claim of a volume on the node, to which everybody may write."""
    name, folder = f"{kube.namespace}-results", f"/var/tmp/{kube.namespace}-results"
    size = {"storage": "1Gi"}
    modes = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    host = {"path": folder, "type": "DirectoryOrCreate"}
    claimed = {"namespace": kube.namespace, "name": "results"}
    spec = {**modes, "capacity": size, "hostPath": host, "claimRef": claimed}
    opening = {
        "name": "main",
        "image": image("dask-new"),
        "imagePullPolicy": "Never",
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "results", "mountPath": PATH}],
    }

    def pod(pod_name: str, *command: str) -> None:
        volumes = [{"name": "results", "persistentVolumeClaim": {"claimName": "results"}}]
        container = {**opening, "command": [*command]}
        body = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
        kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod_name}, "spec": body})
        phase = wait_for(
            f"pod {pod_name} to end",
            lambda: ((kube.get("pod", pod_name) or {}).get("status") or {}).get("phase"),
            lambda found: found in ("Succeeded", "Failed"),
            60,
        )
        assert phase == "Succeeded"

    kube.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "results"},
            "spec": {**modes, "volumeName": name, "resources": {"requests": size}},
        },
    )
    pod("open-up", "chmod", "777", PATH)
    yield "results"
    pod("clear-up", "sh", "-c", f"rm -rf {PATH}/*")
    kube.delete("persistentvolume", name)


def test_a_dataframe_goes_into_a_volume_and_the_credentials_to_runner_and_workers_alone(kube: Kube, claim: str) -> None:
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "keys"},
            "stringData": {"STORE_KEY": f"{SECRET}\n"},
        }
    )
    mounted = volume({"persistentVolumeClaim": {"claimName": claim}})
    status = apply(kube, manifest("frame", FRAME, **mounted, **kept())).end()
    assert status["phase"] == "Succeeded", status
    result, body = status["result"], Job(kube, "frame").body()["metadata"]
    assert result["location"] == f"file://{PATH}/{kube.namespace}/frame/{body['uid']}/1"
    assert (result["format"], status["summary"]) == ("parquet", "pandas.DataFrame in parquet")
    assert json.loads(result["preview"]) == [{"n": n} for n in range(20)]
    assert "value" not in result

    folder = f"{result['location'].removeprefix('file://')}/value.parquet"
    reader = apply(kube, manifest("reader", READ, [folder], **mounted, **kept(secretRef={"name": "keys"})))
    status = reader.end()
    assert status["phase"] == "Succeeded", status
    assert json.loads(status["summary"]) == [4950, "not", "not", ""]
    # Neither the job nor its pods have it.
    texts = json.dumps([reader.body(), *kube.list("pods,daskclusters.kubernetes.dask.org,daskjobreports.daskjob.io")])
    assert SECRET not in texts


def test_a_volume_of_each_pods_own_is_no_store(kube: Kube) -> None:
    job = apply(kube, manifest("apart", FRAME, **volume({"emptyDir": {}}), **kept()))
    failure = job.end()["failure"]
    assert (failure["reason"], failure["class"]) == ("StoreNotFound", "Application")
    assert "is not the same place in all of the job's pods" in failure["message"]
    assert "graphStarted" not in job.status()["timings"]


def test_a_secret_that_is_not_there_is_named(kube: Kube) -> None:
    spec = {**volume({"emptyDir": {}}), **kept(secretRef={"name": "no-such-keys"})}
    job = apply(kube, manifest("no-keys", FRAME, **spec, startupDeadlineSeconds=20))

    def says(status: dict[str, Any]) -> bool:
        messages = [condition(status, kind).get("message", "") for kind in ("ClusterReady", "Failed")]
        return any("no-such-keys" in message for message in messages)

    wait_for("the Secret to be named", job.status, says, 60)
    assert job.end()["failure"]["reason"] == "VolumeMountFailed"
