"""Results in a volume that runner and workers share, and stores that are none, with real pods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.jobs import Job, apply, condition, manifest, remains
from ..support.kube import Kube
from ..support.shared_volume import PATH, run_in_volume, shared_claim, volume
from ..support.waiting import wait_for

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


def kept(**store: Any) -> dict[str, Any]:
    return {"result": {"store": {"url": f"file://{PATH}", **store}}}


@pytest.fixture
def claim(kube: Kube) -> Iterator[str]:
    yield from shared_claim(kube)


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


def test_results_go_with_their_job_and_nothing_else_does(kube: Kube, claim: str) -> None:
    mounted, result = volume({"persistentVolumeClaim": {"claimName": claim}}), kept()["result"]
    spec = {**mounted, "result": {**result, "retention": "DeleteWithJob"}}
    job = apply(kube, manifest("frame", FRAME, **spec))
    assert job.end()["phase"] == "Succeeded", job.status()
    folder = job.status()["result"]["location"].removeprefix(f"file://{PATH}/").removesuffix("/1")
    assert job.body()["metadata"]["finalizers"] == ["daskjob.io/results"]
    other = f"{kube.namespace}/frame/other"
    run_in_volume(kube, "before", f"test -f {folder}/1/manifest.json && mkdir -p {other} && touch {other}/kept")
    uid = job.body()["metadata"]["uid"]
    # Who deletes in the foreground, as Argo CD does, deletes first what the job owns.
    kube.kubectl("delete", "daskjob", "frame", "--cascade=foreground", "--wait=false")
    wait_for("the job to go", lambda: kube.get("daskjob", "frame"), lambda found: found is None, 60)
    run_in_volume(kube, "after", f"test ! -e {folder} && test -f {other}/kept")
    wait_for("its pods to go", lambda: remains(kube, "frame", uid), lambda found: not found, 30)


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
