"""What is kept of a job's attempts (`spec.report`), with real pods and a volume as the store."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ..support.jobs import Job, apply, condition, manifest
from ..support.kube import Kube
from ..support.settings import image
from ..support.shared_volume import PATH, shared_claim, volume
from ..support.waiting import wait_for

ENDS = """
    import os, signal, sys, time
    from dask.distributed import get_client, wait

    def add(x):
        sys.stderr.write("from a task\\n")
        return x + 1

    def main(how):
        client = get_client()
        futures = client.map(add, range(50), key=[("add", i) for i in range(50)])
        wait(futures)
        print("this is the runner's log")
        attempt = os.environ["DASKJOB_ATTEMPT"]
        if how == "badly" and attempt == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "badly":
            time.sleep(600)
        return sum(client.gather(futures))
"""


NO_PAGE = "no performance report: bokeh is not installed where the scheduler runs"


@pytest.fixture
def claim(kube: Kube) -> Iterator[str]:
    yield from shared_claim(kube)


def kept(**more: Any) -> dict[str, Any]:
    return {"report": {"store": {"url": f"file://{PATH}"}, **more}}


def files_of(kube: Kube, claim: str) -> Mapping[str, bytes]:
    """All files of the volume, by their path."""
    program = f"import sys, tarfile; tarfile.open(fileobj=sys.stdout.buffer, mode='w|gz').add({PATH!r}, '.')"
    container = {
        "name": "main",
        "image": image("dask-new"),
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", f'python -c "{program}" > /tmp/all && base64 -w0 /tmp/all'],
        "volumeMounts": [{"name": "results", "mountPath": PATH}],
    }
    volumes = [{"name": "results", "persistentVolumeClaim": {"claimName": claim}}]
    body = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "look"}, "spec": body})
    wait_for(
        "the pod that looks to end",
        lambda: ((kube.get("pod", "look") or {}).get("status") or {}).get("phase"),
        lambda found: found in ("Succeeded", "Failed"),
        60,
    )
    found = {}
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(kube.kubectl("logs", "look")))) as archive:
        for each in archive:
            content = archive.extractfile(each)
            if content is not None:
                found[each.name.removeprefix("./")] = content.read()
    return found


def test_of_a_job_that_succeeds(kube: Kube, claim: str) -> None:
    mounted = volume({"persistentVolumeClaim": {"claimName": claim}})
    status = apply(kube, manifest("well", ENDS, ["well"], **mounted, **kept())).end()
    assert status["phase"] == "Succeeded", status
    uid = Job(kube, "well").body()["metadata"]["uid"]
    saved = condition(status, "ReportSaved")
    assert (saved["status"], saved["reason"]) == ("True", "Saved"), saved
    below = f"{kube.namespace}/well/{uid}/1/report"
    assert status["attempts"][0]["report"]["location"] == f"file://{PATH}/{below}"
    files = {path.removeprefix(f"{below}/"): data for path, data in files_of(kube, claim).items()}
    assert "this is the runner's log" in files["logs/runner.log"].decode()
    # The image of the tests has no bokeh.
    assert saved["message"] == f"it is at file://{PATH}/{below}; {NO_PAGE}"
    assert json.loads(files["report.json"])["missing"] == [NO_PAGE]
    [log] = [data.decode() for path, data in files.items() if path.startswith("logs/worker-well")]
    assert log.count("from a task\n") == 50
    assert "Registered to" in log, "what Dask logs is in it as well"
    assert json.loads(files["metrics.json"])["progress"]["done"] == 50
    trace = json.loads(gzip.decompress(files["trace.json.gz"]))
    assert trace["otherData"] == {"finished": 50, "in the trace": 50}


def test_of_attempts_that_end_badly(kube: Kube, claim: str) -> None:
    """The process of the graph is killed; then a deadline passes. Both are there for whoever looks."""
    mounted = volume({"persistentVolumeClaim": {"claimName": claim}})
    limits = {"backoffLimit": 1, "backoff": {"initialSeconds": 1}}
    job = apply(kube, manifest("badly", ENDS, ["badly"], **mounted, **kept(html=False), **limits))
    job.reaches(
        "the second attempt has computed its tasks",
        lambda status: status.get("attempt") == 2 and (status.get("progress") or {}).get("done", 0) >= 50,
        120,
    )
    worker = job.pod("worker")["metadata"]["name"]
    printed = kube.kubectl("logs", worker)
    kube.patch("daskjobs.daskjob.io", job.name, {"spec": {"attemptDeadlineSeconds": 1}})
    status = job.end()
    assert [each["reason"] for each in status["attempts"]] == ["Signal", "AttemptDeadlineExceeded"], status
    assert status["failure"]["reason"] == "AttemptDeadlineExceeded"
    files = files_of(kube, claim)
    for each in status["attempts"]:
        folder = each["report"]["location"].removeprefix(f"file://{PATH}/")
        trace = json.loads(gzip.decompress(files[f"{folder}/trace.json.gz"]))
        assert trace["otherData"] == {"finished": 50, "in the trace": 50}
        assert "this is the runner's log" in files[f"{folder}/logs/runner.log"].decode()
        assert files[f"{folder}/logs/scheduler.log"]
    # The kubelet has the same, at once and nothing twice; two threads may write into both in another order.
    assert printed.count("from a task\n") == 50
    kept_log = files[f"{folder}/logs/worker-{worker}.log"].decode()
    assert not Counter(printed.splitlines()) - Counter(kept_log.splitlines())
    assert condition(status, "ReportSaved")["status"] == "True"
